// The whole job on the demo model: same bytes for any number of threads, early refusals, and an
// output that holds what the method chose.
#include "quantize/quantize.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/parallel.h"
#include "base/sha256.h"
#include "nibble/error.h"
#include "quantize/verify.h"
#include "support/edited_model.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::TempDir;

const fs::path kDemo = fs::path(kSourceFolder) / "assets" / "demo";

QuantizeOptions small_job() {
  QuantizeOptions options;
  options.calibration.samples = 4;
  options.calibration.length = 32;
  return options;
}

// Two kilobytes of text are enough for the windows above.
fs::path calibration_text(const TempDir& folder) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "The river was high that spring, and nobody crossed it. ";
  write_file(folder / "notes.txt", text);
  return folder / "notes.txt";
}

std::map<std::string, std::string> hashes_of(const fs::path& folder) {
  std::map<std::string, std::string> hashes;
  for (const auto& entry : fs::directory_iterator(folder))
    hashes[entry.path().filename().string()] = sha256_of_file(entry.path());
  return hashes;
}

TEST(QuantizeModel, WritesTheSameBytesForAnyNumberOfThreads) {
  const TempDir folder;
  QuantizeOptions options = small_job();
  options.calibration.sources = {{calibration_text(folder), 1}};
  set_threads(1);
  quantize_model(kDemo, folder / "one", options, {}, false);
  set_threads(2);
  quantize_model(kDemo, folder / "two", options, {}, false);
  set_threads(0);
  EXPECT_EQ(hashes_of(folder / "one"), hashes_of(folder / "two"));
}

// Ends the job as a signal would, once so many modules are done.
QuantizeSinks stopping_after(std::size_t modules) {
  QuantizeSinks sinks;
  sinks.module_done = [left = modules](const ModuleReport&, std::size_t, std::size_t) mutable {
    if (left-- == 0) throw Error(ErrorKind::kInterrupted, "stopped");
  };
  return sinks;
}

TEST(QuantizeModel, GoesOnWhereItWasStoppedAndWritesTheSameBytes) {
  const TempDir folder;
  QuantizeOptions options = small_job();
  options.calibration.sources = {{calibration_text(folder), 1}};
  options.calibration.samples = 2;
  options.transforms = {"awq"};
  quantize_model(kDemo, folder / "whole", options, {}, false);
  EXPECT_FALSE(fs::exists(folder / "whole.journal"));
  // Within the second layer, and again within the last.
  for (const std::size_t modules : {10u, 29u})
    EXPECT_THROW(quantize_model(kDemo, folder / "parts", options, stopping_after(modules), false),
                 Error);
  EXPECT_FALSE(fs::exists(folder / "parts"));
  options.resume = Resume::kRequired;
  const auto result = quantize_model(kDemo, folder / "parts", options, {}, false);
  EXPECT_GE(result.resumed_layers, 2u);
  EXPECT_EQ(result.modules.size(), 42u);
  EXPECT_EQ(hashes_of(folder / "parts"), hashes_of(folder / "whole"));
  EXPECT_FALSE(fs::exists(folder / "parts.journal"));
}

// The demo model in one file of BF16.
fs::path plain_file(const TempDir& folder) {
  QuantizeOptions options;
  options.method = "rtn";
  options.dialect = "BF16";
  quantize_model(kDemo, folder / "plain.gguf", options, {}, false);
  return folder / "plain.gguf";
}

TEST(QuantizeModel, GoesOnFromAGgufFileToo) {
  const TempDir folder;
  const fs::path source = plain_file(folder);
  QuantizeOptions options = small_job();
  options.dialect = "Q4_0";
  options.calibration.sources = {{calibration_text(folder), 1}};
  options.calibration.samples = 2;
  quantize_model(source, folder / "whole.gguf", options, {}, false);
  const auto stopped = [&](std::size_t modules) {
    EXPECT_THROW(
        quantize_model(source, folder / "parts.gguf", options, stopping_after(modules), false),
        Error);
  };
  stopped(10);
  EXPECT_FALSE(fs::exists(folder / "parts.gguf"));
  options.resume = Resume::kRequired;
  const auto result = quantize_model(source, folder / "parts.gguf", options, {}, false);
  EXPECT_GE(result.resumed_layers, 1u);
  EXPECT_EQ(sha256_of_file(folder / "parts.gguf"), sha256_of_file(folder / "whole.gguf"));
  // Another file under the same name is another job.
  fs::remove(folder / "parts.gguf");
  options.resume = Resume::kAuto;
  stopped(10);
  std::string bytes = read_file(source, 1 << 26);
  bytes[bytes.size() - 100] ^= 1;
  write_file(source, bytes);
  options.resume = Resume::kRequired;
  EXPECT_THROW(quantize_model(source, folder / "parts.gguf", options, {}, false), Error);
}

