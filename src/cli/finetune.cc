// nibble finetune: a low-rank adapter trained on a frozen model, as a PEFT folder.
#include "train/finetune.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/number.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/compute_options.h"
#include "cli/json_output.h"
#include "cli/number_check.h"
#include "cli/option_table.h"
#include "cli/table.h"
#include "cli/training_options.h"
#include "nibble/error.h"
#include "train/packed_base.h"

namespace nibble::cli {
namespace {

constexpr int kMostRank = 1 << 16;

struct Options {
  std::string model, output, compute = "auto", targets = "all-linear", ranks = "16";
  FinetuneOptions asked;
  ResumeFlags resume;
};

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    std::string word = text.substr(at, comma - at);
    word.erase(0, word.find_first_not_of(' '));
    word.erase(word.find_last_not_of(' ') + 1);
    words.push_back(std::move(word));
    at = comma + 1;
  }
  return words;
}

std::vector<std::string> targets_of(const std::string& text) {
  return text == "all-linear" ? std::vector<std::string>() : words_of(text);
}

// "16", or several: "4,8,16".
std::vector<std::size_t> ranks_of(const std::string& text) {
  std::vector<std::size_t> ranks;
  for (const std::string& word : words_of(text)) {
    const auto rank = parse_number(word);
    if (!rank || *rank != std::floor(*rank) || *rank < 1 || *rank > kMostRank)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("--rank \"", text, "\": ranks are whole numbers from 1 to ", kMostRank),
                  "for example --rank 16, or --rank 4,8,16 to compare");
    if (std::find(ranks.begin(), ranks.end(), static_cast<std::size_t>(*rank)) == ranks.end())
      ranks.push_back(static_cast<std::size_t>(*rank));
  }
  return ranks;
}

std::string share_of(std::size_t part, std::size_t whole) {
  return fmt::format("{:.2f} %", 100 * static_cast<double>(part) / static_cast<double>(whole));
}

std::vector<std::string> plan_lines(const FinetunePlan& plan) {
  return {
      cat("plan: ", plan.samples, " samples, ", plan.validation_samples, " held out; ", plan.steps,
          " steps, ", plan.tokens, " tokens, of which ", plan.learnt_tokens, " are learnt"),
      cat("      ", plan.trained_values, " numbers are trained, ",
          share_of(plan.trained_values, plan.base_values), " of those in the layers; memory ",
          human_bytes(plan.memory), ", beside the program and mapped files")};
}

Json json_of(const FinetuneResult& result, const std::string& output) {
  Json object = {{"output", output}, {"trained_values", result.plan.trained_values}};
  object.update(loop_json(result));
  return object;
}

void print_one(const FinetuneResult& result, const Options& options) {
  fmt::print("{}: {} of {} steps, loss {:.4f}", options.output, result.steps, result.plan.steps,
             result.loss);
  if (result.validation_before && result.validation)
    fmt::print(", held-out loss {:.4f} -> {:.4f}", *result.validation_before,
               options.asked.patience > 0 ? *result.validation_best : *result.validation);
  if (result.best_step != result.steps)
    fmt::print(" after step {}, whose adapter it is", result.best_step);
  fmt::print("; {:.1f} tokens/s\n", tokens_per_second(result));
  fmt::print("next: nibble generate {} --lora {} -p …\n", options.model, options.output);
}

