#include "quantize/calibration/compare_texts.h"

#include <array>
#include <memory>

#include "base/parallel.h"
#include "base/sha256.h"
#include "base/text.h"
#include "model/open_tokenizer.h"
#include "nibble/error.h"
#include "quantize/calibration/original_walk.h"
#include "quantize/layer/feedback_options.h"
#include "quantize/layer/layer_error.h"
#include "quantize/layer/moments.h"
#include "quantize/layer/rounder.h"

namespace nibble {
namespace {

// What is known of a text's inputs in one layer, by stage.
struct Inputs {
  std::array<std::unique_ptr<Moments>, kStages.size()> products;
  std::array<Squares, kStages.size()> squares;
};

// The windows first, first + 2, … of a text.
Calibration every_other(const Calibration& text, std::size_t first) {
  Calibration half = text;
  half.ids.clear();
  half.samples = 0;
  for (std::size_t w = first; w < text.samples; w += 2, ++half.samples) {
    const auto begin = text.ids.begin() + static_cast<std::ptrdiff_t>(w * text.length);
    half.ids.insert(half.ids.end(), begin, begin + static_cast<std::ptrdiff_t>(text.length));
  }
  return half;
}

std::size_t group_of(std::size_t columns) {
  for (const std::size_t group : {128, 64, 32})
    if (columns % group == 0) return group;
  return columns;
}

// A pipe is no file, and is read once.
bool same_text(const std::filesystem::path& a, const std::filesystem::path& b) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(a, ignored) ||
      !std::filesystem::is_regular_file(b, ignored))
    return false;
  if (std::filesystem::equivalent(a, b, ignored)) return true;
  return std::filesystem::file_size(a, ignored) == std::filesystem::file_size(b, ignored) &&
         sha256_of_file(a) == sha256_of_file(b);
}

class Comparison {
 public:
  Comparison(const std::filesystem::path& model, const CompareTextsOptions& options,
             const ProgressSink& progress, const LogSink& log)
      : source_(model),
        options_(options),
        method_(methods::named(options.method)),
        grid_(grids::named(options.grid)),
        progress_(progress),
        log_(log) {
    if (method_.needs == Needs::kNothing && !method_.weighs)
      throw Error(ErrorKind::kInvalidArgument,
                  cat(method_.name, " looks at no text: all would do alike"),
                  "take rtn, which weighs inputs, or gptq");
    settings_ = Options(method_.options);
    if (settings_.has("drift-correction")) settings_.set(kDriftShareOption, "0");
    decide_symmetry(grid_, {}, settings_);
  }

  TextComparison run() {
    for (const std::string& note : source_.notes()) tell(note);
    gather();
    std::vector<OriginalWalk> walks;
    for (const Calibration& text : fitted_) walks.emplace_back(source_, text, options_.compute);
    OriginalWalk measured(source_, measured_, options_.compute);
    errors_.resize(fitted_.size());
    const std::size_t layers = source_.hyper().layers;
    for (std::size_t layer = 0; layer < layers; ++layer) {
      if (progress_)
        progress_({"Comparing", source_.names().layer(layer), static_cast<double>(layer),
                   static_cast<double>(layers)});
      const Block block = source_.block(layer);
      std::vector<Inputs> inputs(fitted_.size());
      for (std::size_t t = 0; t < fitted_.size(); ++t)
        pass(walks[t], block, inputs[t], method_.needs == Needs::kHessian);
      Inputs own;
      pass(measured, block, own, true);
      for (const Stage stage : kStages)
        for (const Role role : roles_of(stage)) compare(block.linear(role), stage, inputs, own);
      source_.drop_layer(layer);
    }
    if (progress_) progress_({"Comparing", "", 1, 1});
    return result();
  }

 private:
  void tell(const std::string& line) const {
    if (log_) log_(line);
  }

