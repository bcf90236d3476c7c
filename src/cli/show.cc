// nibble show: what a checkpoint is, and how it would run here.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/files.h"
#include "base/parallel.h"
#include "base/text.h"
#include "checkpoint/layout.h"
#include "cli/command.h"
#include "cli/json_output.h"
#include "cli/losses.h"
#include "cli/table.h"
#include "formats/block_format.h"
#include "kernels/kernels.h"
#include "model/matrix_shape.h"
#include "model/source.h"
#include "nibble/error.h"
#include "quantize/passport.h"
#include "session/generation_settings.h"

namespace nibble::cli {
namespace {

// Tensors of one kind over all layers.
struct Part {
  std::string role;
  std::size_t matrices = 0;
  double weights = 0;
  std::uint64_t bytes = 0;
  std::set<std::string> types = {};

  double bits_per_weight() const {
    return weights > 0 ? 8 * static_cast<double>(bytes) / weights : 0;
  }
};

// The linear layers by role, then everything else ("embedding", "other").
std::vector<Part> parts_of(const ModelSource& source) {
  const HyperParams& hyper = source.hyper();
  std::map<std::string, std::size_t, std::less<>> place_of_module;
  std::vector<Part> parts;
  for (std::size_t r = 0; r < kRoles; ++r) {
    const Role role = static_cast<Role>(r);
    const auto [rows, columns] = matrix_shape(role, hyper);
    parts.push_back({.role = std::string(module_name(role)),
                     .matrices = hyper.layers,
                     .weights = static_cast<double>(hyper.layers * rows * columns)});
    for (std::size_t layer = 0; layer < hyper.layers; ++layer)
      place_of_module[source.module_path(layer, role)] = r;
  }
  const auto table = static_cast<double>(hyper.vocabulary * hyper.hidden);
  const std::size_t embedding = parts.size();
  parts.push_back({.role = "embedding", .matrices = 1, .weights = table});
  const std::size_t head = parts.size();
  parts.push_back({.role = "head", .matrices = 1, .weights = table});
  const std::size_t other = parts.size();
  parts.push_back({.role = "norms and other"});
  for (const TensorInfo& info : source.checkpoint().tensors()) {
    const std::string module = info.name.substr(0, info.name.rfind('.'));
    const auto found = place_of_module.find(module);
    std::size_t place = found != place_of_module.end() ? found->second : other;
    if (module == source.names().embedding()) place = embedding;
    if (module == source.names().head()) place = head;
    Part& part = parts[place];
    part.bytes += info.bytes;
    part.types.insert(std::string(info.blocks ? info.blocks->name : name(info.dtype)));
    if (place == other) {
      ++part.matrices;
      double count = 1;
      for (const std::int64_t size : info.shape) count *= static_cast<double>(size);
      part.weights += count;
    }
  }
  std::erase_if(parts, [](const Part& part) { return part.bytes == 0; });
  return parts;
}

Json quantization_json(const ModelSource& source) {
  const Layout* layout = layouts::claiming(source.config());
  if (layout == nullptr) return nullptr;
  Json json = source.config().value("quantization_config", Json::object());
  json["layout"] = layout->name;
  return json;
}

// An output error of 0 without calibration is none: older passports wrote it so.
ModuleLoss loss_of(const Json& module, bool calibrated) {
  ModuleLoss loss;
  loss.name = json_string(module, "name", "");
  loss.fallback = json_bool(module, "fallback", false);
  if (calibrated && module.contains("output_error") && !module["output_error"].is_null())
    loss.output_error = json_number(module, "output_error", 0);
  return loss;
}

// What the passport says, its list of modules in short.
Json passport_json(const ModelSource& source) {
  const Json passport = read_passport(source);
  if (!passport.is_object()) return nullptr;
  Json summary = Json::object();
  for (const char* key : {"schema", "version", "recipe", "calibration", "seed", "instruction_set"})
    if (passport.contains(key)) summary[key] = passport[key];
  const bool calibrated = passport.contains("calibration") && passport["calibration"].is_object();
  std::vector<ModuleLoss> modules;
  for (const Json& module : passport.value("modules", Json::array()))
    modules.push_back(loss_of(module, calibrated));
  summary["losses"] = losses_json(std::move(modules), passport.value("tensors", Json::array()));
  return summary;
}

Json model_json(const ModelSource& source) {
  const HyperParams& hyper = source.hyper();
  std::size_t window = 0, windowed = 0;
  for (const std::size_t size : hyper.windows) {
    window = std::max(window, size);
    windowed += size > 0 ? 1 : 0;
  }
  Json json = {{"architecture", source.spec().name},
               {"hf_class", source.spec().hf_class},
               {"layers", hyper.layers},
               {"hidden", hyper.hidden},
               {"mlp_hidden", hyper.mlp_hidden},
               {"heads", hyper.heads},
               {"kv_heads", hyper.kv_heads},
               {"head_dim", hyper.head_dim},
               {"vocabulary", hyper.vocabulary},
               {"context", hyper.context},
               {"tied_head", hyper.tied_head}};
  json["sliding_window"] = window > 0 ? Json(window) : Json(nullptr);
  json["sliding_window_layers"] = windowed;
  return json;
}

Json machine_json() {
  return {{"cpu", cpu_description()},
          {"instruction_set", kernels().name},
          {"threads", threads()},
          {"compute", cpu_has_bfloat16() ? "bf16" : "f32"}};
}

Json describe(const ModelSource& source) {
  Json json = {{"model", source.path().string()}};
  json.update(model_json(source));
  double weights = 0;
  std::uint64_t bytes = 0;
  Json storage = Json::array();
  for (const Part& part : parts_of(source)) {
    weights += part.weights;
    bytes += part.bytes;
    storage.push_back({{"role", part.role},
                       {"matrices", part.matrices},
                       {"types", part.types},
                       {"bytes", part.bytes},
                       {"bits_per_weight", part.bits_per_weight()}});
  }
  json["parameters"] = static_cast<std::uint64_t>(weights);
  json["bytes"] = bytes;
  json["bits_per_weight"] = weights > 0 ? 8 * static_cast<double>(bytes) / weights : 0;
  json["storage"] = std::move(storage);
  json["quantization"] = quantization_json(source);
  json["passport"] = passport_json(source);
  json["generation"] = json_of(generation_settings(source.folder()));
  json["machine"] = machine_json();
  json["warnings"] = source.notes();
  return json;
}

// "bits 4, group_size 128"; lists and objects within are left to --json.
std::string flat_text(const Json& object) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : object.items()) {
    if (value.is_structured() || value.is_null()) continue;
    parts.push_back(cat(key, " ", value.is_string() ? value.get<std::string>() : value.dump()));
  }
  return join(parts, ", ");
}

