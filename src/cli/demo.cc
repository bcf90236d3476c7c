// nibble demo: what each method costs in size and quality, on the model that comes with the
// program, or on a chat model that is given.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/compute_options.h"
#include "cli/json_output.h"
#include "cli/table.h"
#include "nibble/error.h"
#include "nibble/evaluate.h"
#include "quantize/quantize.h"
#include "session/chat_session.h"
#include "session/running_model.h"

namespace nibble::cli {
namespace {

constexpr std::string_view kPrompt = "Once upon a time";
constexpr std::string_view kQuestion = "What is the capital of France? Answer in one sentence.";
constexpr std::size_t kTokens = 64;  // of each text
// Enough for a sensible answer at 4 bits, and written within a minute by a model of 135 M weights.
constexpr std::size_t kChatSamples = 32, kChatLength = 128;

struct Options {
  std::string model, text, chat;
};

struct Row {
  std::string name;
  std::uint64_t bytes = 0;
  double bits = 16;
  CompareResult result;
  double rate = 0;
  std::string sample;
};

// A folder for the outputs, removed at the end.
class WorkFolder {
 public:
  WorkFolder() {
    std::string name = (fs::temp_directory_path() / "nibble-demo-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr)
      throw Error(ErrorKind::kResource,
                  cat("cannot create a folder in ", fs::temp_directory_path().string()));
    path_ = name;
  }
  ~WorkFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

std::uint64_t weight_bytes(const fs::path& folder) {
  std::uint64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".safetensors") bytes += entry.file_size();
  return bytes;
}

GenerateOptions greedy() {
  GenerateOptions options;
  options.max_tokens = kTokens;
  options.sampler.temperature = 0;
  options.compute = Compute::kInt8;
  return options;
}

Written continued(const fs::path& model) {
  RunningModel running(model);
  running.prepare(greedy().compute);
  return running.write(kPrompt, greedy());
}

Written answered(const fs::path& model) {
  RunningModel running(model);
  running.prepare(greedy().compute);
  ChatSession session(running, find_chat_template(model), greedy(), StopStrings({}));
  return session.ask(std::string(kQuestion)).written;
}

// The demo's model stands two folders above the program in a build tree.
fs::path demo_folder() {
  const fs::path program = fs::read_symlink("/proc/self/exe").parent_path();
  for (const fs::path& candidate :
       {program / ".." / ".." / "assets" / "demo", program / ".." / "share" / "nibble" / "demo"})
    if (fs::exists(candidate / "config.json")) return fs::canonical(candidate);
  throw Error(ErrorKind::kNotFound, "the demo's model (assets/demo) is not beside the program",
              "name a model: nibble demo --model FOLDER --text FILE");
}

QuantizeOptions recipe(const std::string& method, int bits, std::size_t group, std::uint64_t seed) {
  QuantizeOptions options;
  options.method = method;
  options.grid = cat("int", bits);
  options.group_size = group;
  options.compute = parse_compute("auto");
  options.calibration.samples = 64;
  options.calibration.seed = seed;
  return options;
}

QuantizeResult make(const fs::path& model, const fs::path& out, const QuantizeOptions& options,
                    const Global& global) {
  QuantizeSinks sinks;
  sinks.progress = global.progress;
  return quantize_model(model, out, options, sinks, false);
}

std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n') c = ' ';
  return text;
}

void print_rows(const std::vector<Row>& rows, const fs::path& model, const Global& global) {
  if (global.json) {
    Json list = Json::array();
    for (const Row& row : rows)
      list.push_back({{"name", row.name},
                      {"bytes", row.bytes},
                      {"bits_per_weight", row.bits},
                      {"perplexity", row.result.perplexity},
                      {"mean_kl", row.result.mean_kl},
                      {"top1", row.result.top1},
                      {"tokens_per_second", row.rate},
                      {"sample", row.sample}});
    Json object = run_json(model);  // each step has the arithmetic that its command uses
    object["seed"] = global.seed;
    object["rows"] = std::move(list);
    object["protocol"] = rows.back().result.scope.protocol;
    print_json("nibble.demo/1", object);
    return;
  }
  Table table({"model", "size", "bits/weight", "perplexity", "mean KL", "same top-1", "tokens/s"});
  for (const Row& row : rows)
    table.add({row.name, human_bytes(row.bytes), fmt::format("{:.2f}", row.bits),
               fmt::format("{:.3f}", row.result.perplexity),
               fmt::format("{:.5f}", row.result.mean_kl),
               fmt::format("{:.1f} %", 100 * row.result.top1), fmt::format("{:.0f}", row.rate)});
  fmt::print("\n{}\n", table.text());
}

int run_table(const Options& options, const Global& global) {
  const fs::path model = options.model.empty() ? demo_folder() : global.model(options.model);
  const fs::path text = options.text.empty() ? model / "sample.txt" : fs::path(options.text);
  MeasureOptions measure;
  measure.protocol = "gptq-256";
  const WorkFolder work;

  std::vector<Row> rows(1);
  rows[0].name = "original";
  rows[0].bytes = weight_bytes(model);
  rows[0].result.top1 = 1;
  const Written original = continued(model);
  rows[0].rate = original.rate();
  rows[0].sample = original.text;
  for (const int bits : {4, 3, 2})
    for (const std::string method : {"rtn", "gptq"}) {
      const std::size_t group = bits == 2 ? 64 : 128;
      const fs::path out = work / cat(method, bits);
      const QuantizeResult made =
          make(model, out, recipe(method, bits, group, global.seed), global);
      Row row;
      row.name = cat(method, " ", bits, " bits, groups of ", group);
      row.bytes = weight_bytes(out);
      row.bits = made.plan.bits_per_weight;
      row.result = compare_models(model, out, text, measure);
      const Written written = continued(out);
      row.rate = written.rate();
      row.sample = written.text;
      rows[0].result.perplexity = row.result.perplexity_base;
      rows.push_back(std::move(row));
    }
  print_rows(rows, model, global);
  if (global.json) return 0;
  fmt::print(
      "perplexity and KL divergence: {} on {}; GPTQ calibrated on text the model wrote itself\n\n",
      measure.protocol, text.filename().string());
  fmt::print("\"{}\" continued, temperature 0:\n  original  {}\n  gptq 4    {}\n\n", kPrompt,
             one_line(rows[0].sample), one_line(rows[2].sample));
  fmt::print(
      "your own model:\n  nibble quantize MODEL OUT --calib notes.txt && nibble compare MODEL OUT "
      "--file test.txt\n");
  return 0;
}

int run_chat(const Options& options, const Global& global) {
  const fs::path model = global.model(options.chat);
  const WorkFolder work;
  const fs::path out = work / "gptq4";
  QuantizeOptions chat_recipe = recipe("gptq", 4, 64, global.seed);
  chat_recipe.calibration.samples = kChatSamples;
  chat_recipe.calibration.length = kChatLength;
  global.log(fmt::format("the original answers: {}", kQuestion));
  const Written before = answered(model);
  global.log(fmt::format(
      "the model writes {} texts of {} tokens to calibrate on, then GPTQ rounds it to 4 "
      "bits in groups of 64",
      kChatSamples, kChatLength));
  make(model, out, chat_recipe, global);
  global.log("the quantized model answers the same question");
  const Written after = answered(out);
  if (global.json) {
    Json object = run_json(model);
    object.update({{"seed", global.seed},
                   {"question", kQuestion},
                   {"original", before.text},
                   {"quantized", after.text},
                   {"bytes", weight_bytes(out)},
                   {"bytes_original", weight_bytes(model)}});
    print_json("nibble.demo_chat/1", object);
    return 0;
  }
  fmt::print("{}\n", kQuestion);
  fmt::print("  original ({})  {}\n", human_bytes(weight_bytes(model)), one_line(before.text));
  fmt::print("  gptq 4   ({})  {}\n", human_bytes(weight_bytes(out)), one_line(after.text));
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  app.add_option("--model", options->model, "Another model than the one that comes along");
  app.add_option("--text", options->text, "The text to measure on");
  app.add_option("--chat", options->chat, "Quantize this chat model and ask it a question instead");
  return [options, &global] {
    return options->chat.empty() ? run_table(*options, global) : run_chat(*options, global);
  };
}

}  // namespace

extern const Command demo_command{
    .name = "demo",
    .summary = "Show what 4, 3 and 2 bits cost, on a small model that comes along",
    .examples =
        "  nibble demo\n"
        "  nibble demo --chat FOLDER\n",
    .setup = setup,
};

}  // namespace nibble::cli
