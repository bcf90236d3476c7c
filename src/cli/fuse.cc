// nibble fuse: a model and its LoRA adapter as one model.
#include "quantize/convert/fuse.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"
#include "cli/compute_options.h"
#include "cli/json_output.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string model, adapter, output, shard_size;
  FuseOptions asked;
};

int run(Options& options, const Global& global) {
  if (!options.shard_size.empty())
    options.asked.max_shard_bytes = parse_size("--max-shard-size", options.shard_size);
  const auto model = global.model(options.model);
  const FuseResult result =
      fuse(model, options.adapter, options.output, options.asked, global.progress, global.log);
  if (global.json) {
    Json object = run_json(model);
    object.update({{"adapter", options.adapter},
                   {"output", options.output},
                   {"fused", result.fused},
                   {"unpacked", result.unpacked},
                   {"untied", result.untied},
                   {"bytes", result.bytes}});
    print_json("nibble.fuse/1", object);
    return 0;
  }
  fmt::print("{}: {} matrices with their additions, {}{}\n", options.output, result.fused,
             human_bytes(result.bytes),
             result.untied ? "; embedding and head are two matrices now" : "");
  if (result.unpacked > 0)
    fmt::print("{} packed matrices are written as the floats they stood for\n", result.unpacked);
  fmt::print("next: nibble compare {} {} --lora {} --file TEXT; nibble quantize {} OUT\n",
             options.output, options.model, options.adapter, options.output);
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model, "Folder, GGUF file or org/name in the cache")->required();
  app.add_option("ADAPTER", options->adapter, "PEFT folder, as finetune writes it")->required();
  app.add_option("OUT", options->output, "Folder of the model with 16-bit weights")->required();
  app.add_option("--max-shard-size", options->shard_size, "bytes in a file; default: 5GB");
  app.add_flag("--force", options->asked.replace, "replace an existing output");
  return [options, &global] { return run(*options, global); };
}

}  // namespace

extern const Command fuse_command{
    .name = "fuse",
    .summary = "Write a model and its LoRA adapter as one model",
    .examples =
        "  nibble fuse MODEL ADAPTER OUT\n"
        "  nibble quantize OUT OUT-int4\n",
    .setup = setup,
};

}  // namespace nibble::cli
