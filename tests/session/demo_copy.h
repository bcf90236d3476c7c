// A copy of the demo's model, to which a test may add files.
#pragma once

#include <filesystem>

#include "support/paths.h"
#include "support/temp_dir.h"

namespace nibble::test {

class DemoCopy {
 public:
  DemoCopy() {
    for (const auto& file : std::filesystem::directory_iterator(
             std::filesystem::path(kSourceFolder) / "assets" / "demo"))
      std::filesystem::copy_file(file.path(), folder_ / file.path().filename().string());
  }
  const std::filesystem::path& path() const { return folder_.path(); }
  std::filesystem::path operator/(const char* name) const { return folder_ / name; }

 private:
  TempDir folder_;
};

}  // namespace nibble::test
