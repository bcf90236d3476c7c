#include "train/finetune.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "model/transformer.h"
#include "session/demo_copy.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;

const fs::path kModel = fs::path(kSourceFolder) / "assets/demo";

class Finetune : public testing::Test {
 protected:
  Finetune() {
    std::string rows;
    for (int i = 0; i < 24; ++i)
      rows += "{\"prompt\": \"Number " + std::to_string(i % 6) +
              " is\", \"completion\": \" written as " + std::to_string(i % 6) + ".\"}\n";
    write_file(dir_ / "rows.jsonl", rows);
    options_.data = dir_ / "rows.jsonl";
    options_.lora.rank = 4;
    options_.lora.alpha = 8;
    options_.learning_rate = 2e-3;
    options_.length = 64;
    options_.batch = 1;
    options_.steps = 6;
    options_.validation_share = 0.25;
  }
  FinetuneResult run(const std::string& out) {
    return finetune(kModel, dir_ / out, options_, stop_, {}, {});
  }
  std::string bytes(const std::string& out, const char* file) const {
    return read_file(dir_ / out / file, 64u << 20);
  }

  test::TempDir dir_;
  FinetuneOptions options_;
  ProgressSink stop_;
};

TEST_F(Finetune, LearnsWhatTheRowsSay) {
  options_.steps = 30;
  const FinetuneResult result = run("out");
  ASSERT_TRUE(result.validation_before && result.validation);
  EXPECT_LT(*result.validation, *result.validation_before - 0.5);
  EXPECT_EQ(result.steps, 30u);
  EXPECT_EQ(result.plan.validation_samples, 6u);
  // A line for each step and each measurement, with no word of time.
  const std::string log = bytes("out", "log.jsonl");
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 30 + 1 + 10);
  const Json first = parse_json(
      log.substr(log.find('\n') + 1, log.find('\n', log.find('\n') + 1) - log.find('\n') - 1));
  EXPECT_EQ(first["step"], 1);
  EXPECT_GT(first["gradient_norm"].get<double>(), 0);
  // The adapter is what was measured: the model with it has the last loss.
  const ModelSource source(kModel, dir_ / "out");
  EXPECT_EQ(source.adapter()->layers.size(), 7 * source.hyper().layers);
}

TEST_F(Finetune, OfPackedAndPlainModelsWithAndWithoutMagnitudesLowersTheLoss) {
  options_.validate_every = 6;
  struct Case {
    const char* base;
    bool magnitude;
    Compute compute = Compute::kFloat32;
  };
  for (const auto& [base, magnitude, compute] :
       {Case{"", true}, {"nf4", false}, {"nf4", false, Compute::kInt8}, {"int4", true}}) {
    options_.compute = compute;
    options_.base = base;
    options_.lora.magnitude = magnitude;
    options_.lora.rank_stabilized = magnitude;
    const FinetuneResult result =
        run(std::string("out") + base + (compute == Compute::kInt8 ? "8" : ""));
    EXPECT_LT(*result.validation, *result.validation_before - 0.02) << base;
  }
}

TEST_F(Finetune, GoesOnAfterAStopAsIfThereHadBeenNone) {
  options_.patience = 3;  // so that the best values are part of the state
  run("whole");
  for (const std::size_t after : {1u, 2u, 5u}) {
    std::size_t steps = 0;
    stop_ = [&](const ProgressEvent& event) {
      if (event.job == "Training" && event.label.starts_with("step ") && ++steps > after)
        throw Error(ErrorKind::kInterrupted, "stopped");
    };
    const std::string out = "parts" + std::to_string(after);
    EXPECT_EQ(test::error_kind([&] { run(out); }), ErrorKind::kInterrupted);
    EXPECT_FALSE(fs::exists(dir_ / out));
    EXPECT_TRUE(fs::exists(dir_ / (out + ".journal")));
    stop_ = {};
    const FinetuneResult rest = run(out);
    EXPECT_GT(rest.resumed_steps, 0u);
    for (const char* file : {"adapter_model.safetensors", "adapter_config.json", "log.jsonl",
                             "nibble.json", "SHA256SUMS"})
      EXPECT_EQ(bytes(out, file), bytes("whole", file)) << file << " after " << after;
    EXPECT_FALSE(fs::exists(dir_ / (out + ".journal")));
  }
}

TEST_F(Finetune, EndsWhenTheHeldOutLossNoLongerFallsAndKeepsTheBest) {
  options_.steps = 60;
  options_.learning_rate = 0.3;  // far too high
  options_.warmup = 0;
  options_.clip = 0;
  options_.validate_every = 1;
  options_.patience = 2;
  const FinetuneResult result = run("out");
  EXPECT_LT(result.steps, 60u);
  EXPECT_LT(result.best_step, result.steps);
  EXPECT_LE(*result.validation_best, *result.validation);
}

TEST_F(Finetune, StopsWhereTheLossIsNoNumber) {
  options_.learning_rate = 1e30;
  options_.warmup = 0;
  options_.steps = 20;
  const std::string text = test::error_text([&] { run("out"); });
  EXPECT_NE(text.find("is not finite"), std::string::npos) << text;
  EXPECT_NE(text.find("lower --learning-rate"), std::string::npos) << text;
  EXPECT_FALSE(fs::exists(dir_ / "out"));
}

TEST_F(Finetune, RefusesWhatMakesNoSense) {
  const auto refusal = [&](auto change) {
    FinetuneOptions before = options_;
    change(options_);
    const std::string text = test::error_text([&] { run("out"); });
    options_ = before;
    return text;
  };
  EXPECT_NE(refusal([](auto& o) { o.lora.targets = {"q_prj"}; }).find("q_prj"), std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.base = "q4"; }).find("q4"), std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.length = 100000; }).find("--seq-len"), std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.schedule = "up"; }).find("cosine"), std::string::npos);
  EXPECT_NE(refusal([&](auto& o) { o.data = dir_ / "none"; }).find("none"), std::string::npos);
}

// The same steps whether a step's packs go through one by one or not at all: a token counts alike.
TEST_F(Finetune, CountsTokensAlikeHoweverTheyArePacked) {
  FinetuneOptions options = options_;
  options.steps = 1;
  options.validation_share = 0;
  options.warmup = 0;
  options.schedule = "constant";
  const auto norm = [&](std::size_t length, std::size_t batch, const std::string& out) {
    options.length = length;
    options.batch = batch;
    finetune(kModel, dir_ / out, options, {}, {}, {});
    return parse_json(bytes(out, "log.jsonl"))["gradient_norm"].get<double>();
  };
  // All 24 samples in one pack, or one in each.
  EXPECT_NEAR(norm(512, 1, "one"), norm(14, 24, "many"), 1e-4);
}

TEST(LearningRate, RisesAndFalls) {
  FinetuneOptions options;
  options.learning_rate = 1;
  options.warmup = 0.1;
  EXPECT_NEAR(learning_rate_at(options, 1, 100), 0.1, 1e-12);
  EXPECT_NEAR(learning_rate_at(options, 10, 100), 1, 1e-12);
  EXPECT_LT(learning_rate_at(options, 100, 100), 0.01);
  EXPECT_GT(learning_rate_at(options, 100, 100), 0);
  options.schedule = "linear";
  EXPECT_NEAR(learning_rate_at(options, 55, 100), 0.5, 0.02);
  options.schedule = "constant";
  EXPECT_EQ(learning_rate_at(options, 100, 100), 1);
  options.warmup = 0;
  EXPECT_EQ(learning_rate_at(options, 1, 1), 1);
}

}  // namespace
}  // namespace nibble
