// nibble bench: tokens per second, beside what the machine could do at best.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/text.h"
#include "cli/bench_report.h"
#include "cli/command.h"
#include "cli/compute_options.h"
#include "cli/json_output.h"
#include "cli/number_check.h"
#include "kernels/kernels.h"
#include "nibble/error.h"
#include "nn/panels/panel_ranges.h"

namespace nibble::cli {
namespace {

using Sizes = std::vector<std::size_t>;

constexpr int kMostCeilings = 3;  // measurements, while a test is above them

struct Options {
  std::string model;
  Sizes prompts = {512}, generates = {128}, depths = {0}, parallels = {1}, sweep;
  std::size_t repetitions = 5;
  std::string compute = "int8", kv = "auto", output = "table";
};

std::vector<SpeedTest> tests_of(const Options& options) {
  std::vector<SpeedTest> tests;
  const Sizes& depths = options.sweep.empty() ? options.depths : options.sweep;
  for (const std::size_t depth : depths) {
    for (const std::size_t prompt : options.prompts)
      if (prompt > 0) tests.push_back({.prompt = prompt, .depth = depth});
    for (const std::size_t generate : options.generates)
      for (const std::size_t parallel : options.parallels)
        if (generate > 0)
          tests.push_back({.generate = generate, .depth = depth, .parallel = parallel});
  }
  if (tests.empty())
    throw Error(ErrorKind::kInvalidArgument, "there is nothing to measure: -p 0 -n 0");
  return tests;
}

BenchReport measure(const Options& options, const Global& global) {
  const Compute compute = parse_compute(options.compute);
  const KvType kv = parse_kv(options.kv, compute);
  const auto tests = tests_of(options);
  BenchReport report;
  report.ceilings = measure_ceilings();
  const auto start = std::chrono::steady_clock::now();
  const ModelSource source(global.model(options.model));
  global.log_all(source.notes());
  Transformer model(source);
  model.prepare(compute);
  if (const std::string note = model.note_on(compute); !note.empty()) global.log(note);
  const HyperParams& hyper = source.hyper();
  report.load_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  report.model = source.path().string();
  report.kind = cat(source.spec().name, " ", model.kind());
  report.bytes = model.weight_bytes();
  report.parameters =
      model.block_weights() + hyper.vocabulary * hyper.hidden * (hyper.tied_head ? 1 : 2);
  report.compute = name_of(compute);
  report.kv = nibble::name_of(kv);
  report.instruction_set = kernels().name;
  report.threads = threads();
  for (const SpeedTest& test : tests) {
    const bool int8 = (compute == Compute::kInt8 || compute == Compute::kLlmInt8) &&
                      multiplies_bytes(test.prompt > 0 ? test.prompt : test.parallel);
    report.rows.push_back(
        bench_row(test, measure_speed(model, test, options.repetitions, compute, kv), int8));
    global.log(
        fmt::format("{}: {:.2f} tokens/s", report.rows.back().name(), report.rows.back().mean));
  }
  while (report.exceeds_ceilings() && report.ceiling_measurements < kMostCeilings) {
    report.ceilings = highest(report.ceilings, measure_ceilings());
    ++report.ceiling_measurements;
  }
  report.peak_memory = memory_use().peak_resident;
  return report;
}

int run(const Options& options, const Global& global) {
  static const std::vector<std::string> kOutputs = {"table", "md", "csv", "json"};
  const std::string output = global.json ? "json" : options.output;
  if (std::find(kOutputs.begin(), kOutputs.end(), output) == kOutputs.end())
    throw Error(ErrorKind::kInvalidArgument, cat("-o ", output, ": unknown format"),
                cat("one of: ", join(kOutputs, ", ")));
  const BenchReport report = measure(options, global);
  if (output == "json") {
    print_json("nibble.bench/1", json_of(report));
    return 0;
  }
  fmt::print("{}", output == "csv"  ? csv_text(report)
                   : output == "md" ? markdown_text(report)
                                    : table_text(report));
  const Ceilings& ceilings = report.ceilings;
  global.log(fmt::format(
      "{}; ceilings of {} threads: {:.1f} GB/s read, {:.2f} TOP/s int8, {:.2f} TFLOP/s {}; loaded "
      "in {:.0f} ms; peak memory {:.0f} MiB",
      cpu_description(), report.threads, ceilings.read_bytes / 1e9, ceilings.int8_ops / 1e12,
      ceilings.float_ops / 1e12, ceilings.float_name, 1e3 * report.load_seconds,
      static_cast<double>(report.peak_memory) / 1048576));
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  const auto list = [&](const char* name, Sizes& sizes, const char* help) {
    app.add_option(name, sizes, help)
        ->delimiter(',')
        ->check(whole_number(0, 1 << 20))
        ->capture_default_str();
  };
  app.add_option("MODEL", options->model, "Folder, file or org/name in the cache")->required();
  list("-p,--n-prompt", options->prompts, "Prompt lengths, with commas between; 0: none");
  list("-n,--n-gen", options->generates, "Tokens to generate; 0: none");
  list("-d,--n-depth", options->depths, "Tokens already in the cache");
  list("--parallel", options->parallels, "Sequences generated together");
  list("--sweep", options->sweep, "Every test at each of these depths");
  app.add_option("-r,--repetitions", options->repetitions, "Runs of each test")
      ->check(whole_number(1, 1000))
      ->capture_default_str();
  app.add_option("--kv", options->kv,
                 "Type of the cache of keys and values: auto, f32, f16, bf16 or q8_0")
      ->capture_default_str();
  app.add_option("--compute", options->compute, "Arithmetic: int8, llm.int8, f32, bf16 or auto")
      ->capture_default_str();
  app.add_option("-o,--output", options->output, "table, md, csv or json (as --json)")
      ->capture_default_str();
  return [options, &global] { return run(*options, global); };
}

}  // namespace

extern const Command bench_command{
    .name = "bench",
    .summary = "Tokens per second, beside the machine's ceilings",
    .examples =
        "  nibble bench MODEL\n"
        "  nibble bench MODEL -p 512 -n 64 -r 3 -o json\n"
        "  nibble bench MODEL -p 0 -n 64 --parallel 1,2,4,8,16\n",
    .setup = setup,
};

}  // namespace nibble::cli
