// nibble pretrain: a new small model from a text.
#include "base/text.h"
#include "cli/full_training.h"
#include "cli/number_check.h"
#include "nibble/error.h"
#include "train/full/new_model.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string output;
  NewModelOptions model;
  bool untied = false;
  FullFlags flags;
};

int run(Options& options, const Global& global) {
  options.model.tied_head = !options.untied;
  options.model.seed = global.seed;
  options.model.replace = true;
  if (std::filesystem::exists(options.output) && !options.flags.asked.replace)
    throw Error(ErrorKind::kInvalidArgument, cat(options.output, " is there already"),
                "choose another output, or --force to replace it");
  if (const auto& data = options.flags.asked.data; data != "-" && !std::filesystem::exists(data))
    throw Error(ErrorKind::kNotFound, cat("--data ", data.string(), ": there is no such file"));
  // The same bytes each time, so a run that goes on begins with what it began with.
  const std::filesystem::path start = options.output + ".start";
  struct Removed {
    std::filesystem::path folder;
    ~Removed() {
      std::error_code ignored;
      std::filesystem::remove_all(folder, ignored);
    }
  };
  make_new_model(start, options.model, global.progress);
  const Removed removed{start};
  return train_and_tell(start, options.output, options.flags, global, "nibble.pretrain/1");
}

void declare_model(CLI::App& app, Options& options) {
  NewModelOptions& model = options.model;
  const auto add = [&](const char* names, auto& value, const char* help) {
    return app.add_option(names, value, help)->capture_default_str()->group("Model");
  };
  add("--architecture", model.architecture, "As config.json's model_type; default: the plainest");
  add("--hidden", model.hidden, "Width of the hidden states")->check(whole_number(1, 1 << 16));
  add("--layers", model.layers, "Decoder blocks")->check(whole_number(1, 1 << 12));
  add("--heads", model.heads, "Query heads")->check(whole_number(1, 1 << 12));
  add("--kv-heads", model.kv_heads, "Heads of keys and values; 0: as many")
      ->check(whole_number(0, 1 << 12));
  add("--mlp-hidden", model.mlp_hidden, "Width of the MLP; 0: 8/3 of --hidden")
      ->check(whole_number(0, 1 << 18));
  add("--context", model.context, "Positions it is made for")->check(whole_number(2, 1 << 20));
  app.add_flag("--untied", options.untied, "embedding and head are two matrices")->group("Model");
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  FullTrainingOptions& asked = options->flags.asked;
  app.add_option("OUT", options->output, "Folder of the new model")->required();
  app.add_option("-d,--data", asked.data, "Prose or rows to learn from")
      ->type_name("FILE")
      ->required();
  app.add_option("--tokenizer", options->model.tokenizer,
                 "Folder or tokenizer.json (nibble train-tokenizer makes one)")
      ->type_name("PATH")
      ->required();
  declare_model(app, *options);
  asked.learning_rate = 2e-3;
  asked.adamw.beta2 = 0.95;
  asked.adamw.weight_decay = 0.1;
  asked.batch = 16;
  asked.validation_share = 0.005;
  declare(app, options->flags);
  return [options, &global] { return run(*options, global); };
}

}  // namespace

extern const Command pretrain_command{
    .name = "pretrain",
    .summary = "Train a new small model from a text",
    .examples =
        "  nibble train-tokenizer t.txt --out TOK\n"
        "  nibble pretrain OUT --data t.txt \\\n"
        "    --tokenizer TOK --hidden 256\n",
    .setup = setup,
};

}  // namespace nibble::cli