std::string types_text(const Json& types) {
  return join(types.get<std::vector<std::string>>(), " + ");
}

void print_storage(const Json& json) {
  Table table({"stored", "matrices", "types", "size", "bits/weight"});
  for (const Json& part : json["storage"])
    table.add({part["role"].get<std::string>(), part["matrices"].dump(), types_text(part["types"]),
               human_bytes(part["bytes"].get<std::uint64_t>()),
               fmt::format("{:.2f}", part["bits_per_weight"].get<double>())});
  table.add({"all", "", "", human_bytes(json["bytes"].get<std::uint64_t>()),
             fmt::format("{:.2f}", json["bits_per_weight"].get<double>())});
  fmt::print("\n{}\n", table.text());
}

void print_text(const Json& json) {
  const auto number = [&](const char* key) { return json[key].get<std::uint64_t>(); };
  Table head({"", ""});
  head.add({"model", json["model"].get<std::string>()});
  head.add({"architecture", cat(json["architecture"].get<std::string>(), " (",
                                json["hf_class"].get<std::string>(), ")")});
  head.add(
      {"parameters", fmt::format("{:.1f} M", static_cast<double>(number("parameters")) / 1e6)});
  head.add({"layers", cat(number("layers"), " of width ", number("hidden"), ", MLP ",
                          number("mlp_hidden"), ", ", number("heads"), " heads (",
                          number("kv_heads"), " for keys and values) of ", number("head_dim"))});
  head.add(
      {"vocabulary", cat(number("vocabulary"), " tokens",
                         json["tied_head"].get<bool>() ? ", head tied to the embedding" : "")});
  head.add({"context",
            cat(number("context"), " tokens",
                !json["sliding_window"].is_null()
                    ? cat(", attention over ", number("sliding_window"), " in ",
                          number("sliding_window_layers"), " of ", number("layers"), " layers")
                    : "")});
  if (!json["quantization"].is_null()) head.add({"quantization", flat_text(json["quantization"])});
  if (!json["passport"].is_null()) {
    const Json& passport = json["passport"];
    head.add({"passport", flat_text(passport)});
    // One that only tells where tensors came from has no recipe.
    if (const Json recipe = passport.value("recipe", Json::object()); !recipe.empty()) {
      head.add({"recipe", flat_text(recipe)});
      head.add({"calibration", flat_text(passport.value("calibration", Json::object()))});
      std::string name = "output error";
      for (const std::string& line : loss_lines(passport["losses"]))
        head.add({std::exchange(name, ""), line});
    }
  }
  head.add({"generation", flat_text(json["generation"])});
  head.add({"runs on", flat_text(json["machine"])});
  for (const Json& warning : json["warnings"]) head.add({"warning", warning.get<std::string>()});
  fmt::print("{}", head.text());
  print_storage(json);
}

struct Options {
  std::string model;
  bool passport = false;
};

void print_passport(const ModelSource& source) {
  const Json passport = read_passport(source);
  if (passport.is_null())
    throw Error(ErrorKind::kNotFound,
                cat(source.path().string(), ": has no passport; nibble quantize writes one"));
  fmt::print("{}\n", passport.dump(1));
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model, "Folder or org/name in the cache")->required();
  app.add_flag("--passport", options->passport,
               "print the whole passport: recipe, hashes, every module");
  return [options, &global] {
    const ModelSource source(global.model(options->model));
    if (options->passport)
      print_passport(source);
    else if (const Json json = describe(source); global.json)
      print_json("nibble.show/1", json);
    else
      print_text(json);
    return 0;
  };
}

}  // namespace

extern const Command show_command{
    .name = "show",
    .summary = "Show what a checkpoint is and how it runs here",
    .examples = "  nibble show MODEL\n",
    .setup = setup,
};

}  // namespace nibble::cli
