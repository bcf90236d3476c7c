// tokenizer.json: whatever is accepted encodes, decodes and streams without a fault.
#include "nibble/tokenizer.h"

#include <cstddef>
#include <cstdint>

#include "nibble/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  try {
    const auto tokenizer = nibble::Tokenizer::parse({reinterpret_cast<const char*>(bytes), count});
    const auto ids = tokenizer->encode("The qu\u00edck  <s> 123\n\xff \u4f60\u597d");
    const std::string text = tokenizer->decode(ids, false);
    const auto stream = tokenizer->stream(false);
    std::string streamed;
    for (const std::int32_t id : ids) streamed += stream->add(id);
    if (streamed + stream->finish() != text) __builtin_trap();
  } catch (const nibble::Error&) {
  }
  return 0;
}
