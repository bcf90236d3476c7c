// nibble generate: continues a prompt.
#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/text_file.h"
#include "cli/command.h"
#include "cli/generation_options.h"
#include "cli/json_output.h"
#include "nibble/error.h"
#include "session/running_model.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string model, prompt, file;
  GenerationFlags flags;
};

std::string prompt_of(const Options& options, const CLI::App& app) {
  const bool typed = app.get_option("--prompt")->count() > 0;
  if (typed && !options.file.empty())
    throw Error(ErrorKind::kInvalidArgument, "--prompt and --file exclude each other");
  if (typed) return options.prompt == "-" ? read_text("-") : options.prompt;
  if (!options.file.empty()) return read_text(options.file);
  if (isatty(STDIN_FILENO) != 0)
    throw Error(ErrorKind::kInvalidArgument, "there is no prompt",
                "give one with -p TEXT, -f FILE or on stdin");
  return read_text("-");
}

int run(const Options& options, const CLI::App& app, const Global& global) {
  const Compute compute = compute_of(options.flags);
  const StopStrings stops(options.flags.stop);  // refuses before the model is loaded
  const std::filesystem::path folder = global.model(options.model);
  const std::string prompt = prompt_of(options, app);
  RunningModel model(folder, options.flags.lora);
  global.log_all(model.source().notes());
  model.prepare(compute);
  if (const std::string note = model.transformer().note_on(compute); !note.empty())
    global.log(note);
  const GenerationSettings settings = settings_of(options.flags, app, model.settings());
  const GenerateOptions generate_options =
      options_of(options.flags, settings, model.source().hyper().context, global.seed);
  const auto on_text = [&](std::string_view piece) {
    if (global.json) return;
    fmt::print("{}", piece);
    std::fflush(stdout);
  };
  const Written written = model.write(prompt, generate_options, on_text, stops);
  if (global.json) {
    Json object = run_json(model.source().path(), compute);
    object.update(json_of(written, settings, generate_options));
    object["text"] = written.text;
    print_json("nibble.generate/1", std::move(object));
  } else {
    on_text("\n");
  }
  global.log(fmt::format("{} prompt tokens, {:.1f} tokens/s; {} generated, {:.1f} tokens/s{}",
                         written.prompt_tokens, written.prompt_rate(), written.generated.ids.size(),
                         written.rate(), seed_text(settings, global)));
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model, "Folder or org/name in the cache")->required();
  app.add_option("-p,--prompt", options->prompt, "Text to continue; - is stdin");
  app.add_option("-f,--file", options->file, "File to continue; - is stdin")->type_name("FILE");
  declare(app, options->flags);
  return [options, &app, &global] { return run(*options, app, global); };
}

}  // namespace

extern const Command generate_command{
    .name = "generate",
    .summary = "Continue a prompt",
    .examples =
        "  nibble generate MODEL -p \"Once upon a time\" -n 64\n"
        "  nibble generate MODEL -f prompt.txt --temp 0\n",
    .setup = setup,
    .draws_seed = true,
};

}  // namespace nibble::cli
