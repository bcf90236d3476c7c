#include "model/tensor_names.h"

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

// A tensor that every model has once, and that nobody quantizes.
constexpr std::string_view kMark = "layers.0.input_layernorm.weight";

// What stands before each of them, in alphabetical order.
std::vector<std::string> prefixes_of(const CheckpointReader& checkpoint) {
  std::vector<std::string> prefixes;
  for (const TensorInfo& info : checkpoint.tensors()) {
    if (!info.name.ends_with(kMark)) continue;
    const std::string prefix = info.name.substr(0, info.name.size() - kMark.size());
    if (prefix.empty() || prefix.ends_with('.')) prefixes.push_back(prefix);
  }
  return prefixes;
}

// The head stands beside the body or further out: "a.model." has it at "a.model.lm_head",
// "a.lm_head" or "lm_head".
std::string head_of(const CheckpointReader& checkpoint, std::string outer) {
  while (true) {
    std::string head = outer + "lm_head";
    if (outer.empty() || has_module(checkpoint, head)) return head;
    outer.pop_back();
    outer.resize(outer.rfind('.') + 1);  // no dot: npos + 1 is 0
  }
}

}  // namespace

TensorNames::TensorNames(const CheckpointReader& checkpoint) {
  const std::vector<std::string> prefixes = prefixes_of(checkpoint);
  const auto has = [&](std::string_view prefix) {
    return std::find(prefixes.begin(), prefixes.end(), prefix) != prefixes.end();
  };
  if (!prefixes.empty() && !has(prefix_)) {
    if (prefixes.size() > 1 && !has(""))
      throw Error(ErrorKind::kUnsupported,
                  cat(checkpoint.files().front().string(), ": holds ", prefixes.size(),
                      " models: \"", prefixes[0], kMark, "\" and \"", prefixes[1], kMark, "\""),
                  "keep the tensors of one of them");
    prefix_ = has("") ? "" : prefixes.front();
  }
  head_ = head_of(checkpoint, prefix_);
}

std::string TensorNames::layer(std::size_t layer) const {
  return cat(prefix_, "layers.", layer, ".");
}

std::string TensorNames::module(std::size_t layer, Role role) const {
  return cat(prefix_, "layers.", layer, ".", module_name(role));
}

bool has_module(const CheckpointReader& checkpoint, std::string_view module) {
  const std::string start = cat(module, ".");
  const auto tensors = checkpoint.tensors();
  const auto at = std::lower_bound(
      tensors.begin(), tensors.end(), start,
      [](const TensorInfo& info, const std::string& name) { return info.name < name; });
  return at != tensors.end() && at->name.starts_with(start);
}

}  // namespace nibble
