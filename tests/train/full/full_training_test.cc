#include "train/full/full_training.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "model/golden_model.h"
#include "model/source.h"
#include "session/demo_copy.h"
#include "support/error_text.h"
#include "support/temp_dir.h"
#include "train/full/new_model.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;

const fs::path kDemo = fs::path(kSourceFolder) / "assets/demo";

class FullTraining : public testing::Test {
 protected:
  FullTraining() {
    std::string rows;
    for (int i = 0; i < 24; ++i)
      rows += "{\"text\": \"Number " + std::to_string(i % 6) + " is written as it is.\"}\n";
    write_file(dir_ / "rows.jsonl", rows);
    NewModelOptions model;
    model.tokenizer = kDemo;
    model.hidden = 32;
    model.layers = 2;
    model.heads = 2;
    model.mlp_hidden = 64;
    model.context = 128;
    make_new_model(dir_ / "new", model);
    options_.data = dir_ / "rows.jsonl";
    options_.learning_rate = 1e-2;
    options_.length = 64;
    options_.steps = 12;
    options_.batch = 2;
    options_.validation_share = 0.25;
  }
  FullTrainingResult run(const std::string& model, const std::string& out) {
    return train_fully(dir_ / model, dir_ / out, options_, stop_, {});
  }
  std::string bytes(const std::string& out, const char* file) const {
    return read_file(dir_ / out / file, 64u << 20);
  }
  std::size_t zeros(const std::string& model) const {
    const ModelSource source(dir_ / model);
    std::size_t count = 0;
    for (std::size_t layer = 0; layer < source.hyper().layers; ++layer) {
      const Block block = source.block(layer);
      for (const auto& linear : block.linears) {
        Tensor weights(linear->outputs(), linear->inputs());
        linear->decode(0, weights.view());
        count += static_cast<std::size_t>(
            std::count(weights.data(), weights.data() + weights.size(), 0.0f));
      }
    }
    return count;
  }

  test::TempDir dir_;
  FullTrainingOptions options_;
  ProgressSink stop_;
};

TEST_F(FullTraining, OfANewModelLearnsTheText) {
  const FullTrainingResult result = run("new", "out");
  ASSERT_TRUE(result.validation_before && result.validation);
  // All tokens alike at first.
  EXPECT_NEAR(*result.validation_before, std::log(ModelSource(dir_ / "new").hyper().vocabulary),
              0.1);
  EXPECT_LT(*result.validation, *result.validation_before - 1);
  EXPECT_EQ(result.zeros, 0u);
  const Json passport = parse_json(bytes("out", "nibble.json"));
  EXPECT_EQ(passport["training"]["steps"], 12);
  // What was written begins where training ended, but for its rounding to 16 bits.
  options_.learning_rate = 1e-9;
  options_.steps = 1;
  EXPECT_NEAR(*run("out", "again").validation_before, *result.validation, 0.02);
}

TEST_F(FullTraining, FromATeacherComesNearerToItAndKeepsZeros) {
  options_.steps = 30;
  run("new", "teacher");
  // Half of the new model's weights in layers, every other one.
  fs::copy(dir_ / "new", dir_ / "holes");
  {
    const ModelSource source(dir_ / "new");
    std::string file = bytes("new", "model.safetensors");
    const TensorInfo& info = source.checkpoint().at(source.module_path(1, Role::kUp) + ".weight");
    std::vector<std::byte> room;
    const auto stored = source.bytes(info, room);
    const std::string was(reinterpret_cast<const char*>(stored.data()), stored.size());
    std::string is = was;
    for (std::size_t i = 0; i + 4 <= is.size(); i += 8) is.replace(i, 4, 4, '\0');
    const std::size_t at = file.find(was);
    ASSERT_NE(at, std::string::npos);
    file.replace(at, is.size(), is);
    fs::remove(dir_ / "holes/model.safetensors");
    write_file(dir_ / "holes/model.safetensors", file);
  }
  const std::size_t holes = zeros("holes");
  ASSERT_GE(holes, 1024u);
  options_.teacher = dir_ / "teacher";
  options_.dtype = DType::kF32;
  const FullTrainingResult free = run("holes", "free");
  EXPECT_LT(*free.validation, 0.5 * *free.validation_before);
  EXPECT_LT(zeros("free"), holes / 2);
  options_.keep_zeros = true;
  const FullTrainingResult kept = run("holes", "kept");
  EXPECT_LT(*kept.validation, 0.5 * *kept.validation_before);
  EXPECT_GE(kept.zeros, holes);
  EXPECT_EQ(zeros("kept"), holes);
}

TEST_F(FullTraining, GoesOnAfterAStopAsIfThereHadBeenNone) {
  options_.steps = 6;
  run("new", "whole");
  std::size_t steps = 0;
  stop_ = [&](const ProgressEvent& event) {
    if (event.job == "Training" && event.label.starts_with("step ") && ++steps > 2)
      throw Error(ErrorKind::kInterrupted, "stopped");
  };
  EXPECT_EQ(test::error_kind([&] { run("new", "parts"); }), ErrorKind::kInterrupted);
  EXPECT_FALSE(fs::exists(dir_ / "parts"));
  stop_ = {};
  EXPECT_EQ(run("new", "parts").resumed_steps, 3u);  // a stop loses nothing
  for (const char* file : {"model.safetensors", "config.json", "nibble.json", "SHA256SUMS"})
    EXPECT_EQ(bytes("parts", file), bytes("whole", file)) << file;
}

TEST_F(FullTraining, RefusesATeacherOfOtherTokensAndAnOutputThatIsThere) {
  options_.teacher = test::kGoldenModels / "llama_groups";
  EXPECT_NE(test::error_text([&] { run("new", "out"); }).find("the teacher has"),
            std::string::npos);
  options_.teacher.clear();
  options_.steps = 1;
  run("new", "out");
  EXPECT_NE(test::error_text([&] { run("new", "out"); }).find("out"), std::string::npos);
}

}  // namespace
}  // namespace nibble
