// What Layout::check finds by opening every module of a checkpoint.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/layout.h"

namespace nibble::layouts {

struct OpenedModules {
  std::vector<ShapedModule> modules;  // those that open
  std::vector<Finding> findings;      // an error for each that does not
};

// `open` throws what StoredModules::open throws; the findings' rule is `rule`: "awq.tensors".
OpenedModules open_modules(
    const CheckpointReader& reader, std::optional<std::string> (*module_of)(const TensorInfo&),
    const std::string& rule,
    const std::function<std::unique_ptr<StoredCodes>(const std::string&)>& open);

// The findings, and the error `missing` under `rule` where no tensor tells of a module.
std::vector<Finding> findings_of(OpenedModules opened, const std::string& rule,
                                 const std::string& missing);

}  // namespace nibble::layouts
