#include "cli/synonyms.h"

#include <algorithm>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble::cli {
namespace {

constexpr CommandSynonym kCommands[] = {
    {"run", "chat", "", ""},
    {"ppl", "perplexity", "", ""},
    {"kld", "compare", "", ""},
    {"info", "show", "", ""},
    {"inspect", "show", "", ""},
    {"quant", "quantize", "", ""},
    {"benchmark", "bench", "", ""},
    {"eval", "", "tasks are not measured here; perplexity and compare score a text",
     "nibble perplexity MODEL --file TEXT"},
    {"serve", "", "there is no server; programs call nibble and read its --json",
     "nibble chat MODEL, or nibble chat MODEL -p TEXT --json"},
    {"server", "", "there is no server; programs call nibble and read its --json",
     "nibble chat MODEL, or nibble chat MODEL -p TEXT --json"},
    {"pull", "", "nothing is downloaded; models in the Hugging Face cache are found by name",
     "hf download ORG/NAME, then nibble chat ORG/NAME"},
    {"download", "", "nothing is downloaded; models in the Hugging Face cache are found by name",
     "hf download ORG/NAME, then nibble chat ORG/NAME"},
    {"list", "",
     "there is no store of models: MODEL is a path, or ORG/NAME in the Hugging Face cache",
     "nibble show MODEL"},
    {"ls", "",
     "there is no store of models: MODEL is a path, or ORG/NAME in the Hugging Face cache",
     "nibble show MODEL"},
};

constexpr std::string_view kNoGpu = "nothing runs on a GPU here: leave it out";
constexpr std::string_view kModelsContext = "the context is the model's own: leave it out";
constexpr std::string_view kNotNeeded = "there is nothing to choose here: leave it out";
constexpr std::string_view kDataSets =
    "data sets are not downloaded: give a text file with --file FILE";

constexpr OptionSynonym kOptions[] = {
    {"-m", "MODEL", "", ""},
    {"--model", "MODEL", "", ""},
    {"-f", "--file", "", ""},
    {"-f", "", "quantize", "write --calib FILE"},
    {"--file", "", "quantize", "write --calib FILE"},
    {"-sys", "--system", "", ""},
    {"--system-prompt", "--system", "", ""},
    {"--chunks", "--windows", "", ""},
    {"--max-new-tokens", "--max-tokens", "", ""},
    {"--wbits", "--bits", "", ""},
    {"--groupsize", "--group-size", "", ""},
    {"--nsamples", "--samples", "", ""},
    {"--seqlen", "--seq-len", "", ""},
    {"--damp-percent", "--damping", "", ""},
    {"--no-sym", "--asym", "", ""},
    {"-g", "", "quantize", "write --group-size N"},
    {"-b", "", "quantize", "write --bits N"},
    {"-o", "", "quantize", "OUT is the second word: nibble quantize MODEL OUT"},
    {"--output", "", "quantize", "OUT is the second word: nibble quantize MODEL OUT"},
    {"--outfile", "", "quantize", "OUT is the second word: nibble quantize MODEL OUT"},
    {"-o", "", "", "results go to stdout; --json makes them one object"},
    {"--output", "", "", "results go to stdout; --json makes them one object"},
    {"--csv", "", "bench", "write -o csv"},
    {"--csv", "", "", "write --json"},
    {"--format", "", "quantize", "see --layout and --checkpoint-format"},
    {"--format", "", "", "results are texts, or one object with --json"},
    {"--outtype", "", "", "quantize takes --method, --bits and --group-size"},
    {"--ftype", "", "", "quantize takes --method, --bits and --group-size"},
    {"--scheme", "", "", "quantize takes --method, --bits and --group-size"},
    {"--desc-act", "", "", "write --act-order gidx"},
    {"--no-desc-act", "", "", "write --act-order none"},
    {"--dataset", "", "quantize",
     "data sets are not downloaded: give a text file with --calib FILE"},
    {"--dataset", "", "", kDataSets},
    {"--tasks", "", "", "tasks are not measured here; perplexity and compare score a text"},
    {"--limit", "", "", "--windows N scores the first N windows"},
    {"--stride", "", "", "write --protocol hf-stride-S"},
    {"-c", "", "quantize", "--seq-len N is the length of a calibration window"},
    {"-c", "", "", kModelsContext},
    {"--ctx-size", "", "quantize", "--seq-len N is the length of a calibration window"},
    {"--ctx-size", "", "", kModelsContext},
    {"-ngl", "", "", kNoGpu},
    {"-n-gpu-layers", "", "", kNoGpu},
    {"--n-gpu-layers", "", "", kNoGpu},
    {"--gpu-layers", "", "", kNoGpu},
    {"--device", "", "", kNoGpu},
    {"-ctk", "", "", "write --kv TYPE, for keys and values together"},
    {"-ctv", "", "", "write --kv TYPE, for keys and values together"},
    {"--cache-type-k", "", "", "write --kv TYPE, for keys and values together"},
    {"--cache-type-v", "", "", "write --kv TYPE, for keys and values together"},
    {"--grammar", "", "", "answers cannot be held to a grammar here"},
    {"--json-schema", "", "", "answers cannot be held to a schema here"},
    {"--no-display-prompt", "", "", "the prompt is never printed: leave it out"},
    {"-i", "", "chat", "without -p it is a dialogue: leave it out"},
    {"--interactive", "", "chat", "without -p it is a dialogue: leave it out"},
    {"-cnv", "", "chat", "without -p it is a dialogue: leave it out"},
    {"--conversation", "", "chat", "without -p it is a dialogue: leave it out"},
    {"-cnv", "", "generate", "nibble chat is the dialogue"},
    {"--interactive", "", "generate", "nibble chat is the dialogue"},
    {"-st", "", "chat", "-p TEXT asks one question: leave it out"},
    {"--single-turn", "", "chat", "-p TEXT asks one question: leave it out"},
    {"-r", "", "", "write --stop TEXT"},
    {"--reverse-prompt", "", "", "write --stop TEXT"},
    {"--batch-size", "", "", kNotNeeded},
    {"-ub", "", "", kNotNeeded},
    {"-fa", "", "", kNotNeeded},
    {"--flash-attn", "", "", kNotNeeded},
    {"--mlock", "", "", kNotNeeded},
    {"--no-mmap", "", "", kNotNeeded},
    {"-V", "", "", "nibble --version"},
};

const CLI::Option* model_of(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options())
    if (option->get_positional()) return option;
  return nullptr;
}

