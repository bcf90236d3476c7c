// nibble tokenize: text to token ids.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "base/text_file.h"
#include "cli/command.h"
#include "cli/json_output.h"
#include "model/open_tokenizer.h"
#include "nibble/error.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string model, file, text;
  bool no_special = false;
};

int run(const Options& options, const CLI::App& app, const Global& global) {
  const bool given = app.get_option("--text")->count() > 0;
  if (given != options.file.empty())
    throw Error(ErrorKind::kInvalidArgument, "tokenize needs one text: --file FILE or --text TEXT",
                "--file - reads from stdin");
  const std::string text = given ? options.text : read_text(options.file);
  const auto model = global.model(options.model);
  const auto tokenizer = open_tokenizer(model);
  const auto ids = tokenizer->encode(text, {.add_special = !options.no_special});
  if (global.json)
    print_json("nibble.tokenize/1", {{"model", model.string()}, {"ids", ids}});
  else
    fmt::print("{}\n", fmt::join(ids, " "));
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model, "Model, or a folder with its tokenizer files")
      ->required();
  app.add_option("--file", options->file, "Text to read as it stands; - is stdin");
  app.add_option("--text", options->text, "Text as it stands here");
  app.add_flag("--no-special", options->no_special, "No special tokens around the text");
  return [options, &app, &global] { return run(*options, app, global); };
}

}  // namespace

extern const Command tokenize_command{
    .name = "tokenize",
    .summary = "Turn text into token ids",
    .examples =
        "  nibble tokenize MODEL --file test.txt --json\n"
        "  nibble tokenize MODEL --text \"Once upon a time\" --no-special\n",
    .setup = setup,
};

}  // namespace nibble::cli
