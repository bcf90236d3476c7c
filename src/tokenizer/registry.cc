// The list of models, expanded twice: declared, then collected.
#include "tokenizer/component.h"
#include "tokenizer/token_model.h"

namespace nibble::tokenizer {

#define TOKENIZER(name) extern const TokenModelKind name;
#include "tokenizer/list.def"
#undef TOKENIZER

std::span<const TokenModelKind* const> token_models() {
  static const TokenModelKind* const list[] = {
#define TOKENIZER(name) &name,
#include "tokenizer/list.def"
#undef TOKENIZER
  };
  return list;
}

std::unique_ptr<TokenModel> read_token_model(TokenizerFile&& file) {
  const Json& settings = required(file.tree, "model");
  if (!settings.is_object())
    throw Error(ErrorKind::kCorruptFile,
                cat("\"model\" is of type ", settings.type_name(), "; expected an object"));
  const std::string type = json_string(settings, "type", "");
  std::vector<std::string> known;
  for (const TokenModelKind* kind : token_models()) {
    if (type.empty() ? kind->recognises(file) : kind->type == type)
      return with_context(cat("model ", kind->type), [&] { return kind->read(std::move(file)); });
    known.emplace_back(kind->type);
  }
  unknown_component("model", type, known);
}

}  // namespace nibble::tokenizer
