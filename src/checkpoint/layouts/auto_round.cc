// AutoRound's own checkpoints: tensors of GPTQ or AWQ under a config of another form, which is
// turned into theirs. `packing_format` says which:
//
//   auto_round:auto_gptq              GPTQ, zeros stored less 1 (gptq.cc), no g_idx
//   auto_round, auto_round:gptqmodel  the same with the zeros themselves
//   auto_round:auto_awq               AWQ, the form gemm (awq.cc)
//
// `extra_config` names modules that differ, by full name or by an expression that is searched in
// it:
// {"bits": 3}, or {"bits": 16} for one that was left alone. What it does not say is as for the
// rest.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "checkpoint/layout.h"
#include "checkpoint/layouts/awq.h"
#include "checkpoint/layouts/gptq_config.h"
#include "checkpoint/layouts/module_tensors.h"
#include "nibble/error.h"

namespace nibble::layouts {
namespace {

constexpr std::string_view kCodes = ".qweight";
constexpr std::int64_t kMostBits = 8;  // more: a float type, the module was left alone
constexpr std::string_view kFix = "export it as auto_round:auto_gptq, or start from the original";

struct Packing {
  bool awq = false, true_zeros = false;
};

Packing packing_of(const Json& config) {
  const std::string name = json_string(config, "packing_format", "auto_round:auto_gptq");
  for (const std::string_view gptq : {"auto_round:auto_gptq", "auto_round:gptq", "auto"})
    if (name == gptq) return {};
  if (name == "auto_round" || name == "auto_round:gptqmodel") return {.true_zeros = true};
  if (name == "auto_round:auto_awq" || name == "auto_round:awq") return {.awq = true};
  throw Error(ErrorKind::kUnsupported,
              cat("\"packing_format\" is \"", name.substr(0, 60),
                  "\"; supported: auto_round, auto_round:auto_gptq, auto_round:auto_awq"),
              kFix);
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
  if (const auto found = config.find("rotation_config");
      found != config.end() && found->is_object() && !found->empty())
    throw Error(ErrorKind::kUnsupported, "\"rotation_config\": its layers turn their inputs", kFix);
}

class Translation {
 public:
  Translation(const CheckpointReader& reader, const Json& config)
      : reader_(reader), config_(config), packing_(packing_of(config)) {
    require_plain(config);
    base_ = {{"bits", json_int(config, "bits", 4, 1, 8)},
             {"group_size", json_int(config, "group_size", 128, -1, 1 << 24)}};
  }

  const Packing& packing() const { return packing_; }

  Json run() {
    const bool symmetric = json_bool(config_, "sym", true);
    Json result = base_;
    Json by_name = Json::object(), by_expression = Json::object();
    bool all_symmetric = symmetric;
    if (const auto extra = config_.find("extra_config");
        extra != config_.end() && !extra->is_null())
      with_context("\"extra_config\"", [&] {
        if (!extra->is_object()) throw Error(ErrorKind::kCorruptFile, "is not an object");
        for (auto item = extra->begin(); item != extra->end(); ++item)
          with_context(cat("\"", item.key().substr(0, 100), "\""), [&] {
            if (!item->is_object()) throw Error(ErrorKind::kCorruptFile, "is not an object");
            all_symmetric &= json_bool(*item, "sym", symmetric);
            add(item.key(), *item, is_module(item.key()) ? by_name : by_expression);
          });
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

 private:
  bool is_module(const std::string& name) const {
    return reader_.find(cat(name, kCodes)) != nullptr || reader_.find(name + ".weight") != nullptr;
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
  return module_of_suffix(tensor, kCodes);
}

bool claims(const Json& config) {
  const std::string method = json_string(config, "quant_method", "");
  return method == "auto-round" || method == "intel/auto-round";
}

std::unique_ptr<StoredModules> open(const CheckpointReader& reader, const Json& config) {
  Translation translation(reader, config);
  const Json theirs = translation.run();
  return translation.packing().awq ? open_awq(reader, theirs) : open_gptq(reader, theirs);
}

std::vector<Finding> check(const CheckpointReader& reader, const Json& config) {
  Translation translation(reader, config);
  const Json theirs = translation.run();
  return translation.packing().awq ? check_awq(reader, theirs) : check_gptq(reader, theirs);
}

std::span<const std::size_t> usual_groups(const Grid&, std::string_view) { return {}; }

std::string refusal(const CodeShape& shape) {
  return cat("AutoRound's files are read, and not written, be it codes of ", shape.grid->name);
}

}  // namespace

extern const Layout auto_round{
    .name = "auto-round",
    .summary = "AutoRound's own config around GPTQ's or AWQ's tensors: transformers",
    .claims = claims,
    .open = open,
    .module_of = module_of,
    .check = check,
    .usual_groups = usual_groups,
    .refusal = refusal,
};

}  // namespace nibble::layouts