// One adapter for each rank, OUT-r4, OUT-r8, …
int compare_ranks(const Options& options, const std::vector<std::size_t>& ranks,
                  const std::filesystem::path& model, const Global& global) {
  Table table({"rank", "trained", "memory", "seconds", "loss", "held-out loss", "adapter"});
  Json rows = Json::array();
  for (const std::size_t rank : ranks) {
    FinetuneOptions asked = options.asked;
    asked.lora.rank = rank;
    asked.take_finished = !asked.replace;
    const std::string output = cat(options.output, "-r", rank);
    const FinetuneResult result =
        finetune(model, output, asked, global.progress, global.log,
                 [&](const FinetunePlan& plan) { global.log_all(plan_lines(plan)); });
    table.add({cat(rank), share_of(result.plan.trained_values, result.plan.base_values),
               human_bytes(result.plan.memory), fmt::format("{:.1f}", result.seconds),
               fmt::format("{:.4f}", result.loss),
               result.validation ? fmt::format("{:.4f}", *result.validation) : "", output});
    Json row = json_of(result, output);
    row["rank"] = rank;
    row["planned_memory"] = result.plan.memory;
    rows.push_back(std::move(row));
  }
  if (global.json) {
    Json object = run_json(model, options.asked.compute);
    object.update({{"seed", global.seed}, {"ranks", std::move(rows)}});
    print_json("nibble.finetune_ranks/1", object);
    return 0;
  }
  fmt::print("{}", table.text());
  return 0;
}

int run(Options& options, const Global& global) {
  options.asked.lora.seed = global.seed;
  options.asked.lora.targets = targets_of(options.targets);
  options.asked.compute = parse_compute(options.compute);
  options.asked.base_name = options.model;
  options.asked.resume = options.resume.asked();
  const auto ranks = ranks_of(options.ranks);
  const auto model = global.model(options.model);
  if (ranks.size() > 1) return compare_ranks(options, ranks, model, global);
  options.asked.lora.rank = ranks.front();
  const FinetuneResult result =
      finetune(model, options.output, options.asked, global.progress, global.log,
               [&](const FinetunePlan& plan) { global.log_all(plan_lines(plan)); });
  if (!global.json) {
    print_one(result, options);
    return 0;
  }
  Json object = run_json(model, options.asked.compute);
  object["seed"] = global.seed;
  object.update(json_of(result, options.output));
  print_json("nibble.finetune/1", object);
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  FinetuneOptions& asked = options->asked;
  app.add_option("MODEL", options->model,
                 "Folder, GGUF file or org/name in the cache; packed or not")
      ->required();
  app.add_option("OUT", options->output, "Folder of the adapter")->required();
  app.add_option("-d,--data", asked.data, "Rows (messages; prompt, completion; text) or prose")
      ->type_name("FILE")
      ->required();
  app.add_option("-r,--rank", options->ranks,
                 "Rank of the additions; several, 4,8,16, are trained one by one and compared")
      ->capture_default_str();
  app.add_option("--alpha", asked.lora.alpha, "They are multiplied with alpha / rank")
      ->check(number_from(1e-6, 1e9))
      ->capture_default_str();
  app.add_flag("--rslora", asked.lora.rank_stabilized, "with alpha / sqrt(rank) instead");
  app.add_flag("--dora", asked.lora.magnitude, "DoRA: train the lengths of rows too");
  app.add_option("--target-modules", options->targets, "all-linear, or q_proj,v_proj,…")
      ->capture_default_str();
  app.add_option("--base", asked.base,
                 "QLoRA: pack the frozen model first: " + join(packed_bases(), ", "))
      ->type_name("GRID");
  app.add_option(
         "--compute", options->compute,
         "Arithmetic: f32, bf16, or int8 for the products of a packed base; auto: bf16 where the "
         "CPU has it")
      ->capture_default_str()
      ->group(kArithmeticGroup);
  declare(app, asked);
  declare_length(app, asked);
  app.add_flag("--force", asked.replace, "replace an existing output");
  declare_resume(app, options->resume);
  return [options, &global] { return run(*options, global); };
}

}  // namespace

extern const Command finetune_command{
    .name = "finetune",
    .summary = "Train a LoRA adapter, on a packed model too (QLoRA)",
    .examples =
        "  nibble finetune MODEL OUT --data d.jsonl\n"
        "  nibble finetune MODEL OUT --base nf4 \\\n"
        "    --data chat.jsonl --rank 16\n"
        "  nibble generate MODEL --lora OUT -p …\n",
    .setup = setup,
};

}  // namespace nibble::cli
