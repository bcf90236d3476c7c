// Oniguruma, with three limits: backtracking steps of one search, entries of the match stack, and
// time for one text. Ordinary patterns stay far below all of them, also on a text that is one long
// word.
#include "tokenizer/regex.h"

#include <oniguruma.h>

#include <chrono>
#include <mutex>

#include "base/text.h"
#include "nibble/error.h"
#include "tokenizer/unicode.h"

namespace nibble::tokenizer {
namespace {

constexpr std::size_t kMaxPatternBytes = 64 << 10;
// "\s*[\r\n]+" walks back over a whole run of blanks: a few steps for each byte are normal.
constexpr unsigned long kStepsAlways = 1'000'000, kStepsPerByte = 16;
constexpr unsigned kMaxStackEntries = 24'000'000;  // one per character of a 24 MB word
constexpr auto kTimeAlways = std::chrono::seconds(10);
constexpr auto kTimePerMegabyte = std::chrono::seconds(2);

std::string message(int code, OnigErrorInfo* info = nullptr) {
  OnigUChar text[ONIG_MAX_ERROR_MESSAGE_LEN] = {};
  if (info != nullptr)
    onig_error_code_to_str(text, code, info);
  else
    onig_error_code_to_str(text, code);
  return lossy_utf8(reinterpret_cast<const char*>(text));
}

void initialize_once() {
  static std::once_flag once;
  std::call_once(once, [] {
    OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
    onig_initialize(encodings, 1);
    onig_set_parse_depth_limit(256);
  });
}

struct Region {
  OnigRegion* region = onig_region_new();
  ~Region() { onig_region_free(region, 1); }
};
struct Limits {
  OnigMatchParam* param = onig_new_match_param();
  ~Limits() { onig_free_match_param(param); }
};

}  // namespace

struct Regex::Compiled {
  regex_t* regex = nullptr;
  ~Compiled() {
    if (regex != nullptr) onig_free(regex);
  }
};

Regex::Regex(std::string_view pattern)
    : pattern_(pattern), compiled_(std::make_unique<Compiled>()) {
  if (pattern.size() > kMaxPatternBytes)
    throw Error(ErrorKind::kUnsupported,
                cat("a pattern of ", pattern.size(), " bytes; the limit is ", kMaxPatternBytes));
  initialize_once();
  const auto* bytes = reinterpret_cast<const OnigUChar*>(pattern_.data());
  OnigErrorInfo info{};
  const int code = onig_new(&compiled_->regex, bytes, bytes + pattern_.size(), ONIG_OPTION_NONE,
                            ONIG_ENCODING_UTF8, ONIG_SYNTAX_DEFAULT, &info);
  if (code != ONIG_NORMAL) {
    compiled_->regex = nullptr;
    throw Error(ErrorKind::kCorruptFile, cat("pattern \"", pattern_.substr(0, 200),
                                             "\" does not compile: ", message(code, &info)));
  }
}

Regex::~Regex() = default;

void Regex::each_match(std::string_view text,
                       const std::function<void(std::size_t, std::size_t)>& found) const {
  const auto* const begin = reinterpret_cast<const OnigUChar*>(text.data());
  const auto* const end = begin + text.size();
  const unsigned long steps = kStepsAlways + kStepsPerByte * text.size();
  Region region;
  Limits limits;
  onig_initialize_match_param(limits.param);
  onig_set_retry_limit_in_match_of_match_param(limits.param, steps);
  onig_set_retry_limit_in_search_of_match_param(limits.param, steps);
  onig_set_match_stack_limit_size_of_match_param(limits.param, kMaxStackEntries);
  const auto deadline = std::chrono::steady_clock::now() + kTimeAlways +
                        kTimePerMegabyte * static_cast<long>(text.size() >> 20);

  std::size_t position = 0, last_end = std::string_view::npos, searches = 0;
  while (position <= text.size()) {
    int code = onig_search_with_param(compiled_->regex, begin, end, begin + position, end,
                                      region.region, ONIG_OPTION_NONE, limits.param);
    if (code == ONIG_MISMATCH) return;
    if (code >= 0 && ++searches % 1024 == 0 && std::chrono::steady_clock::now() > deadline)
      code = ONIGERR_RETRY_LIMIT_IN_SEARCH_OVER;
    if (code < 0)
      throw Error(ErrorKind::kUnsupported,
                  cat("pattern \"", pattern_.substr(0, 200), "\" needs too much work at byte ",
                      position, " of a piece of ", text.size(), " bytes: ", message(code)));
    const auto from = static_cast<std::size_t>(region.region->beg[0]);
    const auto to = static_cast<std::size_t>(region.region->end[0]);
    position = to;
    if (to <= from) {  // an empty match, or one that \K turned around
      if (to == text.size() && from == last_end) return;
      position = to + (to < text.size() ? character_bytes(text[to]) : 1);
      if (from == last_end || to < from) continue;
    }
    if (last_end != std::string_view::npos && from < last_end) continue;  // \K in a look-behind
    last_end = to;
    found(from, to);
  }
}

}  // namespace nibble::tokenizer
