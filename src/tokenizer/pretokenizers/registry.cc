// The list of this folder, expanded twice: declared, then collected.
#include "tokenizer/pretokenizers/pretokenizer.h"

namespace nibble::tokenizer::pretokenizers {

#define PRETOKENIZER(name) extern const Kind<Pretokenizer> name;
#include "tokenizer/pretokenizers/list.def"
#undef PRETOKENIZER

std::span<const Kind<Pretokenizer>* const> all() {
  static const Kind<Pretokenizer>* const list[] = {
#define PRETOKENIZER(name) &name,
#include "tokenizer/pretokenizers/list.def"
#undef PRETOKENIZER
  };
  return list;
}

std::unique_ptr<Pretokenizer> read(const Json& settings) {
  return read_component<Pretokenizer>(all(), "pre_tokenizer", settings);
}

}  // namespace nibble::tokenizer::pretokenizers
