// nibble bench: tokens per second, beside what the machine could do at best.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/json_output.h"
#include "cli/number_check.h"
#include "cli/quantize_options.h"
#include "cli/table.h"
#include "evaluate/speed.h"
#include "kernels/kernels.h"
#include "nibble/error.h"
#include "nn/panels/panel_product.h"

namespace nibble::cli {
namespace {

using Sizes = std::vector<std::size_t>;

struct Options {
  std::string model;
  Sizes prompts = {512}, generates = {128}, depths = {0}, parallels = {1}, sweep;
  std::size_t repetitions = 5;
  std::string compute = "int8", kv = "auto", output = "md";
};

struct Row {
  SpeedTest test;
  SpeedResult result;
  double mean = 0, deviation = 0;  // tokens per second
  double of_ceiling = 0;           // share
  const char* ceiling = "";
  std::string name() const {
    std::string text = test.prompt > 0 ? cat("pp", test.prompt) : cat("tg", test.generate);
    if (test.depth > 0) text += cat(" @ d", test.depth);
    if (test.parallel > 1) text += cat(" x ", test.parallel);
    return text;
  }
};

// A model file: its path, how large it is, how long it took to be ready.
struct Subject {
  std::string name, kind;
  double bytes = 0, parameters = 0, load_seconds = 0;
};

Row row_of(const SpeedTest& test, SpeedResult result, const Ceilings& ceilings, Compute compute) {
  Row row{test, std::move(result)};
  std::vector<double> rates;
  for (const double seconds : row.result.seconds)
    rates.push_back(static_cast<double>(row.result.tokens) / seconds);
  const auto count = static_cast<double>(rates.size());
  row.mean = std::accumulate(rates.begin(), rates.end(), 0.0) / count;
  for (const double rate : rates) row.deviation += (rate - row.mean) * (rate - row.mean);
  row.deviation = count > 1 ? std::sqrt(row.deviation / (count - 1)) : 0;
  const bool int8 =
      compute == Compute::kInt8 && multiplies_bytes(test.prompt > 0 ? test.prompt : test.parallel);
  const double arithmetic = int8 ? ceilings.int8_ops : ceilings.float_ops;
  const double by_products =
      row.mean * row.result.ops / static_cast<double>(row.result.tokens) / arithmetic;
  const double by_reading =
      row.mean / static_cast<double>(test.parallel) * row.result.bytes / ceilings.read_bytes;
  const bool reading = test.prompt == 0 && by_reading > by_products;
  row.of_ceiling = reading ? by_reading : by_products;
  row.ceiling = reading ? "read" : int8 ? "int8" : ceilings.float_name;
  return row;
}

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

Json json_of(const Row& row, const Subject& subject, const Ceilings& ceilings) {
  std::vector<std::int64_t> ns;
  std::vector<double> rates;
  for (const double seconds : row.result.seconds) {
    ns.push_back(static_cast<std::int64_t>(seconds * 1e9));
    rates.push_back(static_cast<double>(row.result.tokens) / seconds);
  }
  const double mean_ns =
      static_cast<double>(std::accumulate(ns.begin(), ns.end(), std::int64_t{0})) /
      static_cast<double>(ns.size());
  Json object = {{"build_number", NIBBLE_VERSION},
                 {"cpu_info", cpu_description()},
                 {"model_filename", subject.name},
                 {"model_type", subject.kind},
                 {"model_size", subject.bytes},
                 {"model_n_params", subject.parameters},
                 {"n_threads", threads()},
                 {"isa", kernels().name},
                 {"test", row.name()},
                 {"n_prompt", row.test.prompt},
                 {"n_gen", row.test.generate},
                 {"n_depth", row.test.depth},
                 {"n_parallel", row.test.parallel},
                 {"avg_ns", mean_ns},
                 {"avg_ts", row.mean},
                 {"stddev_ts", row.deviation},
                 {"samples_ns", ns},
                 {"samples_ts", rates},
                 {"load_seconds", subject.load_seconds},
                 {"of_ceiling", row.of_ceiling},
                 {"ceiling", row.ceiling},
                 {"ceiling_read_bytes_per_second", ceilings.read_bytes},
                 {"ceiling_int8_ops_per_second", ceilings.int8_ops},
                 {"ceiling_float_ops_per_second", ceilings.float_ops},
                 {"peak_memory_bytes", memory_use().peak_resident}};
  const auto& steps = row.result.token_seconds;
  if (!steps.empty()) {
    object["token_p50_ms"] = 1e3 * quantile(steps, 0.5);
    object["token_p95_ms"] = 1e3 * quantile(steps, 0.95);
    object["token_p99_ms"] = 1e3 * quantile(steps, 0.99);
  } else {
    object["first_token_ms"] = mean_ns / 1e6;
  }
  return object;
}

std::string milliseconds(double seconds) { return fmt::format("{:.1f}", 1e3 * seconds); }

void print_rows(const std::vector<Row>& rows, const Subject& subject, bool csv) {
  const std::vector<std::string> heads = {"model",          "size",   "params", "backend",
                                          "threads",        "test",   "t/s",    "of ceiling",
                                          "first token ms", "p50 ms", "p95 ms", "p99 ms"};
  const char* between = csv ? "," : " | ";
  const auto line = [&](const std::vector<std::string>& cells) {
    fmt::print("{}{}{}\n", csv ? "" : "| ", join(cells, between), csv ? "" : " |");
  };
  line(heads);
  if (!csv) line(std::vector<std::string>(heads.size(), "---"));
  for (const Row& row : rows) {
    const auto& steps = row.result.token_seconds;
    const auto percentile = [&](double share) {
      return steps.empty() ? std::string("-") : milliseconds(quantile(steps, share));
    };
    const double mean_seconds = static_cast<double>(row.result.tokens) / row.mean;
    line({subject.kind, fmt::format("{:.2f} MiB", subject.bytes / 1048576),
          fmt::format("{:.2f} M", subject.parameters / 1e6), cat("CPU ", kernels().name),
          cat(threads()), row.name(), fmt::format("{:.2f} ± {:.2f}", row.mean, row.deviation),
          fmt::format("{:.0f} % {}", 100 * row.of_ceiling, row.ceiling),
          steps.empty() ? milliseconds(mean_seconds) : std::string("-"), percentile(0.5),
          percentile(0.95), percentile(0.99)});
  }
}

int run(const Options& options, const Global& global) {
  if (options.output != "md" && options.output != "csv" && options.output != "json")
    throw Error(ErrorKind::kInvalidArgument, cat("-o ", options.output, ": unknown format"),
                "one of: md, csv, json");
  const Compute compute = parse_compute(options.compute);
  const KvType kv = parse_kv(options.kv, compute);
  const auto tests = tests_of(options);
  const Ceilings ceilings = measure_ceilings();
  const auto start = std::chrono::steady_clock::now();
  const ModelSource source(global.model(options.model));
  Transformer model(source);
  model.prepare(compute);
  const HyperParams& hyper = source.hyper();
  Subject subject;
  subject.load_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  subject.name = options.model;
  subject.kind = cat(source.spec().name, " ", model.kind());
  subject.bytes = static_cast<double>(model.weight_bytes());
  subject.parameters =
      static_cast<double>(model.block_weights()) +
      static_cast<double>(hyper.vocabulary * hyper.hidden) * (hyper.tied_head ? 1 : 2);
  std::vector<Row> rows;
  for (const SpeedTest& test : tests) {
    rows.push_back(row_of(test, measure_speed(model, test, options.repetitions, compute, kv),
                          ceilings, compute));
    global.log(fmt::format("{}: {:.2f} tokens/s", rows.back().name(), rows.back().mean));
  }
  if (options.output == "json" || global.json) {
    Json list = Json::array();
    for (const Row& row : rows) list.push_back(json_of(row, subject, ceilings));
    if (global.json)
      print_json("nibble.bench/1", {{"rows", list}});
    else
      fmt::print("{}\n", list.dump(2));
    return 0;
  }
  print_rows(rows, subject, options.output == "csv");
  global.log(
      fmt::format("{}; ceilings of {} threads: {:.1f} GB/s read, {:.2f} TOP/s int8, {:.2f} "
                  "TFLOP/s {}; loaded in {:.0f} ms; peak memory {:.0f} MiB",
                  cpu_description(), threads(), ceilings.read_bytes / 1e9, ceilings.int8_ops / 1e12,
                  ceilings.float_ops / 1e12, ceilings.float_name, 1e3 * subject.load_seconds,
                  static_cast<double>(memory_use().peak_resident) / 1048576));
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
  app.add_option("--compute", options->compute, "Arithmetic: int8, f32, bf16 or auto")
      ->capture_default_str();
  app.add_option("-o,--output", options->output, "md, csv or json")->capture_default_str();
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