  // The own text's fitted half comes first.
  void gather() {
    const auto tokenizer = open_tokenizer(source_.path());
    const auto take = [&](std::vector<CalibrationFile> sources, std::size_t samples) {
      const CalibrationOptions asked{.sources = std::move(sources),
                                     .samples = samples,
                                     .length = options_.length,
                                     .seed = options_.seed};
      Calibration text =
          gather_calibration(source_, *tokenizer, asked, options_.compute, progress_);
      for (const std::string& note : text.notes) tell(note);
      return text;
    };
    own_ = take({options_.own}, 2 * options_.samples);
    fitted_.push_back(every_other(own_, 0));
    measured_ = every_other(own_, 1);
    if (options_.texts.empty()) fitted_.push_back(take({}, options_.samples));
    for (const CalibrationFile& text : options_.texts) {
      if (same_text(text.path, options_.own.path))
        tell(cat("warning: ", text.path.string(), " holds the same text as ",
                 options_.own.path.string(),
                 ": it is measured on what it was fitted to, and looks better than it is"));
      fitted_.push_back(take({text}, options_.samples));
    }
  }

  void pass(OriginalWalk& walk, const Block& block, Inputs& inputs, bool products) const {
    for (const Stage stage : kStages)
      if (products)
        inputs.products[static_cast<std::size_t>(stage)] = std::make_unique<Moments>(
            block.linear(roles_of(stage).front()).inputs(), options_.compute, false);
    walk.pass(block, [&](Stage stage, ConstMatrix input) {
      const auto index = static_cast<std::size_t>(stage);
      if (products)
        inputs.products[index]->add(input);
      else
        inputs.squares[index].add(input);
    });
    for (const auto& moments : inputs.products)
      if (moments) moments->finish();
  }

  // One matrix, fitted to each text, measured on the own one.
  void compare(const Linear& linear, Stage stage, const std::vector<Inputs>& inputs,
               const Inputs& own) {
    const auto index = static_cast<std::size_t>(stage);
    Tensor weight(linear.outputs(), linear.inputs());
    parallel_ranges(weight.rows(), 64, [&](std::size_t begin, std::size_t end) {
      linear.decode(begin, weight.view().rows_at(begin, end - begin));
    });
    Task task;
    task.weight = weight.view();
    task.grid = &grid_;
    task.group_size = group_of(linear.inputs());
    task.options = settings_;
    for (std::size_t t = 0; t < inputs.size(); ++t) {
      throw_if_stopped();
      const std::vector<float> squares = inputs[t].squares[index].floats();
      task.importance = squares;
      task.hessian =
          inputs[t].products[index] ? inputs[t].products[index]->hessian() : ConstMatrix();
      Outcome outcome = method_.quantize(task);
      task.hessian = own.products[index]->hessian();
      measure(task, outcome);
      errors_[t] += *outcome.output_error;
    }
    ++matrices_;
  }

  TextComparison result() {
    TextComparison result;
    result.matrices = matrices_;
    for (std::size_t t = 0; t < fitted_.size(); ++t) {
      ComparedText& text = t == 0 ? result.own : result.texts.emplace_back();
      text.windows = std::move(t == 0 ? own_ : fitted_[t]);
      text.output_error = errors_[t] / static_cast<double>(matrices_);
      text.excess = errors_[0] > 0 ? errors_[t] / errors_[0] - 1 : 0;
    }
    return result;
  }

  ModelSource source_;
  CompareTextsOptions options_;
  const Method& method_;
  const Grid& grid_;
  const ProgressSink& progress_;
  const LogSink& log_;
  Options settings_;
  Calibration own_, measured_;
  std::vector<Calibration> fitted_;
  std::vector<double> errors_;  // of each fitted text, summed over the matrices
  std::size_t matrices_ = 0;
};

}  // namespace

TextComparison compare_texts(const std::filesystem::path& model, const CompareTextsOptions& options,
                             const ProgressSink& progress, const LogSink& log) {
  return Comparison(model, options, progress, log).run();
}

}  // namespace nibble
