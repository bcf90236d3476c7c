// nibble distill: all weights of a model learn another model's predictions.
#include "cli/full_training.h"
#include "cli/number_check.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string model, output, teacher;
  FullFlags flags;
};

int run(Options& options, const Global& global) {
  options.flags.asked.teacher = global.model(options.teacher);
  return train_and_tell(global.model(options.model), options.output, options.flags, global,
                        "nibble.distill/1");
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  FullTrainingOptions& asked = options->flags.asked;
  app.add_option("MODEL", options->model, "The one that learns: pruned, or smaller")->required();
  app.add_option("OUT", options->output, "Folder of the trained model")->required();
  app.add_option("--teacher", options->teacher, "Whose predictions it learns")
      ->type_name("MODEL")
      ->required();
  app.add_option("-d,--data", asked.data, "Rows or prose that both read")
      ->type_name("FILE")
      ->required();
  app.add_option("--temperature", asked.temperature, "Of the predictions that are compared")
      ->check(number_from(0.1, 100))
      ->capture_default_str()
      ->group(kTrainingGroup);
  app.add_flag("--keep-zeros,!--no-keep-zeros", asked.keep_zeros,
               "weights that are 0 stay 0; default")
      ->group(kTrainingGroup);
  asked.keep_zeros = true;
  asked.learning_rate = 1e-4;
  declare(app, options->flags);
  return [options, &global] { return run(*options, global); };
}

}  // namespace

extern const Command distill_command{
    .name = "distill",
    .summary = "Train all weights from a teacher's predictions",
    .examples =
        "  nibble prune MODEL P --sparsity 0.5\n"
        "  nibble distill P OUT \\\n"
        "    --teacher MODEL --data text.txt\n",
    .setup = setup,
};

}  // namespace nibble::cli
