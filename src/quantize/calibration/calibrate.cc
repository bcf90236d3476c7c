#include "quantize/calibration/calibrate.h"

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/text.h"
#include "checkpoint/gguf_writer.h"
#include "model/open_tokenizer.h"
#include "nibble/error.h"
#include "quantize/calibration/input_statistics.h"
#include "quantize/calibration/original_walk.h"
#include "quantize/layer/moments.h"
#include "quantize/passport.h"
#include "quantize/resumable.h"

namespace nibble {
namespace {

constexpr std::size_t kRoomForSum = 256;  // which the writer adds to the passport

class Measuring {
 public:
  Measuring(const std::filesystem::path& model, const std::filesystem::path& output,
            const CalibrateOptions& options, const ProgressSink& progress, const LogSink& log)
      : source_(model), output_(output), options_(options), progress_(progress), log_(log) {}

  CalibrateResult run() {
    for (const std::string& note : source_.notes()) tell(note);
    if (output_.extension() != ".gguf")
      throw Error(ErrorKind::kInvalidArgument,
                  cat(output_.string(), ": statistics are a file whose name ends in .gguf"),
                  cat("name it ", output_.string(), ".gguf"));
    check_gguf_target(output_,
                      {.inputs = source_.inputs(), .source = {}, .tensors = {}, .gguf = {}},
                      {.replace = options_.replace}, kStatisticsKind);
    base_ = hash_files(model_files(source_));
    if (!options_.calibration.sources.empty()) gather();
    open_journal();
    if (result_.calibration.samples == 0) {
      gather();
      keep(0, nullptr);
    }
    measure();
    return std::move(result_);
  }

 private:
  void tell(const std::string& line) const {
    if (log_) log_(line);
  }

  void gather() {
    const auto tokenizer = open_tokenizer(source_.path());
    result_.calibration =
        gather_calibration(source_, *tokenizer, options_.calibration, options_.compute, progress_);
    for (const std::string& note : result_.calibration.notes) tell(note);
    const HyperParams& hyper = source_.hyper();
    const std::string few =
        few_tokens_note(result_.calibration.samples, result_.calibration.length,
                        std::max({hyper.hidden, hyper.mlp_hidden, hyper.heads * hyper.head_dim}));
    if (!few.empty()) tell(cat("warning: ", few));
  }

  Json identity() const {
    const CalibrationOptions& asked = options_.calibration;
    const bool read = !asked.sources.empty();
    return {{"job", "calibrate"},
            {"version", NIBBLE_VERSION},
            {"base", base_},
            {"compute", options_.compute == Compute::kBfloat16 ? "bf16" : "f32"},
            {"calibration",
             {{"samples", asked.samples},
              {"seq_len", asked.length},
              {"seed", read ? Json(nullptr) : Json(asked.seed)},
              {"tokens_sha256", read ? Json(result_.calibration.hash) : Json(nullptr)}}}};
  }

  void open_journal() {
    const auto place = journal_place(output_);
    journal_.emplace(place, identity(), options_.resume);
    if (!journal_->note().empty()) tell(journal_->note());
    if (journal_->state().is_null()) return;
    const JobState state = with_context(place.string(), [&] { return kept_state(*journal_, {}); });
    result_.calibration = state.calibration;
    result_.resumed_layers = state.layers;
    tell(cat("going on after ", state.layers, " of ", source_.hyper().layers, " layers, from ",
             place.string()));
  }

  void keep(std::size_t layers, const Samples* samples) {
    const std::string before = journal_->note();
    keep_state(*journal_, {layers, result_.calibration, {}, {}}, samples);
    if (journal_->note() != before) tell(journal_->note());
  }

  void announce(GgufModel& file, const std::string& name, std::size_t count) {
    GgufTensor tensor;
    tensor.source = name;
    tensor.info.name = name;
    tensor.info.shape = {static_cast<std::int64_t>(count)};
    tensor.info.bytes = count * sizeof(float);
    tensor.original = tensor.info;
    result_.bytes += tensor.info.bytes;
    file.tensors.push_back(std::move(tensor));
  }

