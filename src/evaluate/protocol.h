// A convention for perplexity: how a text is cut into windows, and which tokens count. The same
// model has another figure under each.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

// Tokens [first, first + length) pass through the model; those from `first_scored` on (counted
// in the window, at least 1) are predicted and scored.
struct Window {
  std::size_t first = 0;
  std::size_t length = 0;
  std::size_t first_scored = 1;
};

// What the windows follow from. `number` is the N or S of the protocol's name.
struct WindowRequest {
  std::size_t tokens = 0;
  std::size_t number = 0;
  std::size_t context = 0;  // of the model, unless the user asked for another
};

struct Protocol {
  std::string_view family;  // "gptq"
  std::string_view letter;  // "N": the name is family-N
  std::string_view summary;
  std::size_t least_number = 2;
  bool parse_special = true;    // special tokens inside the text are read as such
  bool reads_context = false;   // a window's length is WindowRequest::context, not `number`
  bool bos_in_windows = false;  // BOS takes the place of each window's first token
  std::size_t (*window_length)(const WindowRequest& request) = nullptr;
  std::size_t (*least_tokens)(const WindowRequest& request) = nullptr;
  std::vector<Window> (*windows)(const WindowRequest& request) = nullptr;
};

// Windows of `length` one after another, the remainder dropped.
std::vector<Window> adjacent_windows(std::size_t tokens, std::size_t length,
                                     std::size_t first_scored);

struct NamedProtocol {
  const Protocol* protocol = nullptr;
  std::size_t number = 0;
  std::string name() const;
};

namespace protocols {
std::span<const Protocol* const> all();
// "gptq-2048"; throws kInvalidArgument with the known names.
NamedProtocol named(std::string_view name);
}  // namespace protocols

}  // namespace nibble
