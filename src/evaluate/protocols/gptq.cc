// gptq-N: the convention of the GPTQ paper's code and most papers after it. One tokenization of
// the whole text, adjacent windows of N tokens, every token but a window's first is scored.
#include "evaluate/protocol.h"

namespace nibble::protocols {
namespace {

std::size_t window_length(const WindowRequest& request) { return request.number; }

std::vector<Window> windows(const WindowRequest& request) {
  return adjacent_windows(request.tokens, request.number, 1);
}

}  // namespace

extern const Protocol gptq{
    .family = "gptq",
    .letter = "N",
    .summary = "adjacent windows of N tokens, all but the first token scored",
    .window_length = window_length,
    .least_tokens = window_length,
    .windows = windows,
};

}  // namespace nibble::protocols
