#include "checkpoint/layouts/opened_modules.h"

#include <utility>

#include "nibble/error.h"

namespace nibble::layouts {

OpenedModules open_modules(
    const CheckpointReader& reader, std::optional<std::string> (*module_of)(const TensorInfo&),
    const std::string& rule,
    const std::function<std::unique_ptr<StoredCodes>(const std::string&)>& open) {
  OpenedModules opened;
  for (const TensorInfo& info : reader.tensors()) {
    const auto module = module_of(info);
    if (!module) continue;
    try {
      const auto codes = open(*module);
      const CodeShape& shape = codes->shape();
      opened.modules.push_back(
          {*module, shape.rows, shape.columns, {shape.grid, shape.group_size}});
    } catch (const Error& problem) {
      opened.findings.push_back({true, rule, problem.what()});
    }
  }
  return opened;
}

std::vector<Finding> findings_of(OpenedModules opened, const std::string& rule,
                                 const std::string& missing) {
  if (opened.modules.empty() && opened.findings.empty())
    opened.findings.push_back({true, rule, missing});
  return std::move(opened.findings);
}

}  // namespace nibble::layouts
