#include "train/qat/qat.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "model/golden_model.h"
#include "model/open_tokenizer.h"
#include "session/demo_copy.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;

const fs::path kModel = fs::path(kSourceFolder) / "assets/demo";

class Qat : public testing::Test {
 protected:
  Qat() {
    const std::string text = read_file(kModel / "sample.txt", 1u << 20);
    write_file(dir_ / "text.txt", text.substr(0, 6000));
    options_.data = dir_ / "text.txt";
    options_.validate_every = 100;
    options_.length = 64;
    options_.batch = 2;
    options_.steps = 8;
    options_.learning_rate = 2e-2;
    options_.validation_share = 0.1;
    options_.quantize.method = "rtn";  // GPTQ takes most of the time
    options_.quantize.grid = "int2";
    options_.quantize.group_size = 64;
    options_.quantize.calibration.samples = 4;
    options_.quantize.calibration.length = 64;
  }
  QatResult run(const std::string& out) {
    return qat(kModel, dir_ / out, options_, sinks_, false, [&](const QatPlan& p) { plan_ = p; });
  }
  std::string bytes(const std::string& out, const char* file) const {
    return read_file(dir_ / out / file, 64u << 20);
  }
  // The loss on the held-out samples of the model that was written, as any reader computes it.
  double loss_of(const std::string& out) {
    const ModelSource student(dir_ / out), original(kModel);
    const TrainingModel model(student), wise(original);
    LoopOptions loop = options_;
    TrainingLoop samples(loop, sinks_.progress, sinks_.log);
    samples.read(original);
    SampleFile all = read_samples(options_.data, original, *open_tokenizer(kModel), 64);
    const std::size_t held_out = samples.plan().validation_samples;
    const std::span<const Sample> last(all.samples.end() - static_cast<std::ptrdiff_t>(held_out),
                                       held_out);
    const Teacher teacher{&wise, options_.temperature};
    Loss total;
    for (const Pack& pack : pack_in_order(last, 64)) {
      const Loss loss = model.loss(batch_of(last, pack), Compute::kFloat32, &teacher);
      total.sum += loss.sum;
      total.tokens += loss.tokens;
    }
    return total.mean();
  }

  test::TempDir dir_;
  QatOptions options_;
  QuantizeSinks sinks_;
  QatPlan plan_;
};

TEST_F(Qat, ComesNearerToItsTeacherAndIsWrittenAsItWasTrained) {
  options_.quantize.method = "gptq";
  const QatResult result = run("out");
  ASSERT_TRUE(result.validation_before && result.validation);
  EXPECT_LT(*result.validation, 0.9 * *result.validation_before);
  EXPECT_EQ(plan_.modules, result.quantized.modules.size());
  EXPECT_GT(plan_.trained_values, plan_.base_values);
  // Decoding is the definition, to which products of whole models come near but for their order.
  EXPECT_NEAR(loss_of("out"), *result.validation, 1e-5);
  const Json passport = parse_json(bytes("out", "nibble.json"));
  EXPECT_EQ(passport["training"]["steps"], 8);
  EXPECT_EQ(passport["training"]["validation_loss"].get<double>(), *result.validation);
  for (const ModuleReport& module : result.quantized.modules) {
    EXPECT_GT(module.weight_error, 0);
    EXPECT_FALSE(module.output_error.has_value());
  }
  EXPECT_FALSE(fs::exists(dir_ / "out.journal"));
  EXPECT_FALSE(fs::exists(dir_ / "out.training.journal"));
}

TEST_F(Qat, OfScalesAloneLeavesTheCodes) {
  options_.weights = false;
  const QatResult result = run("out");
  EXPECT_LT(*result.validation, *result.validation_before);
  EXPECT_NEAR(loss_of("out"), *result.validation, 1e-5);
  quantize_model(kModel, dir_ / "plain", options_.quantize, sinks_, false);
  const Json trained = parse_json(bytes("out", "nibble.json")),
             plain = parse_json(bytes("plain", "nibble.json"));
  for (std::size_t i = 0; i < plain["modules"].size(); ++i)
    EXPECT_EQ(trained["modules"][i]["codes_sha256"], plain["modules"][i]["codes_sha256"]);
  EXPECT_NE(bytes("out", "model.safetensors"), bytes("plain", "model.safetensors"));
}

