// A small calibration text of token windows, for the demo model.
#pragma once

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json.h"
#include "quantize/calibration/calibration.h"
#include "support/temp_dir.h"

namespace nibble::test {

// Three windows of 32 tokens in a file in `folder`.
inline CalibrationOptions token_windows_in(const TempDir& folder) {
  Json windows = Json::array();
  for (int w = 0; w < 3; ++w) {
    Json window = Json::array();
    for (int i = 0; i < 32; ++i) window.push_back(100 + 137 * w + 11 * i);
    windows.push_back(window);
  }
  write_file(folder / "windows.json", Json{{"windows", windows}}.dump());
  CalibrationOptions options;
  options.sources = {{folder / "windows.json", 1}};
  options.samples = 3;
  options.length = 32;
  return options;
}

}  // namespace nibble::test