  GgufModel file() {
    GgufModel file;
    const Calibration& calibration = result_.calibration;
    const std::vector<std::string> texts = {calibration.description};
    file.pairs.text("general.type", "imatrix")
        .texts("imatrix.datasets", texts)
        .u32("imatrix.chunk_count", static_cast<std::uint32_t>(calibration.samples))
        .u32("imatrix.chunk_size", static_cast<std::uint32_t>(calibration.length));
    for (std::size_t layer = 0; layer < source_.hyper().layers; ++layer) {
      const Block block = source_.block(layer);
      for (const Stage stage : kStages) {
        const std::size_t columns = block.linear(roles_of(stage).front()).inputs();
        announce(file, products_name(layer, stage), columns * (columns + 1) / 2);
        announce(file, peaks_name(layer, stage), columns);
        for (const Role role : roles_of(stage)) {
          announce(file, matrix_name(layer, role) + ".in_sum2", columns);
          announce(file, matrix_name(layer, role) + ".counts", 1);
          ++result_.entries;
        }
      }
    }
    return file;
  }

  void measure() {
    const std::size_t layers = source_.hyper().layers;
    // Names of a model's parts and of texts may be many: without its passport the file is of no
    // use.
    writer_ = create_gguf_file(output_, file(), passport().dump().size() + kRoomForSum);
    OriginalWalk walk(source_, result_.calibration, options_.compute);
    journal_->replay([&](std::string_view name, std::span<const std::byte> bytes) {
      throw_if_stopped();
      writer_->add(name, bytes);
    });
    if (result_.resumed_layers > 0) restore_samples(*journal_, walk.samples());
    for (std::size_t layer = result_.resumed_layers; layer < layers; ++layer) {
      if (progress_)
        progress_({"Measuring", source_.names().layer(layer), static_cast<double>(layer),
                   static_cast<double>(layers)});
      measure_layer(walk, layer);
      source_.drop_layer(layer);
      if (layer == result_.resumed_layers || journal_->due()) keep(layer + 1, &walk.samples());
    }
    if (progress_) progress_({"Measuring", "", 1, 1});
    writer_->finish(passport());
    journal_->remove();
  }

  void measure_layer(OriginalWalk& walk, std::size_t layer) {
    const Block block = source_.block(layer);
    std::array<Squares, kStages.size()> squares;
    std::array<Peaks, kStages.size()> peaks;
    std::array<std::unique_ptr<Moments>, kStages.size()> moments;
    for (const Stage stage : kStages)
      moments[static_cast<std::size_t>(stage)] = std::make_unique<Moments>(
          block.linear(roles_of(stage).front()).inputs(), options_.compute, false);
    walk.pass(block, [&](Stage stage, ConstMatrix input) {
      squares[static_cast<std::size_t>(stage)].add(input);
      peaks[static_cast<std::size_t>(stage)].add(input);
      moments[static_cast<std::size_t>(stage)]->add(input);
    });
    const std::vector<float> tokens = {static_cast<float>(result_.calibration.ids.size())};
    for (const Stage stage : kStages) {
      Moments& own = *moments[static_cast<std::size_t>(stage)];
      own.finish();
      add(products_name(layer, stage), lower_triangle(own.hessian()));
      add(peaks_name(layer, stage), peaks[static_cast<std::size_t>(stage)].values());
      for (const Role role : roles_of(stage)) {
        add(matrix_name(layer, role) + ".in_sum2",
            squares[static_cast<std::size_t>(stage)].floats());
        add(matrix_name(layer, role) + ".counts", tokens);
      }
    }
  }

  void add(const std::string& name, const std::vector<float>& values) {
    const auto bytes = std::as_bytes(std::span(values));
    writer_->add(name, bytes);
    journal_->add(name, bytes);
  }

  Json passport() const {
    const Calibration& calibration = result_.calibration;
    return {{"schema", kStatisticsSchema},
            {"version", NIBBLE_VERSION},
            {"base", base_},
            {"compute", options_.compute == Compute::kBfloat16 ? "bf16" : "f32"},
            {"calibration",
             {{"source", calibration.description},
              {"samples", calibration.samples},
              {"seq_len", calibration.length},
              {"tokens_sha256", calibration.hash}}}};
  }

  ModelSource source_;
  std::filesystem::path output_;
  CalibrateOptions options_;
  const ProgressSink& progress_;
  const LogSink& log_;
  Json base_;
  std::optional<Journal> journal_;
  std::unique_ptr<ModelWriter> writer_;
  CalibrateResult result_;
};

}  // namespace

CalibrateResult calibrate_model(const std::filesystem::path& model,
                                const std::filesystem::path& output,
                                const CalibrateOptions& options, const ProgressSink& progress,
                                const LogSink& log) {
  return Measuring(model, output, options, progress, log).run();
}

}  // namespace nibble
