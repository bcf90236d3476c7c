// nibble convert: codes from one layout into another, weights that lie on a grid into its codes,
// GGUF files into others or folders, without loss.
#include "quantize/convert/convert.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"
#include "cli/compute_options.h"
#include "cli/grid_words.h"
#include "cli/json_output.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string model, output, layout, dialect, grid, group_size, max_part, max_shard = "5GB";
  bool force = false;
};

// ": 126 Q4_0, 14 Q8_0"
std::string grids_text(const ConvertResult& result) {
  if (result.grids.empty()) return {};
  std::vector<std::string> parts;
  for (const auto& [grid, count] : result.grids) parts.push_back(cat(count, " ", grid));
  return cat(" once rounded to its type: ", join(parts, ", "));
}

int run(const Options& options, const Global& global) {
  ConvertOptions asked;
  asked.layout = options.layout;
  asked.dialect = options.dialect;
  asked.grid.grid = options.grid;
  if (!options.group_size.empty())
    asked.grid.group_size = parse_group("--group-size", options.group_size);
  asked.replace = options.force;
  asked.max_shard_bytes = parse_size("--max-shard-size", options.max_shard);
  if (!options.max_part.empty()) asked.max_part_bytes = parse_part_size(options.max_part);
  const auto model = global.model(options.model);
  const ConvertResult result =
      convert_model(model, options.output, asked, global.progress, global.log);
  if (global.json) {
    print_json("nibble.convert/1",
               {{"model", model.string()},
                {"output", result.output.string()},
                {"from", result.from},
                {"layout", result.to.empty() ? Json(nullptr) : Json(result.to)},
                {"dialect", result.dialect.empty() ? Json(nullptr) : Json(result.dialect)},
                {"modules", result.modules},
                {"grids", result.from == "dense" ? Json(result.grids) : Json(nullptr)},
                {"input_bytes", result.input_bytes},
                {"output_bytes", result.output_bytes}});
    return 0;
  }
  fmt::print("{}: {} -> {}{}, {} -> {}\n{}every weight as before{}\n", result.output.string(),
             result.from, result.to.empty() ? "folder" : result.to,
             result.dialect.empty() ? "" : cat(" (", result.dialect, ")"),
             human_bytes(result.input_bytes), human_bytes(result.output_bytes),
             result.modules == 0 ? "" : cat(result.modules, " quantized modules, "),
             grids_text(result));
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model,
                 "Quantized folder, folder of weights on a grid, or GGUF file")
      ->required();
  app.add_option("OUT", options->output, "Folder to create, or NAME.gguf")->required();
  app.add_option("--layout", options->layout,
                 "how the output stores codes (nibble formats lists them); default: gguf for "
                 "NAME.gguf");
  app.add_option("--checkpoint-format,--type", options->dialect,
                 "dialect of the layout, or type of a GGUF file; default: what keeps every weight");
  app.add_option("--grid", options->grid,
                 "of unquantized weights: the only grid to look for; default: all of the layout");
  app.add_option("--group-size", options->group_size,
                 "of unquantized weights: the only group size to look for; -1: a whole row");
  app.add_option("--max-shard-size", options->max_shard, "largest output file")
      ->capture_default_str();
  app.add_option("--split-max-size", options->max_part,
                 "of a GGUF file: several, NAME-00001-of-00003.gguf, with so many bytes of tensors "
                 "at most: 2G, 500M (llama-gguf-split's units)");
  app.add_flag("--force", options->force, "replace an existing output");
  return [options, &global] { return run(*options, global); };
}

}  // namespace

extern const Command convert_command{
    .name = "convert",
    .summary = "Move weights to another layout, file or folder, without loss",
    .examples =
        "  nibble convert GPTQ_MODEL OUT --layout compressed-tensors\n"
        "  nibble convert GPTQ_MODEL OUT --layout awq\n"
        "  nibble convert GPTQ_MODEL model.gguf\n"
        "  nibble convert QAT_MODEL model.gguf\n"
        "  nibble convert F16.gguf FOLDER\n",
    .setup = setup,
};

}  // namespace nibble::cli