// From the file as from the folder. (With a transform they differ: the folder's norms are BF16.)
TEST(QuantizeModel, ReadsTheSameModelFromAFile) {
  const TempDir folder;
  const fs::path source = plain_file(folder);
  QuantizeOptions options = small_job();
  options.group_size = 32;
  options.calibration.sources = {{calibration_text(folder), 1}};
  options.calibration.samples = 2;
  // Its tokenizer cuts long numbers in another way; this text has none.
  const auto one = quantize_model(kDemo, folder / "one", options, {}, false);
  const auto two = quantize_model(source, folder / "two", options, {}, false);
  EXPECT_EQ(one.calibration.hash, two.calibration.hash);
  ASSERT_EQ(one.modules.size(), two.modules.size());
  for (std::size_t i = 0; i < one.modules.size(); ++i) {
    EXPECT_EQ(one.modules[i].module.name, two.modules[i].module.name);
    EXPECT_EQ(one.modules[i].codes_sha256, two.modules[i].codes_sha256);
  }
  EXPECT_TRUE(verify_checkpoint(folder / "two", source).passed());
}

TEST(QuantizeModel, DoesNotGoOnWithAnotherText) {
  const TempDir folder;
  QuantizeOptions options = small_job();
  options.calibration.sources = {{calibration_text(folder), 1}};
  EXPECT_THROW(quantize_model(kDemo, folder / "out", options, stopping_after(10), false), Error);
  write_file(folder / "notes.txt", "More. " + read_file(folder / "notes.txt", 1 << 20));
  options.resume = Resume::kRequired;
  EXPECT_THROW(quantize_model(kDemo, folder / "out", options, {}, false), Error);
  options.resume = Resume::kAuto;
  EXPECT_EQ(quantize_model(kDemo, folder / "out", options, {}, false).resumed_layers, 0u);
}

TEST(QuantizeModel, QuantizesTheSameModulesUnderWhateverNamesTheyHave) {
  const fs::path model = fs::path(kSourceFolder) / "tests" / "golden" / "model" / "llama_groups";
  QuantizeOptions options;
  options.method = "rtn";
  options.group_size = 16;
  std::vector<std::string> expected;
  for (const test::Wrapping& wrapping : test::kWrappings) {
    const TempDir folder;
    test::EditedModel renamed(model);
    renamed.rename(wrapping);
    renamed.write(folder / "in");
    const auto result = quantize_model(folder / "in", folder / "out", options, {}, false);
    std::vector<std::string> codes;
    for (const ModuleReport& module : result.modules) codes.push_back(module.codes_sha256);
    if (expected.empty()) expected = codes;
    EXPECT_EQ(codes, expected) << wrapping.body;
    EXPECT_EQ(result.modules.front().module.name, wrapping.body + "layers.0.self_attn.q_proj");
    EXPECT_TRUE(verify_checkpoint(folder / "out", std::nullopt).passed()) << wrapping.body;
  }
}

TEST(QuantizeModel, CorrectsDriftUnlessTheTextbookIsWanted) {
  const TempDir folder;
  QuantizeOptions options = small_job();
  options.calibration.sources = {{calibration_text(folder), 1}};
  const auto codes = [&](const std::string& name) {
    const QuantizeResult result = quantize_model(kDemo, folder / name, options, {}, false);
    return std::pair(result.modules.front().codes_sha256, result.modules.back().codes_sha256);
  };
  const auto corrected = codes("corrected");
  options.settings["drift-samples"] = "1";
  const auto little = codes("little");
  options.settings["drift-correction"] = "0";
  const auto plain = codes("plain");
  // Nothing has drifted before the first layer.
  EXPECT_EQ(corrected.first, plain.first);
  EXPECT_NE(corrected.second, plain.second);
  EXPECT_NE(corrected.second, little.second);
  options.settings["scales"] = "absmax";
  const auto textbook = codes("textbook");
  options.settings = {{"scales", "absmax"}};
  EXPECT_EQ(codes("default"), textbook);
}

TEST(QuantizeModel, PassesItsOwnVerification) {
  const TempDir folder;
  QuantizeOptions options = small_job();
  options.method = "rtn";
  quantize_model(kDemo, folder / "out", options, {}, false);
  const VerifyResult result = verify_checkpoint(folder / "out", kDemo);
  EXPECT_TRUE(result.passed());
  EXPECT_EQ(result.modules_checked, 42u);
}

TEST(QuantizeModel, VerificationSeesASingleFlippedBit) {
  const TempDir folder;
  QuantizeOptions options = small_job();
  options.method = "rtn";
  quantize_model(kDemo, folder / "out", options, {}, false);
  std::string bytes = read_file(folder / "out" / "model.safetensors", 1u << 30);
  bytes[bytes.size() / 2] ^= 0x10;
  write_file(folder / "out" / "model.safetensors", bytes);
  EXPECT_FALSE(verify_checkpoint(folder / "out", std::nullopt).passed());
}

