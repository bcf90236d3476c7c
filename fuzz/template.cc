// A chat template: rendered or refused within its limits, never anything else.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "chat/chat_template.h"
#include "nibble/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  nibble::Conversation conversation;
  conversation.messages = {{{"role", "user"}, {"content", "Hello"}}};
  try {
    nibble::ChatTemplate::parse({reinterpret_cast<const char*>(bytes), count}).render(conversation);
  } catch (const nibble::Error&) {
  }
  return 0;
}
