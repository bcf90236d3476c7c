#include "quantize/calibration/imatrix.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/text.h"
#include "checkpoint/gguf_writer.h"
#include "model/gguf/names.h"
#include "model/open_tokenizer.h"
#include "model/source.h"
#include "nibble/error.h"
#include "quantize/calibration/original_walk.h"
#include "quantize/resumable.h"

namespace nibble {
namespace {

class Imatrix {
 public:
  Imatrix(const std::filesystem::path& model, const std::filesystem::path& output,
          const ImatrixOptions& options, const ProgressSink& progress, const LogSink& log)
      : source_(model), output_(output), options_(options), progress_(progress), log_(log) {}

  ImatrixResult run() {
    for (const std::string& note : source_.notes()) tell(note);
    if (output_.extension() != ".gguf")
      throw Error(ErrorKind::kInvalidArgument,
                  cat(output_.string(), ": an imatrix is a file whose name ends in .gguf"),
                  cat("name it ", output_.string(), ".gguf"));
    check_gguf_target(output_,
                      {.inputs = source_.inputs(), .source = {}, .tensors = {}, .gguf = {}},
                      {.replace = options_.replace}, "imatrix");
    const auto tokenizer = open_tokenizer(source_.path());
    result_.calibration =
        gather_calibration(source_, *tokenizer, options_.calibration, options_.compute, progress_);
    for (const std::string& note : result_.calibration.notes) tell(note);
    OriginalWalk walk(source_, result_.calibration, options_.compute);
    const std::size_t layers = source_.hyper().layers;
    for (std::size_t layer = 0; layer < layers; ++layer) {
      if (progress_)
        progress_({"Measuring", source_.names().layer(layer), static_cast<double>(layer),
                   static_cast<double>(layers)});
      measure(walk, source_.block(layer));
      source_.drop_layer(layer);
    }
    if (progress_) progress_({"Measuring", "", 1, 1});
    write();
    if (const std::string note = left_journal_note(output_); !note.empty()) tell(note);
    return std::move(result_);
  }

 private:
  void tell(const std::string& line) const {
    if (log_) log_(line);
  }

  // The inputs of a layer's matrices over all windows, which move on through the layer.
  void measure(OriginalWalk& walk, const Block& block) {
    std::array<Squares, kStages.size()> squares;
    walk.pass(block, [&](Stage stage, ConstMatrix input) {
      squares[static_cast<std::size_t>(stage)].add(input);
    });
    for (const Stage stage : kStages)
      for (const Role role : roles_of(stage))
        keep(gguf_tensor_name(cat("model.layers.", block.layer, ".", module_name(role), ".weight"),
                              false),
             squares[static_cast<std::size_t>(stage)].floats());
  }

  void keep(const std::string& name, const std::vector<float>& sums) {
    const auto tokens = static_cast<float>(result_.calibration.ids.size());
    put(name + ".in_sum2", sums);
    put(name + ".counts", {&tokens, 1});
    ++result_.entries;
  }

  void put(std::string name, std::span<const float> values) {
    const auto bytes = std::as_bytes(values);
    GgufModel::Own own;
    own.info.name = std::move(name);
    own.info.dtype = DType::kF32;
    own.info.shape = {static_cast<std::int64_t>(values.size())};
    own.info.bytes = bytes.size();
    own.bytes.assign(bytes.begin(), bytes.end());
    file_.own.push_back(std::move(own));
  }

  void write() {
    const Calibration& calibration = result_.calibration;
    std::sort(file_.own.begin(), file_.own.end(),
              [](const auto& a, const auto& b) { return a.info.name < b.info.name; });
    const std::vector<std::string> texts = {calibration.description};
    file_.pairs.text("general.type", "imatrix")
        .texts("imatrix.datasets", texts)
        .u32("imatrix.chunk_count", static_cast<std::uint32_t>(calibration.samples))
        .u32("imatrix.chunk_size", static_cast<std::uint32_t>(calibration.length));
    const Json passport = {{"schema", "nibble.imatrix/1"},
                           {"version", NIBBLE_VERSION},
                           {"source", calibration.description},
                           {"tokens_sha256", calibration.hash}};
    create_gguf_file(output_, std::move(file_), passport.dump().size() + 256)->finish(passport);
  }

  ModelSource source_;
  std::filesystem::path output_;
  ImatrixOptions options_;
  const ProgressSink& progress_;
  const LogSink& log_;
  GgufModel file_;
  ImatrixResult result_;
};

}  // namespace

ImatrixResult write_imatrix(const std::filesystem::path& model, const std::filesystem::path& output,
                            const ImatrixOptions& options, const ProgressSink& progress,
                            const LogSink& log) {
  return Imatrix(model, output, options, progress, log).run();
}

}  // namespace nibble