TEST(QuantizeModel, RefusesAGroupThatDoesNotDivideBeforeAnyWork) {
  const TempDir folder;
  QuantizeOptions options = small_job();
  options.group_size = 100;
  try {
    quantize_model(kDemo, folder / "out", options, {}, false);
    FAIL() << "a group of 100 was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("self_attn.q_proj"), std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find("128"), std::string::npos) << error.what();
  }
  EXPECT_FALSE(fs::exists(folder / "out"));
}

std::string refusal_of(const QuantizeOptions& options) {
  const TempDir folder;
  try {
    quantize_model(kDemo, folder / "out", options, {}, true);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    return error.what();
  }
  return "accepted";
}

TEST(QuantizeModel, RefusesAnOptionThatTheMethodDoesNotRead) {
  QuantizeOptions options = small_job();
  options.method = "rtn";
  options.settings["damping"] = "0.05";
  EXPECT_NE(refusal_of(options).find("--damping is not read by rtn"), std::string::npos)
      << refusal_of(options);
  EXPECT_NE(refusal_of(options).find("it is read by gptq"), std::string::npos);
}

TEST(QuantizeModel, ReadsAnOptionThatOnlyAnOverriddenMethodHas) {
  QuantizeOptions options = small_job();
  options.method = "rtn";
  options.overrides = {{"down_proj", "gptq", nullptr, std::nullopt}};
  options.settings["damping"] = "0.05";
  EXPECT_EQ(refusal_of(options), "accepted");
}

TEST(QuantizeModel, RefusesCalibrationThatNobodyReads) {
  const TempDir folder;
  QuantizeOptions options = small_job();
  options.method = "rtn";
  options.calibration.sources = {{calibration_text(folder), 1}};
  EXPECT_NE(refusal_of(options).find("would not be read"), std::string::npos)
      << refusal_of(options);
}

TEST(QuantizeModel, RefusesASymmetryForValuesThatHaveNoZero) {
  QuantizeOptions options = small_job();
  options.grid = "nf4";
  options.settings["symmetry"] = "asymmetric";
  EXPECT_NE(refusal_of(options).find("nf4 has no zero"), std::string::npos) << refusal_of(options);
}

TEST(QuantizeModel, SaysWhichLayoutHoldsAGridThatTheNamedOneCannot) {
  QuantizeOptions options = small_job();
  options.grid = "nf4";
  options.layout = "gptq";
  EXPECT_NE(refusal_of(options).find("layouts that can: bitsandbytes"), std::string::npos)
      << refusal_of(options);
}

TEST(QuantizeModel, RefusesToWriteOverItsInput) {
  EXPECT_THROW(quantize_model(kDemo, kDemo, small_job(), {}, false), Error);
}

TEST(QuantizeModel, SaysHowMuchTextIsMissing) {
  const TempDir folder;
  QuantizeOptions options = small_job();
  options.calibration.samples = 1000;
  options.calibration.sources = {{calibration_text(folder), 1}};
  try {
    quantize_model(kDemo, folder / "out", options, {}, false);
    FAIL() << "1000 windows came out of three kilobytes";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("tokens"), std::string::npos) << error.what();
  }
  EXPECT_FALSE(fs::exists(folder / "out"));
}

TEST(QuantizeModel, LeavesSkippedModulesAndOverridesOthers) {
  const TempDir folder;
  QuantizeOptions options = small_job();
  options.method = "rtn";
  options.skip = {"layers\\.0\\."};
  options.overrides = {{"down_proj", std::nullopt, &grids::named("int8"), 64}};
  const auto result = quantize_model(kDemo, folder / "out", options, {}, false);
  EXPECT_EQ(result.modules.size(), 35u);
  const ModelSource out(folder / "out");
  EXPECT_NE(out.checkpoint().find("model.layers.0.mlp.up_proj.weight"), nullptr);
  EXPECT_EQ(out.checkpoint().find("model.layers.0.mlp.up_proj.qweight"), nullptr);
  // 768 inputs of 8 bits: 192 words.
  EXPECT_EQ(out.checkpoint().at("model.layers.1.mlp.down_proj.qweight").shape[0], 192);
  EXPECT_TRUE(verify_checkpoint(folder / "out", kDemo).passed());
}

TEST(QuantizeModel, ActivationsOnDiskGiveTheSameBytes) {
  const TempDir folder;
  QuantizeOptions options = small_job();
  options.calibration.sources = {{calibration_text(folder), 1}};
  const auto roomy = quantize_model(kDemo, folder / "memory", options, {}, false);
  ASSERT_FALSE(roomy.plan.spill);
  options.memory_limit = roomy.plan.peak_memory - 1;
  const auto tight = quantize_model(kDemo, folder / "disk", options, {}, false);
  EXPECT_TRUE(tight.plan.spill);
  EXPECT_EQ(hashes_of(folder / "memory"), hashes_of(folder / "disk"));
}

}  // namespace
}  // namespace nibble
