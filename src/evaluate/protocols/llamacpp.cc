// llamacpp-N: llama.cpp's perplexity tool with a context of N. Adjacent windows, the second half
// of each is scored; BOS replaces a window's first token where the tokenizer adds one.
#include "evaluate/protocol.h"

namespace nibble::protocols {
namespace {

std::size_t window_length(const WindowRequest& request) { return request.number; }

std::size_t least_tokens(const WindowRequest& request) { return 2 * request.number; }

// The logits of position N/2 are the first that count: they predict token N/2 + 1.
std::vector<Window> windows(const WindowRequest& request) {
  return adjacent_windows(request.tokens, request.number, request.number / 2 + 1);
}

}  // namespace

extern const Protocol llamacpp{
    .family = "llamacpp",
    .letter = "N",
    .summary = "adjacent windows of N tokens, the second half scored, BOS in each window",
    .least_number = 4,
    .parse_special = false,
    .bos_in_windows = true,
    .window_length = window_length,
    .least_tokens = least_tokens,
    .windows = windows,
};

}  // namespace nibble::protocols
