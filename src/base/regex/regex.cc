// Three walls around Oniguruma. Its own limit counts backtracking, and its stack is bounded; but
// "[^q]*+[x]" is quadratic without a single step back, and one search is one call that nothing
// outside can end. So callouts are planted into the pattern (regex_steps.h): there steps are
// counted, the clock is read and a request to stop is seen.
#include "base/regex/regex.h"

#include <oniguruma.h>
#include <time.h>

#include <algorithm>
#include <mutex>

#include "base/progress.h"
#include "base/regex/python_regex.h"
#include "base/regex/regex_steps.h"
#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

// The thread's own time: a busy machine makes no pattern worse.
std::chrono::nanoseconds now() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

constexpr std::size_t kMaxPatternBytes = 4 << 10;  // compiling may take quadratic time
// "\s*[\r\n]+" walks back over a whole run of blanks: a few steps for each byte are normal.
constexpr unsigned long kRetriesAlways = 1'000'000, kRetriesPerByte = 16;
constexpr unsigned kMaxStackEntries = 24'000'000;  // one per character of a 24 MB word
constexpr std::size_t kShownBytes = 200;

// What one call may do, and why it had to end.
struct Work {
  std::uint64_t steps = 0, limit = UINT64_MAX;
  std::uint64_t steps_per_look = 1024;  // at the clock and the stop flag
  std::chrono::nanoseconds deadline = std::chrono::nanoseconds::max();
  bool stopped = false;
};

bool stop_requested() {
  try {
    throw_if_stopped();
    return false;
  } catch (const Error&) {
    return true;
  }
}

// C calls this: nothing may be thrown through it.
int count_step(OnigCalloutArgs*, void* user_data) {
  auto& work = *static_cast<Work*>(user_data);
  if (++work.steps > work.limit) return ONIG_ABORT;
  if (work.steps % work.steps_per_look != 0) return ONIG_CALLOUT_SUCCESS;
  work.stopped = stop_requested();
  return work.stopped || now() > work.deadline ? ONIG_ABORT : ONIG_CALLOUT_SUCCESS;
}

std::string message(int code, OnigErrorInfo* info = nullptr) {
  if (code == ONIG_ABORT) return "too many steps";
  OnigUChar text[ONIG_MAX_ERROR_MESSAGE_LEN] = {};
  if (info != nullptr)
    onig_error_code_to_str(text, code, info);
  else
    onig_error_code_to_str(text, code);
  std::string result(reinterpret_cast<const char*>(text));
  std::replace_if(
      result.begin(), result.end(), [](char c) { return static_cast<unsigned char>(c) > 0x7E; },
      '?');
  return result;
}

