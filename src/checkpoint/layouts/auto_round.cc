// AutoRound's own checkpoints: tensors of GPTQ, AWQ or compressed-tensors under a config of another
// form, which is turned into theirs. `packing_format` says which:
//
//   auto_round:auto_gptq              GPTQ, zeros stored less 1 (gptq.cc), no g_idx
//   auto_round, auto_round:gptqmodel  the same with the zeros themselves
//   auto_round:auto_awq               AWQ, the form gemm (awq.cc)
//   auto_round:llm_compressor         4-bit floats of compressed-tensors
//                                     (compressed_tensors_float.cc); `data_type` says which: mx_fp…
//                                     MXFP4, nv_fp… NVFP4
//
// `extra_config` names modules that differ, by full name or by an expression that is searched in
// it:
// {"bits": 3}, or {"bits": 16} for one that was left alone. What it does not say is as for the
// rest.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/layout.h"
#include "checkpoint/layouts/awq.h"
#include "checkpoint/layouts/compressed_tensors.h"
#include "checkpoint/layouts/float_codes.h"
#include "checkpoint/layouts/gptq_config.h"
#include "checkpoint/layouts/module_tensors.h"
#include "nibble/error.h"

namespace nibble::layouts {
namespace {

constexpr std::string_view kCodes = ".qweight";
constexpr std::string_view kFloatCodes = ".weight_packed";
constexpr std::int64_t kMostBits = 8;  // more: a float type, the module was left alone
constexpr std::string_view kFix = "export it as auto_round:auto_gptq, or start from the original";

struct Packing {
  bool awq = false, true_zeros = false, floats = false;
};

Packing packing_of(const Json& config) {
  const std::string name = json_string(config, "packing_format", "auto_round:auto_gptq");
  for (const std::string_view gptq : {"auto_round:auto_gptq", "auto_round:gptq", "auto"})
    if (name == gptq) return {};
  if (name == "auto_round" || name == "auto_round:gptqmodel") return {.true_zeros = true};
  if (name == "auto_round:auto_awq" || name == "auto_round:awq") return {.awq = true};
  if (name == "auto_round:llm_compressor") return {.floats = true};
  throw Error(ErrorKind::kUnsupported,
              cat("\"packing_format\" is \"", name.substr(0, 60),
                  "\"; supported: auto_round, auto_round:auto_gptq, auto_round:auto_awq, ",
                  "auto_round:llm_compressor"),
              kFix);
}

void refuse_rotation(const Json& config) {
  if (const auto found = config.find("rotation_config");
      found != config.end() && found->is_object() && !found->empty())
    throw Error(ErrorKind::kUnsupported, "\"rotation_config\": its layers turn their inputs", kFix);
}

// What changes the layers themselves, or what goes into them.
void require_plain(const Json& config) {
  if (const std::string type = json_string(config, "data_type", "int"); type != "int")
    throw Error(ErrorKind::kUnsupported,
                cat("\"data_type\" is \"", type.substr(0, 60), "\"; supported: int"), kFix);
  if (const auto bits = json_int(config, "act_bits", 16, 1, 32); bits <= kMostBits)
    throw Error(ErrorKind::kUnsupported,
                cat("\"act_bits\" is ", bits, ": its layers round their inputs, which is not done"),
                kFix);
}

// The weights of a config group of compressed-tensors: 4-bit floats and their scales.
Json float_weights(const std::string& type, std::int64_t bits, std::int64_t group) {
  const bool mx = type.starts_with("mx_fp"), nv = type.starts_with("nv_fp");
  if ((!mx && !nv) || bits != 4)
    throw Error(ErrorKind::kUnsupported,
                cat("\"data_type\" is \"", type.substr(0, 60), "\" with ", bits,
                    " bits; supported in this packing: mx_fp and nv_fp with 4"),
                kFix);
  if (group != (mx ? 32 : 16))
    throw Error(ErrorKind::kUnsupported,
                cat("\"group_size\" is ", group, ": scales of ", mx ? "mx_fp" : "nv_fp", " are of ",
                    mx ? 32 : 16, " weights"),
                kFix);
  return {{"num_bits", 4},
          {"type", "float"},
          {"strategy", mx ? "group" : "tensor_group"},
          {"group_size", group}};
}

class Translation {
 public:
  Translation(const CheckpointReader& reader, const Json& config)
      : reader_(reader), config_(config), packing_(packing_of(config)) {
    refuse_rotation(config);
    if (!packing_.floats) require_plain(config);
    base_ = {{"bits", json_int(config, "bits", 4, 1, 8)},
             {"group_size", json_int(config, "group_size", 128, -1, 1 << 24)}};
  }

  const Packing& packing() const { return packing_; }

  Json run() { return packing_.floats ? floats() : integers(); }