TEST_F(Qat, OfOtherContainersIsWrittenAsItWasTrainedSlow) {
  struct Case {
    const char* out;
    const char* grid;
    const char* layout;
    const char* dialect;
    const char* method;
    std::optional<std::size_t> group = {};
  };
  options_.steps = 4;
  options_.learning_rate = 0;  // by the bits
  for (const auto& [out, grid, layout, dialect, method, group] :
       {Case{"nf4", "nf4", "bitsandbytes", "double", "rtn", 64},
        Case{"hqq", "int2", "hqq", "", "hqq", 64}, Case{"awq", "int4", "awq", "", "gptq", 64},
        Case{"q40.gguf", "", "", "Q4_0", "rtn"}, Case{"q2k.gguf", "", "", "Q2_K", "rtn"}}) {
    options_.quantize.grid = grid;
    options_.quantize.layout = layout;
    options_.quantize.dialect = dialect;
    options_.quantize.method = method;
    options_.quantize.group_size = group;
    const QatResult result = run(out);
    // Near the best there is little to learn in four steps, and Q2_K trains weights alone.
    EXPECT_LE(*result.validation, 1.1 * *result.validation_before) << out;
    EXPECT_NEAR(loss_of(out), *result.validation, 1e-4 * *result.validation + 1e-6) << out;
  }
}

TEST_F(Qat, LearnsTheDataItselfOrAnotherTeacherWhereAsked) {
  options_.plain = true;
  const QatResult alone = run("alone");
  EXPECT_GT(*alone.validation_before, 1);  // a cross-entropy
  EXPECT_LT(*alone.validation, *alone.validation_before);
  options_.plain = false;
  options_.teacher = dir_ / "alone";
  const QatResult taught = run("taught");
  EXPECT_LT(*taught.validation, *taught.validation_before);
}

TEST_F(Qat, WithoutDataLearnsWhatItCalibratesOn) {
  options_.quantize.method = "gptq";
  options_.quantize.calibration.sources = {{options_.data, 1}};
  options_.data.clear();
  options_.validation_share = 0;
  const QatResult result = run("out");
  EXPECT_EQ(result.plan.samples, 4u);
  EXPECT_EQ(result.steps, 8u);
}

TEST_F(Qat, GoesOnAfterAStopAsIfThereHadBeenNoneSlow) {
  options_.quantize.method = "gptq";  // whose part has a journal of its own
  options_.steps = 5;
  options_.patience = 4;
  options_.validate_every = 1;
  run("whole");
  struct Stop {
    std::string_view job;
    std::size_t events;
  };
  int number = 0;
  for (const auto& [job, after] : {Stop{"Quantizing", 20}, {"Training", 1}, {"Training", 4}}) {
    std::size_t seen = 0;
    sinks_.progress = [&, wanted = job, most = after](const ProgressEvent& event) {
      const bool counts = wanted != "Training" || event.label.starts_with("step ");
      if (event.job == wanted && counts && ++seen > most)
        throw Error(ErrorKind::kInterrupted, "stopped");
    };
    const std::string out = "parts" + std::to_string(number++);
    EXPECT_EQ(test::error_kind([&] { run(out); }), ErrorKind::kInterrupted);
    EXPECT_FALSE(fs::exists(dir_ / out));
    EXPECT_TRUE(fs::exists(dir_ / (out + ".journal")));
    sinks_.progress = {};
    const QatResult rest = run(out);
    EXPECT_EQ(rest.resumed_steps > 0, job == "Training");
    for (const char* file : {"model.safetensors", "config.json", "nibble.json", "SHA256SUMS"})
      EXPECT_EQ(bytes(out, file), bytes("whole", file)) << file << " of " << out;
    EXPECT_FALSE(fs::exists(dir_ / (out + ".journal")));
    EXPECT_FALSE(fs::exists(dir_ / (out + ".training.journal")));
  }
}

TEST_F(Qat, RefusesWhatItCannotTrain) {
  const auto refusal = [&](auto change) {
    QatOptions before = options_;
    change(options_);
    const std::string text = test::error_text([&] { run("out"); });
    options_ = before;
    EXPECT_FALSE(fs::exists(dir_ / "out"));
    return text;
  };
  EXPECT_NE(refusal([](auto& o) { o.quantize.transforms = {"awq"}; }).find("transform"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.steps = 0, o.epochs = 0; }).find("--epochs"),
            std::string::npos);
  const fs::path small = test::kGoldenModels / "llama_biases";
  EXPECT_NE(refusal([&](auto& o) { o.teacher = small; }).find("the teacher has"),
            std::string::npos);
  options_.quantize.grid.clear();
  options_.quantize.group_size.reset();
  options_.quantize.method = "rtn";
  options_.quantize.dialect = "Q2_K";
  options_.weights = false;
  EXPECT_NE(test::error_text([&] { run("q2k.gguf"); }).find("stored together"), std::string::npos);
}

}  // namespace
}  // namespace nibble
