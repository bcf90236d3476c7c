#include "model/open_tokenizer.h"

#include <utility>

#include "checkpoint/gguf_metadata.h"
#include "checkpoint/gguf_vocabulary.h"
#include "model/gguf/tokenizer.h"
#include "nibble/checkpoint.h"
#include "nibble/error.h"

namespace nibble {
namespace {

bool has_tokens(const Tokenizer& tokenizer, const GgufVocabulary& vocabulary) {
  const auto count = static_cast<std::int32_t>(vocabulary.tokens.size());
  if (tokenizer.vocabulary_size() > count) return false;
  for (std::int32_t id = 0; id < count; ++id) {
    const std::string text = tokenizer.token_text(id);
    if (!text.empty() && text != vocabulary.tokens[static_cast<std::size_t>(id)]) return false;
  }
  return true;
}

}  // namespace

std::filesystem::path tokenizer_beside(const std::filesystem::path& file,
                                       const GgufVocabulary& vocabulary) {
  const auto json = std::filesystem::absolute(file).parent_path() / "tokenizer.json";
  std::error_code ignored;
  if (!std::filesystem::exists(json, ignored) ||
      !has_tokens(*Tokenizer::open(json.parent_path()), vocabulary))
    return {};
  return json;
}

std::unique_ptr<Tokenizer> open_tokenizer(const std::filesystem::path& model) {
  std::error_code ignored;
  const bool is_folder = std::filesystem::is_directory(model, ignored);
  if (model.extension() == ".json") return Tokenizer::open(model);
  const auto folder = is_folder ? model : std::filesystem::absolute(model).parent_path();
  const bool has_json = std::filesystem::exists(folder / "tokenizer.json", ignored);
  // A folder needs no weights to turn text into tokens.
  if (is_folder && has_json) return Tokenizer::open(folder);
  std::unique_ptr<CheckpointReader> checkpoint;
  try {
    checkpoint = open_checkpoint(model);
  } catch (const Error&) {
    if (!is_folder && !has_json) throw;
  }
  // Tokenizer::open says what is missing.
  if (checkpoint == nullptr || checkpoint->gguf() == nullptr) return Tokenizer::open(folder);
  return with_context(checkpoint->files().front().string(), [&] {
    GgufVocabulary vocabulary = read_gguf_vocabulary(*checkpoint->gguf());
    if (const auto beside = tokenizer_beside(checkpoint->files().front(), vocabulary);
        !beside.empty())
      return Tokenizer::open(beside.parent_path());
    if (const auto whole = checkpoint->gguf()->text(kGgufTokenizerJson))
      return Tokenizer::parse(*whole);
    return tokenizer_from_gguf(std::move(vocabulary));
  });
}

}  // namespace nibble
