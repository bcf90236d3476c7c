// Opening tokenizer.json and the files beside it.
#include "nibble/tokenizer.h"

#include "base/files.h"
#include "base/text.h"
#include "tokenizer/pipeline.h"

namespace nibble {
namespace {

constexpr std::uint64_t kMaxFileBytes = 256ull << 20;

std::unique_ptr<Tokenizer> build(std::string_view tokenizer_json,
                                 const tokenizer::SpecialNames& names) {
  return std::make_unique<tokenizer::Pipeline>(tokenizer::read_tokenizer_file(tokenizer_json),
                                               names);
}

}  // namespace

std::unique_ptr<Tokenizer> Tokenizer::open(const fs::path& folder_or_file) {
  const bool is_folder = fs::is_directory(folder_or_file);
  const fs::path folder = is_folder ? folder_or_file : folder_or_file.parent_path();
  const fs::path path = is_folder ? folder / "tokenizer.json" : folder_or_file;
  if (!fs::exists(path)) {
    std::string found;
    for (const char* other : {"tokenizer.model", "vocab.json", "tokenizer.tiktoken", "tekken.json"})
      if (is_folder && fs::exists(folder / other)) found = other;
    throw Error(ErrorKind::kNotFound,
                found.empty()
                    ? cat(path.string(), ": no such file")
                    : cat(path.string(), ": no such file; ", found, " is there, but not read"),
                "save the tokenizer as tokenizer.json (AutoTokenizer.save_pretrained writes it)");
  }
  const tokenizer::SpecialNames names = tokenizer::read_special_names_in(folder);
  const std::string text = read_file(path, kMaxFileBytes);
  return with_context(path.string(), [&] { return build(text, names); });
}

std::unique_ptr<Tokenizer> Tokenizer::parse(std::string_view tokenizer_json,
                                            std::string_view config) {
  tokenizer::SpecialNames names;
  if (!config.empty()) names = tokenizer::read_special_names(parse_json(config), {});
  return build(tokenizer_json, names);
}

}  // namespace nibble
