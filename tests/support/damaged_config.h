// A config with one value at a time replaced by something else, at any depth.
#pragma once

#include <nlohmann/json.hpp>

#include "base/json.h"

namespace nibble::test {

// Calls `check` with each damaged copy of `config`.
template <typename Check>
void with_each_value_damaged(const Json& config, const Check& check) {
  const Json others[] = {nullptr,
                         true,
                         -1,
                         0,
                         7,
                         1e300,
                         1'000'000'000'000,
                         "x",
                         "(",
                         Json::array(),
                         Json::array({1, "x"}),
                         Json::object(),
                         {{"bits", 3}}};
  const auto flat = config.flatten();
  std::vector<std::string> paths;
  for (const auto& [path, value] : flat.items()) paths.push_back(path);
  for (const auto& [key, value] : config.items())
    if (value.is_structured()) paths.push_back("/" + key);
  for (const std::string& path : paths)
    for (const Json& other : others) {
      Json damaged = config;
      damaged[Json::json_pointer(path)] = other;
      check(damaged);
    }
}

}  // namespace nibble::test
