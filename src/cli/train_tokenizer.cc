// nibble train-tokenizer: byte-level BPE merges learnt from texts.
#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/staged.h"
#include "base/text.h"
#include "base/text_file.h"
#include "checkpoint/model_writer.h"
#include "checkpoint/output_folder.h"
#include "cli/command.h"
#include "cli/json_output.h"
#include "model/data_row.h"
#include "model/documents.h"
#include "nibble/error.h"
#include "tokenizer/training/trained_files.h"

namespace nibble::cli {
namespace {

using tokenizer::WordCounts;

constexpr std::size_t kRowBytesAtOnce = 32u << 20;
constexpr const char* kStandardSpecial = "<|endoftext|>";

struct Options {
  std::vector<std::string> texts, special;
  std::string output;
  std::size_t vocabulary_size = 4096;
  std::uint64_t min_frequency = 0;
  tokenizer::TokenRoles roles;
  bool no_special = false, across_lines = false, force = false;
};

struct Read {
  WordCounts words;
  std::uint64_t bytes = 0;
  Json files = Json::object();  // {"name": sum}, for the passport
};

// Each row of a data set is a text of its own.
void read_rows(std::string_view text, const std::string& name, Read& read, const Global& global) {
  DataRows rows(text);
  LeftOut left_out;
  std::vector<std::string> texts;
  std::size_t count = 0, bytes = 0;
  const auto flush = [&] {
    tokenizer::count_words(texts, read.words);
    read.bytes += bytes;
    texts.clear();
    bytes = 0;
  };
  while (const auto row = rows.next()) {
    ++count;
    try {
      texts.push_back(joined_text(read_data_row(row->value)));
      bytes += texts.back().size();
    } catch (const Error& error) {
      left_out.add(row->line, error);
    }
    if (bytes >= kRowBytesAtOnce) flush();
  }
  flush();
  left_out.refuse_nothing(count);
  if (left_out.count() > 0) global.log(cat(name, ": ", left_out.note(count)));
}

Read read_texts(const Options& options, const Global& global) {
  Read read;
  for (const std::string& path : options.texts) {
    const TextFile file(path, [&] { global.log("waiting for the text on stdin"); });
    const auto cut = options.across_lines ? tokenizer::TextCut::kNone : tokenizer::TextCut::kLines;
    if (holds_documents(file.text())) {
      with_context(file.name(), [&] { read_rows(file.text(), file.name(), read, global); });
    } else {
      if (const std::string note = table_as_prose(path); !note.empty())
        global.log(cat(path, ": ", note));
      tokenizer::count_words(file.text(), cut, read.words, global.progress);
      read.bytes += file.text().size();
    }
  }
  return read;
}

bool names_a_file(const Options& options) {
  return std::filesystem::path(options.output).extension() == ".json";
}

// Where the output cannot be written, that is told before any work.
void check_file(const Options& options) {
  const std::filesystem::path path = options.output;
  refuse_dangling_link(path);
  if (std::filesystem::is_directory(path))
    throw Error(ErrorKind::kInvalidArgument, cat(options.output, ": is a folder"));
  if (!options.force && std::filesystem::exists(path))
    throw Error(ErrorKind::kInvalidArgument, cat(options.output, ": is there already"),
                "--force replaces it");
  for (const std::string& text : options.texts)
    if (std::filesystem::exists(path) && text != "-" && same_file(path, text))
      throw Error(ErrorKind::kInvalidArgument, cat(options.output, ": is a text to learn from"));
}

std::optional<OutputFolder> claim(const Options& options) {
  if (names_a_file(options)) {
    check_file(options);
    return std::nullopt;
  }
  const std::filesystem::path folder = options.output;
  if (options.force && std::filesystem::exists(folder / "config.json"))
    throw Error(ErrorKind::kInvalidArgument,
                cat(options.output, ": is not replaced, since it holds a model"),
                "choose another output folder");
  OutputFolder::Options asked{.force = options.force, .inputs = {}};
  for (const std::string& text : options.texts)
    if (text != "-") asked.inputs.emplace_back(text);
  return std::optional<OutputFolder>(std::in_place, folder, asked);
}

Json passport(const Options& options, const Read& read, const tokenizer::TrainedBpe& trained) {
  return {{"job", "train-tokenizer"},
          {"version", NIBBLE_VERSION},
          {"vocabulary", trained.tokens.size()},
          {"special", options.special},
          {"min_frequency", options.min_frequency},
          {"across_lines", options.across_lines},
          {"text_bytes", read.bytes},
          {"words", read.words.size()}};
}

void print(const Options& options, const Read& read, const tokenizer::TrainedBpe& trained,
           const tokenizer::TokenRoles& roles, const Global& global) {
  const auto or_null = [](const std::string& token) {
    return token.empty() ? Json(nullptr) : Json(token);
  };
  if (global.json) {
    print_json("nibble.train_tokenizer/1", {{"texts", options.texts},
                                            {"output", options.output},
                                            {"vocabulary", trained.tokens.size()},
                                            {"merges", trained.merges.size()},
                                            {"special", options.special},
                                            {"bos", or_null(roles.bos)},
                                            {"eos", or_null(roles.eos)},
                                            {"words", read.words.size()},
                                            {"text_bytes", read.bytes},
                                            {"text_tokens", trained.text_tokens}});
    return;
  }
  fmt::print("{}: {} tokens, {} merges; {:.2f} bytes of the text in a token\n", options.output,
             trained.tokens.size(), trained.merges.size(),
             static_cast<double>(read.bytes) / static_cast<double>(trained.text_tokens));
  fmt::print("next: nibble tokenize {} --text \"Once upon a time\"\n", options.output);
}

int run(Options& options, const CLI::App& app, const Global& global) {
  if (options.no_special && !options.special.empty())
    throw Error(ErrorKind::kInvalidArgument, "--no-special and --special exclude each other");
  if (!options.no_special && app.get_option("--special")->count() == 0)
    options.special = {kStandardSpecial};
  std::optional<OutputFolder> folder = claim(options);
  // Options that make no sense are told before a long text is read.
  tokenizer::TrainedBpe unlearnt;
  unlearnt.tokens = options.special;
  unlearnt.special = options.special.size();
  const tokenizer::TokenRoles roles = tokenizer::token_roles(unlearnt, options.roles);
  const tokenizer::BpeTrainingOptions asked{.vocabulary_size = options.vocabulary_size,
                                            .min_frequency = options.min_frequency,
                                            .special = options.special};
  tokenizer::check(asked);
  const Read read = read_texts(options, global);
  const tokenizer::TrainedBpe trained = tokenizer::train_bpe(read.words, asked, global.progress);
  if (trained.tokens.size() < options.vocabulary_size)
    global.log(cat("the text gives ", trained.tokens.size(), " tokens only: no pair is left that ",
                   "occurs ", std::max<std::uint64_t>(1, options.min_frequency), " times"));
  const std::string json = tokenizer::tokenizer_json(trained);
  if (folder) {
    folder->write_text("tokenizer.json", json);
    folder->write_text("tokenizer_config.json", tokenizer::tokenizer_config_json(roles));
    folder->write_text(kPassportName, passport(options, read, trained).dump(2) + "\n");
    folder->finish();
  } else {
    write_file(options.output, json);
  }
  print(options, read, trained, roles, global);
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  app.add_option("TEXT", options->texts,
                 "Texts to learn from: prose, rows as --data of finetune takes, - for stdin")
      ->required();
  app.add_option("--out", options->output, "Folder to create, or NAME.json for the one file")
      ->required();
  app.add_option("--vocab-size", options->vocabulary_size,
                 "tokens, special ones and the 256 bytes among them")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--special", options->special,
                 "a special token; several times for several, whose ids begin at 0 in this order; "
                 "default: <|endoftext|>")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_flag("--no-special", options->no_special, "no special token at all");
  app.add_option("--eos", options->roles.eos,
                 "the special token that ends a text; default: the one of a usual name");
  app.add_option("--bos", options->roles.bos, "the special token that begins one; the same");
  app.add_option("--min-frequency", options->min_frequency,
                 "how often a pair occurs that is merged")
      ->capture_default_str();
  app.add_flag("--across-lines", options->across_lines,
               "a token may hold several line ends; rows of data sets are read so always");
  app.add_flag("--force", options->force, "replace an existing output");
  return [options, &app, &global] { return run(*options, app, global); };
}

}  // namespace

extern const Command train_tokenizer_command{
    .name = "train-tokenizer",
    .summary = "Learn a tokenizer from texts",
    .examples =
        "  nibble train-tokenizer a.txt --out tok\n"
        "  nibble tokenize tok --text \"A word\"\n",
    .setup = setup,
};

}  // namespace nibble::cli
