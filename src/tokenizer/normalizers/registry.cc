// The list of this folder, expanded twice: declared, then collected.
#include "tokenizer/normalizers/normalizer.h"

namespace nibble::tokenizer::normalizers {

#define NORMALIZER(name) extern const Kind<Normalizer> name;
#include "tokenizer/normalizers/list.def"
#undef NORMALIZER

std::span<const Kind<Normalizer>* const> all() {
  static const Kind<Normalizer>* const list[] = {
#define NORMALIZER(name) &name,
#include "tokenizer/normalizers/list.def"
#undef NORMALIZER
  };
  return list;
}

std::unique_ptr<Normalizer> read(const Json& settings) {
  return read_component<Normalizer>(all(), "normalizer", settings);
}

}  // namespace nibble::tokenizer::normalizers
