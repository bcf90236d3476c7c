// The list of this folder, expanded twice: declared, then collected.
#include "tokenizer/decoders/decoder.h"

namespace nibble::tokenizer::decoders {

#define DECODER(name) extern const Kind<Decoder> name;
#include "tokenizer/decoders/list.def"
#undef DECODER

std::span<const Kind<Decoder>* const> all() {
  static const Kind<Decoder>* const list[] = {
#define DECODER(name) &name,
#include "tokenizer/decoders/list.def"
#undef DECODER
  };
  return list;
}

std::unique_ptr<Decoder> read(const Json& settings) {
  return read_component<Decoder>(all(), "decoder", settings);
}

}  // namespace nibble::tokenizer::decoders