void initialize_once() {
  static std::once_flag once;
  std::call_once(once, [] {
    OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
    onig_initialize(encodings, 1);
    onig_set_parse_depth_limit(256);
    std::string name(kStepName);
    auto* begin = reinterpret_cast<OnigUChar*>(name.data());
    onig_set_callout_of_name(ONIG_ENCODING_UTF8, ONIG_CALLOUT_TYPE_SINGLE, begin,
                             begin + name.size(), ONIG_CALLOUT_IN_PROGRESS, count_step, nullptr, 0,
                             nullptr, 0, nullptr);
  });
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

std::size_t character_bytes(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

const OnigUChar* bytes_of(std::string_view text) {
  return reinterpret_cast<const OnigUChar*>(text.data());
}

struct Region {
  OnigRegion* region = onig_region_new();
  ~Region() { onig_region_free(region, 1); }
};

struct Limits {
  OnigMatchParam* param = onig_new_match_param();
  Limits(std::size_t text_bytes, Work& work) {
    const unsigned long retries = kRetriesAlways + kRetriesPerByte * text_bytes;
    onig_initialize_match_param(param);
    onig_set_retry_limit_in_match_of_match_param(param, retries);
    onig_set_retry_limit_in_search_of_match_param(param, retries);
    onig_set_match_stack_limit_size_of_match_param(param, kMaxStackEntries);
    onig_set_callout_user_data_of_match_param(param, &work);
  }
  ~Limits() { onig_free_match_param(param); }
};

}  // namespace

struct Regex::Compiled {
  regex_t* regex = nullptr;

  // The code of Oniguruma's complaint, or ONIG_NORMAL.
  int compile(std::string_view pattern, OnigErrorInfo& info) {
    const auto* bytes = bytes_of(pattern);
    const int code = onig_new(&regex, bytes, bytes + pattern.size(), ONIG_OPTION_NONE,
                              ONIG_ENCODING_UTF8, ONIG_SYNTAX_DEFAULT, &info);
    if (code != ONIG_NORMAL) regex = nullptr;
    return code;
  }
  ~Compiled() {
    if (regex != nullptr) onig_free(regex);
  }
};

Regex::Regex(std::string_view pattern, Syntax syntax)
    : pattern_(pattern), compiled_(std::make_unique<Compiled>()) {
  if (pattern.size() > kMaxPatternBytes)
    throw Error(ErrorKind::kUnsupported,
                cat("a pattern of ", pattern.size(), " bytes; the limit is ", kMaxPatternBytes));
  if (!is_valid_utf8(pattern))
    throw Error(ErrorKind::kCorruptFile, "a pattern is not well-formed UTF-8");
  initialize_once();
  throw_if_stopped();  // a file may hold hundreds of them
  with_context(cat("pattern \"", shown(), "\" does not compile"), [&] {
    const bool python = syntax == Syntax::kPython;
    const std::string plain = python ? from_python_regex(pattern_) : pattern_;
    OnigErrorInfo info{};
    // Without the callouts first: with them some nonsense would make sense.
    if (const int code = Compiled().compile(plain, info); code != ONIG_NORMAL)
      throw Error(ErrorKind::kCorruptFile, message(code, &info));
    if (const int code = compiled_->compile(
            with_steps(plain, python ? StepDensity::kChoices : StepDensity::kLoops), info);
        code != ONIG_NORMAL)
      throw Error(ErrorKind::kCorruptFile,
                  cat("matching it cannot be bounded: ", message(code, &info)));
  });
}

Regex::~Regex() = default;

std::string Regex::shown() const {
  std::size_t end = std::min(pattern_.size(), kShownBytes);
  while (end < pattern_.size() && is_continuation(pattern_[end])) --end;
  return pattern_.substr(0, end);
}

void Regex::each_match(std::string_view text,
                       const std::function<void(std::size_t, std::size_t)>& found,
                       const Time& time) const {
  const auto* const begin = bytes_of(text);
  const auto* const end = begin + text.size();
  Work work;
  // A step may cross the whole text.
  work.steps_per_look = std::clamp<std::uint64_t>((16u << 20) / (text.size() + 1), 1, 1024);
  work.deadline = now() + time.always + time.per_megabyte * static_cast<long>(text.size() >> 20);
  Region region;
  const Limits limits(text.size(), work);

  std::size_t position = 0, last_end = std::string_view::npos;
  while (position <= text.size()) {
    const int code = onig_search_with_param(compiled_->regex, begin, end, begin + position, end,
                                            region.region, ONIG_OPTION_NONE, limits.param);
    if (code == ONIG_MISMATCH) return;
    if (work.stopped) throw_if_stopped();
    if (code < 0)
      throw Error(
          ErrorKind::kUnsupported,
          cat("pattern \"", shown(), "\" needs too much work at byte ", position, " of a piece of ",
              text.size(), " bytes: ", code == ONIG_ABORT ? "out of time" : message(code)));
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

bool Regex::matches(std::string_view text, bool anywhere, std::uint64_t& steps_left) const {
  const auto* const begin = bytes_of(text);
  const auto* const end = begin + text.size();
  Work work;
  work.limit = steps_left;
  const Limits limits(text.size(), work);
  const int code = anywhere ? onig_search_with_param(compiled_->regex, begin, end, begin, end,
                                                     nullptr, ONIG_OPTION_NONE, limits.param)
                            : onig_match_with_param(compiled_->regex, begin, end, begin, nullptr,
                                                    ONIG_OPTION_NONE, limits.param);
  steps_left -= std::min(steps_left, work.steps);
  if (code >= 0 || code == ONIG_MISMATCH) return code >= 0;
  throw_if_stopped();
  throw Error(ErrorKind::kUnsupported, cat("pattern \"", shown(), "\" needs too much work on \"",
                                           text.substr(0, kShownBytes), "\": ", message(code)));
}

bool Regex::matches_start(std::string_view text, std::uint64_t& steps_left) const {
  return matches(text, false, steps_left);
}

bool Regex::matches_anywhere(std::string_view text, std::uint64_t& steps_left) const {
  return matches(text, true, steps_left);
}

}  // namespace nibble