 private:
  // compressed-tensors' config. Who rounds inputs, too, is told so by it.
  Json floats() {
    const std::string type = json_string(config_, "data_type", "int");
    const auto weights_of = [&](const Json& of) {
      return float_weights(
          json_string(of, "data_type", type),
          json_int(of, "bits", base_["bits"].get<std::int64_t>(), 1, 64),
          json_int(of, "group_size", base_["group_size"].get<std::int64_t>(), -1, 1 << 24));
    };
    Json group = {{"targets", {"Linear"}}, {"weights", weights_of(config_)}};
    if (json_int(config_, "act_bits", 16, 1, 32) <= kMostBits)
      group["input_activations"] = Json::object();
    Json ignored = Json::array({"lm_head"});
    for_each_extra([&](const std::string& key, const Json& own) {
      if (json_int(own, "bits", 4, 1, 64) > kMostBits)
        ignored.push_back(is_module(key) ? key : cat("re:.*(?:", key, ")"));
      else if (weights_of(own) != group["weights"])
        throw Error(ErrorKind::kUnsupported, "is of another kind than the rest", kFix);
    });
    return {{"quantization_status", "compressed"},
            {"ignore", std::move(ignored)},
            {"config_groups", {{"group_0", std::move(group)}}}};
  }

  Json integers() {
    const bool symmetric = json_bool(config_, "sym", true);
    Json result = base_;
    Json by_name = Json::object(), by_expression = Json::object();
    bool all_symmetric = symmetric;
    for_each_extra([&](const std::string& key, const Json& own) {
      all_symmetric &= json_bool(own, "sym", symmetric);
      add(key, own, is_module(key) ? by_name : by_expression);
    });
    if (packing_.awq) {
      result["version"] = "gemm";
      result["zero_point"] = !all_symmetric;
      return result;
    }
    result["sym"] = all_symmetric;
    result["desc_act"] = false;
    result["checkpoint_format"] = packing_.true_zeros ? "gptq_v2" : "gptq";
    result["dynamic"] = std::move(by_name);  // before any expression
    result["dynamic"].update(by_expression);
    return result;
  }

  template <typename Use>
  void for_each_extra(const Use& use) const {
    const auto extra = config_.find("extra_config");
    if (extra == config_.end() || extra->is_null()) return;
    with_context("\"extra_config\"", [&] {
      if (!extra->is_object()) throw Error(ErrorKind::kCorruptFile, "is not an object");
      for (auto item = extra->begin(); item != extra->end(); ++item)
        with_context(cat("\"", item.key().substr(0, 100), "\""), [&] {
          if (!item->is_object()) throw Error(ErrorKind::kCorruptFile, "is not an object");
          use(item.key(), *item);
        });
    });
  }

  bool is_module(const std::string& name) const {
    for (const std::string_view suffix : {kCodes, kFloatCodes, std::string_view(".weight")})
      if (reader_.find(cat(name, suffix)) != nullptr) return true;
    return false;
  }

  void add(const std::string& key, const Json& value, Json& rules) const {
    const std::string pattern = is_module(key) ? ModuleRules::exactly(key) : cat(".*(?:", key, ")");
    if (json_int(value, "bits", base_["bits"].get<std::int64_t>(), 1, 64) > kMostBits) {
      rules["-:" + pattern] = Json::object();
      return;
    }
    Json own = base_;
    for (const char* name : {"bits", "group_size"})
      if (value.contains(name)) own[name] = value[name];
    if (own == base_) return;
    if (packing_.awq)
      throw Error(ErrorKind::kUnsupported,
                  "has bits or groups of its own, and AWQ's tensors have one kind for all modules",
                  kFix);
    rules["+:" + pattern] = std::move(own);
  }

  const CheckpointReader& reader_;
  const Json& config_;
  Packing packing_;
  Json base_;
};

std::optional<std::string> module_of(const TensorInfo& tensor) {
  if (auto module = module_of_suffix(tensor, kFloatCodes)) return module;
  return module_of_suffix(tensor, kCodes);
}

bool claims(const Json& config) {
  const std::string method = json_string(config, "quant_method", "");
  return method == "auto-round" || method == "intel/auto-round";
}

std::unique_ptr<StoredModules> open(const CheckpointReader& reader, const Json& config) {
  Translation translation(reader, config);
  const Json theirs = translation.run();
  if (translation.packing().floats) return open_compressed(reader, theirs);
  return translation.packing().awq ? open_awq(reader, theirs) : open_gptq(reader, theirs);
}

std::vector<Finding> check(const CheckpointReader& reader, const Json& config) {
  Translation translation(reader, config);
  const Json theirs = translation.run();
  if (translation.packing().floats) return check_compressed(reader, theirs);
  return translation.packing().awq ? check_awq(reader, theirs) : check_gptq(reader, theirs);
}

std::span<const std::size_t> usual_groups(const Grid&, std::string_view) { return {}; }

std::string refusal(const CodeShape& shape) {
  return cat("AutoRound's files are read, and not written; ",
             is_float_grid(*shape.grid) ? "compressed-tensors has the same tensors"
                                        : "gptq and awq have the same tensors");
}

}  // namespace

extern const Layout auto_round{
    .name = "auto-round",
    .summary = "AutoRound's own config around tensors of GPTQ, AWQ or 4-bit floats: transformers",
    .claims = claims,
    .open = open,
    .module_of = module_of,
    .check = check,
    .usual_groups = usual_groups,
    .refusal = refusal,
};

}  // namespace nibble::layouts
