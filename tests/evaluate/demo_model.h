// The demo model, the text of the golden files and what transformers makes of it.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "base/files.h"
#include "base/json.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace nibble::test {

inline const fs::path kDemoModel = fs::path(kSourceFolder) / "assets/demo";
inline const fs::path kProse = fs::path(kSourceFolder) / "tests/golden/evaluate/prose.txt";

inline Json expected_figures() {
  return read_json(fs::path(kSourceFolder) / "tests/golden/evaluate/expected.json");
}

// The demo model under another config: links to its files, config.json with `key` changed.
inline void link_demo_model(const TempDir& folder, const std::string& key, const Json& value) {
  for (const auto& entry : fs::directory_iterator(kDemoModel))
    if (entry.path().filename() != "config.json")
      fs::create_symlink(entry.path(), folder.path() / entry.path().filename());
  Json config = read_json(kDemoModel / "config.json");
  config[key] = value;
  write_file(folder.path() / "config.json", config.dump());
}

}  // namespace nibble::test