const OptionSynonym* synonym_of(std::string_view word, const CLI::App& app,
                                std::string_view command) {
  for (const OptionSynonym& row : kOptions) {
    if (row.word != word || (!row.command.empty() && row.command != command)) continue;
    const bool there = row.ours == "MODEL"
                           ? model_of(app) != nullptr
                           : app.get_option_no_throw(std::string(row.ours)) != nullptr;
    if (row.ours.empty() || there) return &row;
  }
  return nullptr;
}

// -temp for --temp: read letter by letter it is something else.
[[noreturn]] void refuse_one_dash(const std::string& word) {
  throw Error(ErrorKind::kInvalidArgument, cat("unknown option \"", word, "\""),
              cat("write -", word));
}

}  // namespace

std::span<const CommandSynonym> command_synonyms() { return kCommands; }
std::span<const OptionSynonym> option_synonyms() { return kOptions; }

std::string our_command(const std::string& word) {
  for (const CommandSynonym& row : kCommands) {
    if (row.word != word) continue;
    if (!row.ours.empty()) return std::string(row.ours);
    throw Error(ErrorKind::kInvalidArgument,
                cat("there is no command \"", word, "\"\n  why: ", row.why),
                std::string(row.advice));
  }
  return word;
}

std::vector<std::string> with_our_options(const std::vector<std::string>& arguments,
                                          const CLI::App& app, std::string_view command) {
  std::vector<std::string> models, result;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") {
      result.insert(result.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i),
                    arguments.end());
      break;
    }
    const std::size_t equals = argument.starts_with("--")
                                   ? std::min(argument.find('='), argument.size())
                                   : argument.size();
    std::string word = argument.substr(0, equals);
    const CLI::Option* known = word.starts_with('-') ? app.get_option_no_throw(word) : nullptr;
    const bool short_word = word.size() > 2 && word[0] == '-' && word[1] != '-';
    if (short_word && app.get_option_no_throw("-" + word) != nullptr) refuse_one_dash(word);
    const OptionSynonym* synonym =
        known == nullptr && word.size() > 1 ? synonym_of(word, app, command) : nullptr;
    if (synonym != nullptr) {
      if (synonym->ours.empty())
        throw Error(ErrorKind::kInvalidArgument,
                    cat("unknown option \"", word, "\" of nibble ", command),
                    std::string(synonym->advice));
      word = synonym->ours;
      known = synonym->ours == "MODEL" ? model_of(app) : app.get_option_no_throw(word);
    }
    // A value is a value, whatever it looks like.
    const bool takes_next = known != nullptr && known->get_items_expected_min() > 0 &&
                            equals == argument.size() && i + 1 < arguments.size();
    if (known != nullptr && known->get_positional() && known->get_snames().empty()) {
      models.push_back(takes_next ? arguments[++i]
                                  : argument.substr(std::min(equals + 1, argument.size())));
      continue;
    }
    result.push_back(word + argument.substr(equals));
    if (takes_next) result.push_back(arguments[++i]);
  }
  result.insert(result.begin(), models.begin(), models.end());
  return result;
}

}  // namespace nibble::cli
