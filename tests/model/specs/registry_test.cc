#include <gtest/gtest.h>

#include <algorithm>

#include "model/golden_model.h"
#include "model/spec.h"
#include "support/paths.h"

namespace nibble {
namespace {

TEST(Specs, ListNamesEveryFile) {
  std::vector<std::string> files, listed;
  for (const auto& entry : std::filesystem::directory_iterator(
           std::filesystem::path(kSourceFolder) / "src" / "model" / "specs"))
    if (entry.path().extension() == ".cc" && entry.path().stem() != "registry")
      files.push_back(entry.path().stem().string());
  for (const ModelSpec* spec : specs::all()) listed.emplace_back(spec->name);
  std::sort(files.begin(), files.end());
  std::sort(listed.begin(), listed.end());
  EXPECT_EQ(files, listed);
}

TEST(Specs, EachHasAGoldenModel) {
  for (const ModelSpec* spec : specs::all()) {
    bool found = false;
    for (const std::string& name : test::golden_model_names())
      found |= &find_spec(read_json(test::kGoldenModels / name / "config.json")) == spec;
    EXPECT_TRUE(found) << spec->name;
  }
}

}  // namespace
}  // namespace nibble
