// The list of this folder, expanded twice: declared, then collected.
#include "tokenizer/postprocessors/postprocessor.h"

namespace nibble::tokenizer::postprocessors {

#define POSTPROCESSOR(name) extern const Kind<Postprocessor> name;
#include "tokenizer/postprocessors/list.def"
#undef POSTPROCESSOR

std::span<const Kind<Postprocessor>* const> all() {
  static const Kind<Postprocessor>* const list[] = {
#define POSTPROCESSOR(name) &name,
#include "tokenizer/postprocessors/list.def"
#undef POSTPROCESSOR
  };
  return list;
}

std::unique_ptr<Postprocessor> read(const Json& settings) {
  return read_component<Postprocessor>(all(), "post_processor", settings);
}

}  // namespace nibble::tokenizer::postprocessors
