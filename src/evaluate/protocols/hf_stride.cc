// hf-stride-S: the sliding window of the transformers documentation. Windows as long as the
// model's context start every S tokens; each scores the tokens that no window before it scored.
#include <algorithm>

#include "evaluate/protocol.h"

namespace nibble::protocols {
namespace {

std::size_t window_length(const WindowRequest& request) { return request.context; }

// One token to predict from one before it; a short text is a short window.
std::size_t least_tokens(const WindowRequest&) { return 2; }

std::vector<Window> windows(const WindowRequest& request) {
  std::vector<Window> windows;
  std::size_t scored_end = 1;
  for (std::size_t first = 0; scored_end < request.tokens; first += request.number) {
    const std::size_t end = std::min(first + request.context, request.tokens);
    // A stride above the context leaves tokens between windows; they are not predicted.
    const std::size_t first_scored = std::max(scored_end, first + 1);
    if (first_scored >= end) break;
    windows.push_back(
        {.first = first, .length = end - first, .first_scored = first_scored - first});
    scored_end = end;
  }
  return windows;
}

}  // namespace

extern const Protocol hf_stride{
    .family = "hf-stride",
    .letter = "S",
    .summary = "windows of the model's context every S tokens, the new tokens scored",
    .least_number = 1,
    .reads_context = true,
    .window_length = window_length,
    .least_tokens = least_tokens,
    .windows = windows,
};

}  // namespace nibble::protocols
