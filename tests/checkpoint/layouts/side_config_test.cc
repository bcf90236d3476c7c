// Settings that stand in a file beside config.json, as older tools left them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "checkpoint/layout.h"
#include "support/error_text.h"
#include "support/memory_checkpoint.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_text;
using test::TempDir;

test::MemoryCheckpoint holding(const std::string& tensor, DType type) {
  std::vector<NamedBytes> tensors(1);
  tensors[0].info = {tensor, type, {4, 32}, 512};
  return test::MemoryCheckpoint(std::move(tensors));
}

test::MemoryCheckpoint packed() { return holding("m.qweight", DType::kI32); }

TEST(SideConfig, GptqSettingsMayStandInQuantizeConfig) {
  const TempDir dir;
  // As AutoGPTQ 0.4 wrote it.
  write_file(dir / "quantize_config.json",
             R"({"bits": 8, "group_size": 64, "damp_percent": 0.01, "desc_act": false, "sym": true,
                 "true_sequential": true, "model_name_or_path": null})");
  const Json config = layouts::with_side_config({{"model_type", "llama"}}, dir.path(), packed());
  const Layout* layout = layouts::claiming(config);
  ASSERT_NE(layout, nullptr);
  EXPECT_EQ(layout->name, "gptq");
  EXPECT_EQ(config["quantization_config"]["bits"], 8);
  EXPECT_EQ(config["model_type"], "llama");
}

TEST(SideConfig, ConfigJsonCountsWhereItSaysSomething) {
  const TempDir dir;
  write_file(dir / "quantize_config.json", R"({"bits": 8})");
  const Json own = {{"quantization_config", {{"quant_method", "gptq"}, {"bits", 4}}}};
  EXPECT_EQ(layouts::with_side_config(own, dir.path(), packed()), own);
}

TEST(SideConfig, IsLeftAloneBesidePlainWeights) {
  const TempDir dir;
  write_file(dir / "quantize_config.json", R"({"bits": 8})");
  const test::MemoryCheckpoint plain = holding("m.weight", DType::kF32);
  const Json own = {{"model_type", "llama"}};
  EXPECT_EQ(layouts::with_side_config(own, dir.path(), plain), own);
}

TEST(SideConfig, MissingSettingsAreAskedFor) {
  const TempDir dir;
  const std::string text =
      error_text([&] { layouts::with_side_config(Json::object(), dir.path(), packed()); });
  EXPECT_NE(text.find("neither config.json nor quantize_config.json says how"), std::string::npos)
      << text;
  EXPECT_NE(text.find("fix: download quantize_config.json too"), std::string::npos) << text;
}

TEST(SideConfig, SettingsOfAwqAreNotTakenForOthers) {
  const TempDir dir;
  write_file(dir / "quantize_config.json",
             R"({"zero_point": true, "q_group_size": 128, "w_bit": 4, "version": "GEMM"})");
  const Json config = layouts::with_side_config(Json::object(), dir.path(), packed());
  ASSERT_NE(layouts::claiming(config), nullptr);
  EXPECT_EQ(layouts::claiming(config)->name, "awq");
}

// AutoAWQ's own name for it.
TEST(SideConfig, SettingsOfAwqMayStandInQuantConfig) {
  const TempDir dir;
  write_file(dir / "quant_config.json",
             R"({"zero_point": true, "q_group_size": 64, "w_bit": 4, "version": "GEMM"})");
  const Json config = layouts::with_side_config(Json::object(), dir.path(), packed());
  ASSERT_NE(layouts::claiming(config), nullptr);
  EXPECT_EQ(layouts::claiming(config)->name, "awq");
}

}  // namespace
}  // namespace nibble
