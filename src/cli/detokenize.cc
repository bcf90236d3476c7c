// nibble detokenize: token ids to text.
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/text_file.h"
#include "cli/command.h"
#include "cli/json_output.h"
#include "model/open_tokenizer.h"
#include "nibble/error.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string model, ids, file;
  bool special = false;
};

// Numbers with commas or white space between them; brackets, as tokenize --json prints, are white
// space too.
std::vector<std::int32_t> parse_ids(std::string_view text) {
  static constexpr std::string_view kBetween = ", \t\r\n[]";
  std::vector<std::int32_t> ids;
  for (auto begin = text.find_first_not_of(kBetween); begin != text.npos;
       begin = text.find_first_not_of(kBetween, begin)) {
    const std::string_view word = text.substr(begin, text.find_first_of(kBetween, begin) - begin);
    std::int32_t id = 0;
    const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (problem != std::errc() || end != word.data() + word.size())
      throw Error(ErrorKind::kInvalidArgument,
                  cat("\"", word.substr(0, 40), "\" is not a token id"), "write ids as 1,2,3");
    ids.push_back(id);
    begin += word.size();
  }
  return ids;
}

int run(const Options& options, const CLI::App& app, const Global& global) {
  const bool given = app.get_option("--ids")->count() > 0;
  if (given != options.file.empty())
    throw Error(ErrorKind::kInvalidArgument, "detokenize needs ids: --ids 1,2,3 or --file FILE",
                "--file - reads from stdin");
  const auto ids = parse_ids(given ? options.ids : read_text(options.file));
  const auto model = global.model(options.model);
  const auto tokenizer = open_tokenizer(model);
  for (const std::int32_t id : ids)
    if (id < 0 || id >= tokenizer->vocabulary_size())
      throw Error(ErrorKind::kInvalidArgument,
                  cat("token id ", id, " is outside the vocabulary: ids go from 0 to ",
                      tokenizer->vocabulary_size() - 1));
  const std::string text = tokenizer->decode(ids, !options.special);
  if (global.json)
    print_json("nibble.detokenize/1", {{"model", model.string()}, {"text", text}});
  else
    fmt::print("{}{}", text, isatty(STDOUT_FILENO) != 0 ? "\n" : "");
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model, "Model, or a folder with its tokenizer files")
      ->required();
  app.add_option("--ids", options->ids, "Token ids: 1,2,3");
  app.add_option("--file", options->file, "Token ids to read; - is stdin");
  app.add_flag("--special", options->special, "Show special tokens");
  return [options, &app, &global] { return run(*options, app, global); };
}

}  // namespace

extern const Command detokenize_command{
    .name = "detokenize",
    .summary = "Turn token ids into text",
    .examples =
        "  nibble detokenize MODEL --ids 46,1285,611\n"
        "  nibble tokenize MODEL --file a.txt | nibble detokenize MODEL --file -\n",
    .setup = setup,
};

}  // namespace nibble::cli
