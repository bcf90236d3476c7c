// nibble calibrate: what quantization needs to know of a text, once for any number of outputs; or
// which of several texts to take.
#include "quantize/calibration/calibrate.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/calibration_options.h"
#include "cli/command.h"
#include "cli/json_output.h"
#include "cli/table.h"
#include "nibble/error.h"
#include "nibble/evaluate.h"
#include "quantize/calibration/compare_texts.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string model, output, own, method = CompareTextsOptions().method;
  CalibrationFlags calibration;
  bool force = false, resume = false, restart = false;
};

// How well the model predicts the windows that stand at a text's beginning. Null for what it wrote,
// and, with a note, for what is no text a second time: token windows, pipes.
Json perplexity_of(const std::filesystem::path& model, const std::string& file,
                   const Calibration& windows, const Global& global) {
  if (file.empty()) return nullptr;
  MeasureOptions measure;
  measure.protocol = cat("gptq-", windows.length);
  measure.windows = windows.samples;
  measure.log = [&](std::string_view line) { global.log(std::string(line)); };
  try {
    return measure_perplexity(model, file, measure).perplexity;
  } catch (const Error& error) {
    const ErrorKind kind = error.kind();
    if (kind != ErrorKind::kInvalidArgument && kind != ErrorKind::kUnsupported &&
        kind != ErrorKind::kCorruptFile)
      throw;
    global.log(cat("no perplexity of ", file, ": ", error.what()));
    return nullptr;
  }
}

struct Row {
  std::string file;  // empty: what the model writes
  const ComparedText* text;
  Json perplexity;
};

std::string name_of(const Row& row) { return row.file.empty() ? "self-written" : row.file; }

Json row_json(const Row& row) {
  return {{"name", name_of(row)},
          {"perplexity", row.perplexity},
          {"output_error", row.text->output_error},
          {"excess", row.text->excess},
          {"tokens_sha256", row.text->windows.hash}};
}

int compare(const Options& options, const Global& global) {
  if (!options.output.empty())
    throw Error(ErrorKind::kInvalidArgument,
                cat("--own compares texts and writes nothing; ", options.output, " was named"),
                "leave one of them out");
  const CalibrationOptions given = options_of(options.calibration, global.seed);
  for (const CalibrationFile& text : given.sources)
    if (text.weight != 1)
      throw Error(
          ErrorKind::kInvalidArgument,
          cat("--calib ", text.path.string(), ": with --own each text stands by itself, and ",
              "its weight would not be read"),
          "leave the weight out");
  CompareTextsOptions asked;
  asked.texts = given.sources;
  asked.own = {options.own, 1};
  asked.method = options.method;
  asked.samples = given.samples;
  asked.length = given.length;
  asked.seed = given.seed;
  asked.compute = compute_of(options.calibration);
  const auto model = global.model(options.model);
  const TextComparison result = compare_texts(model, asked, global.progress, global.log);
  std::vector<Row> rows;
  for (std::size_t t = 0; t < result.texts.size(); ++t)
    rows.push_back({asked.texts.empty() ? "" : asked.texts[t].path.string(), &result.texts[t], {}});
  for (Row& row : rows) row.perplexity = perplexity_of(model, row.file, row.text->windows, global);
  const Row own{options.own, &result.own,
                perplexity_of(model, options.own, result.own.windows, global)};
  const Row* best = &rows.front();
  for (const Row& row : rows)
    if (row.text->output_error < best->text->output_error) best = &row;
  if (global.json) {
    Json object = run_json(model, asked.compute);
    Json texts = Json::array();
    for (const Row& row : rows) texts.push_back(row_json(row));
    object.update({{"seed", global.seed},
                   {"method", asked.method},
                   {"grid", asked.grid},
                   {"samples", asked.samples},
                   {"seq_len", result.own.windows.length},
                   {"matrices", result.matrices},
                   {"texts", std::move(texts)},
                   {"own", row_json(own)},
                   {"best", name_of(*best)}});
    print_json("nibble.calibrate_compare/1", object);
    return 0;
  }
  Table table({"codes fitted to", "perplexity", "output error", "more"});
  std::vector<const Row*> all = {&own};
  for (const Row& row : rows) all.push_back(&row);
  for (const Row* row : all)
    table.add(
        {name_of(*row),
         row->perplexity.is_null() ? "" : fmt::format("{:.2f}", row->perplexity.get<double>()),
         fmt::format("{:.3e}", row->text->output_error),
         fmt::format("{:+.1f} %", 100 * row->text->excess)});
  fmt::print("{}", table.text());
  const double excess = best->text->excess;
  fmt::print(
      "calibrate with {}: on {} codes fitted to it lose {:.1f} % {} than codes fitted to "
      "other windows of that text\n",
      name_of(*best), options.own, std::fabs(100 * excess), excess < 0 ? "less" : "more");
  return 0;
}

int run(const Options& options, const Global& global) {
  if (!options.own.empty()) return compare(options, global);
  if (options.output.empty())
    throw Error(ErrorKind::kInvalidArgument, "calibrate was given no OUT",
                "name the file to write, NAME.gguf; or --own TEXT to compare calibration texts");
  CalibrateOptions asked;
  asked.calibration = options_of(options.calibration, global.seed);
  asked.compute = compute_of(options.calibration);
  asked.replace = options.force;
  if (options.resume) asked.resume = Resume::kRequired;
  if (options.restart) asked.resume = Resume::kNever;
  const auto model = global.model(options.model);
  const CalibrateResult result =
      calibrate_model(model, options.output, asked, global.progress, global.log);
  if (global.json) {
    Json object = run_json(model, asked.compute);
    object.update({{"seed", global.seed},
                   {"output", options.output},
                   {"bytes", result.bytes},
                   {"entries", result.entries},
                   {"resumed_layers", result.resumed_layers},
                   {"calibration", calibration_json(result.calibration)}});
    print_json("nibble.calibrate/1", object);
    return 0;
  }
  fmt::print("{}: {} of {} matrices' inputs, from {}, {} windows of {} tokens\n", options.output,
             human_bytes(result.bytes), result.entries, result.calibration.description,
             result.calibration.samples, result.calibration.length);
  fmt::print("next: nibble quantize {} OUT --stats {}\n", options.model, options.output);
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model, "Folder, GGUF file or org/name in the cache")->required();
  app.add_option("OUT", options->output, "NAME.gguf; not with --own");
  declare(app, options->calibration);
  const auto own = app.add_option("--own", options->own,
                                  "writes nothing: which --calib text stands best for this one");
  app.add_option("--method", options->method,
                 "with --own: rtn, gptq, …: what is fitted to the texts")
      ->capture_default_str()
      ->needs(own);
  app.add_flag("--force", options->force, "replace an existing file")->excludes(own);
  const auto resume =
      app.add_flag("--resume", options->resume, "go on from OUT.journal, and refuse to begin anew")
          ->excludes(own);
  app.add_flag("--restart", options->restart, "begin anew, whatever OUT.journal holds")
      ->excludes(resume)
      ->excludes(own);
  return [options, &global] { return run(*options, global); };
}

}  // namespace

extern const Command calibrate_command{
    .name = "calibrate",
    .summary = "Measure the inputs of all layers once, for any number of outputs",
    .examples =
        "  nibble calibrate MODEL s.gguf --calib t.txt\n"
        "  nibble quantize MODEL OUT --stats s.gguf\n"
        "  nibble calibrate MODEL --own me.txt \\\n"
        "    --calib a.txt --calib b.txt\n",
    .setup = setup,
};

}  // namespace nibble::cli
