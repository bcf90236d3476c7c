#include "base/regex/regex_steps.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::string_view kStep = "(*STEP)";
static_assert(kStep.substr(2, 4) == kStepName);
// A look-behind is tried at every length that it allows.
constexpr std::size_t kMaxLookBehind = 255;
// Up to this often one character may be repeated before that counts as a loop.
constexpr std::size_t kFewTimes = 4;
// A pattern of so few bytes does little at each place of a text before it comes to a loop; a step
// there would keep the engine from looking only at places with the right first character.
constexpr std::size_t kMaxStartBytes = 256;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

[[noreturn]] void refuse(std::string_view what) {
  throw Error(ErrorKind::kCorruptFile, cat(what, " cannot be bounded"));
}

class StepPlanter {
 public:
  StepPlanter(std::string_view pattern, StepDensity density)
      : pattern_(pattern), every_choice_(density == StepDensity::kChoices) {
    levels_.push_back({});
  }

  std::string run() {
    if (every_choice_ || pattern_.size() > kMaxStartBytes) step();
    while (at_ < pattern_.size()) element();
    return std::move(out_);
  }

 private:
  struct Level {
    bool extended = false;    // blanks and comments do not count
    bool behind = false;      // a look-behind, where callouts may not stand
    std::size_t repeats = 1;  // in it
    std::size_t begin = 0;    // of what stands in the group, in out_
  };

  Level& level() { return levels_.back(); }
  bool has(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  void copy_to(std::size_t end) {
    end = std::min(end, pattern_.size());
    out_ += pattern_.substr(at_, end - at_);
    at_ = end;
  }
  void copy(std::size_t count) { copy_to(at_ + count); }
  void step() {
    if (!level().behind) out_ += kStep;
  }
  // At the start of an alternative. Where that is empty, the callout alone could not be repeated.
  void step_of_choice() {
    if (!every_choice_) return;
    step();
    const std::size_t next = skip_ignored(at_);
    if (next >= pattern_.size() || pattern_[next] == '|' || pattern_[next] == ')') out_ += "(?:)";
  }
  std::size_t behind(std::string_view closing, std::size_t from) const {
    const auto found = pattern_.find(closing, from);
    if (found == pattern_.npos) refuse("an open end");
    return found + closing.size();
  }

  // Where a "(?#…)" that begins at `at` ends; none when there is none.
  std::optional<std::size_t> comment_end(std::size_t at) const {
    if (!pattern_.substr(at).starts_with("(?#")) return std::nullopt;
    for (at += 3; at < pattern_.size() && pattern_[at] != ')'; ++at)
      if (pattern_[at] == '\\') ++at;
    return at + 1;
  }

  // Behind what does not count.
  std::size_t skip_ignored(std::size_t at) const {
    while (at < pattern_.size()) {
      if (const auto end = comment_end(at))
        at = *end;
      else if (levels_.back().extended && is_blank(pattern_[at]))
        ++at;
      else if (levels_.back().extended && pattern_[at] == '#')
        at = std::min(pattern_.find('\n', at), pattern_.size());
      else
        break;
    }
    return std::min(at, pattern_.size());
  }

  // The bytes of "{2}", "{2,}", "{,5}" or "{2,5}" at `at`, 0 when it is none; its largest number.
  std::size_t interval(std::size_t at, std::size_t& most) const {
    const std::size_t begin = at;
    if (at >= pattern_.size() || pattern_[at] != '{') return 0;
    std::size_t numbers = 0;
    bool open = false;
    const auto number = [&] {
      std::size_t value = 0;
      const std::size_t first = at;
      for (; at < pattern_.size() && is_digit(pattern_[at]); ++at)
        value = std::min<std::size_t>(value * 10 + static_cast<std::size_t>(pattern_[at] - '0'),
                                      1'000'000);
      most = std::max(most, value);
      numbers += at > first ? 1 : 0;
      return at > first;
    };
    most = 0;
    ++at;
    number();
    if (at < pattern_.size() && pattern_[at] == ',') {
      ++at;
      open = !number();
    }
    if (open) most = SIZE_MAX;
    return numbers > 0 && at < pattern_.size() && pattern_[at] == '}' ? at + 1 - begin : 0;
  }

  // The bytes of one repetition sign at `at`.
  std::size_t repetition(std::size_t at, std::size_t& most) const {
    if (at >= pattern_.size()) return 0;
    const char c = pattern_[at];
    most = c == '?' ? 1 : SIZE_MAX;
    return c == '*' || c == '+' || c == '?' ? 1 : interval(at, most);
  }

  void repetitions() {
    std::size_t most = 0;
    while (true) {
      const std::size_t at = skip_ignored(at_);
      const std::size_t bytes = repetition(at, most);
      if (bytes == 0) return;
      copy_to(at + bytes);
      if (!level().behind) continue;
      level().repeats = most < kMaxLookBehind ? level().repeats * std::max<std::size_t>(most, 1)
                                              : SIZE_MAX / kMaxLookBehind;
      if (level().repeats > kMaxLookBehind) refuse("a look-behind of many lengths");
    }
  }

  void element() {
    const std::size_t next = skip_ignored(at_);
    if (next > at_) return copy_to(next);
    const char c = pattern_[at_];
    if (c == '(') return group();
    if (c == ')') return end_group();
    if (c == '|') {
      copy(1);
      return step_of_choice();
    }
    std::size_t most = 0;
    if (repetition(at_, most) != 0) return repetitions();  // at the start: Oniguruma has refused it
    atom();
  }

  void end_group() {
    copy(1);
    if (levels_.size() > 1) {
      const Level inner = level();
      levels_.pop_back();
      // What repeats inside of a look-behind's group counts for the look-behind.
      if (level().behind) level().repeats = inner.repeats;
      // Each round begins with the first alternative; the empty group: see step_of_choice().
      if (!every_choice_ && !inner.behind && most_often(at_) > 1)
        out_.insert(inner.begin, cat(kStep, "(?:)"));
    }
    repetitions();
  }

  // How often, at most, what stands before `at` is matched by one of its repetition signs.
  std::size_t most_often(std::size_t at) const {
    std::size_t result = 0, most = 0;
    while (true) {
      at = skip_ignored(at);
      const std::size_t bytes = repetition(at, most);
      if (bytes == 0) return result;
      result = std::max(result, most);
      at += bytes;
    }
  }

  void atom() {
    bool refers = false;
    const std::size_t end = atom_end(refers);
    if (refers || most_often(end) > (every_choice_ ? 0 : kFewTimes)) step();
    copy_to(end);
    repetitions();
  }

  std::size_t atom_end(bool& refers) const {
    const char c = pattern_[at_];
    if (c == '[') return class_end(at_);
    if (c == '\\') return escape_end(refers);
    std::size_t end = at_ + 1;
    while (end < pattern_.size() && (static_cast<unsigned char>(pattern_[end]) & 0xC0) == 0x80)
      ++end;
    return end;
  }

  std::size_t escape_end(bool& refers) const {
    if (at_ + 1 >= pattern_.size()) return at_ + 1;
    const char c = pattern_[at_ + 1];
    const std::size_t rest = at_ + 2;
    const char next = rest < pattern_.size() ? pattern_[rest] : '\0';
    const auto digits = [&](std::size_t at, std::size_t count, auto is_one) {
      const std::size_t last = std::min(at + count, pattern_.size());
      while (at < last && is_one(pattern_[at])) ++at;
      return at;
    };
    switch (c) {
      case 'x':
        return next == '{' ? behind("}", rest) : digits(rest, 2, is_hex);
      case 'o':
      case 'p':
      case 'P':
        return next == '{' ? behind("}", rest) : rest;
      case 'u':
        return digits(rest, 4, is_hex);
      case 'k':
      case 'g':
        refers = true;
        return next == '<' ? behind(">", rest) : next == '\'' ? behind("'", rest + 1) : rest;
      case '0':
        return digits(rest, 2, [](char d) { return d >= '0' && d <= '7'; });
      case 'c':
      case 'C':
      case 'M':
        refuse("a control or meta escape");
      default:
        break;
    }
    if (c >= '1' && c <= '9') {
      if (is_digit(next)) refuse("a numbered reference of two digits");
      refers = true;
    }
    refers |= c == 'X';
    std::size_t end = rest;
    while (end < pattern_.size() && (static_cast<unsigned char>(pattern_[end]) & 0xC0) == 0x80)
      ++end;
    return end;
  }

  std::size_t class_end(std::size_t at) const {
    std::size_t depth = 0;
    bool at_start = false;
    while (at < pattern_.size()) {
      const char c = pattern_[at];
      if (c == '\\') {
        at += 2;
      } else if (pattern_.substr(at).starts_with("[:") && depth > 0) {
        at += 2;
        while (at < pattern_.size() &&
               (pattern_[at] == '^' || (pattern_[at] >= 'a' && pattern_[at] <= 'z')))
          ++at;
        if (!pattern_.substr(at).starts_with(":]")) refuse("\"[:\" without \":]\"");
        at += 2;
      } else if (c == '[') {
        ++depth;
        ++at;
        if (at < pattern_.size() && pattern_[at] == '^') ++at;
        at_start = true;
        continue;
      } else if (c == ']' && !at_start) {
        ++at;
        if (--depth == 0) return at;
      } else {
        ++at;
      }
      at_start = false;
    }
    refuse("an open class");
  }

  void open(std::size_t bytes, bool extended, bool behind_it) {
    copy(bytes);
    levels_.push_back({extended, level().behind || behind_it, level().repeats, out_.size()});
    step_of_choice();
  }

  void group() {
    const bool extended = level().extended;
    if (has("(*") || has("(?{")) refuse("a callout");
    if (has("(?~")) refuse("an absence operator");
    if (has("(?<=") || has("(?<!")) return open(4, extended, true);
    if (has("(?(")) {
      std::size_t end = at_ + 3;
      const auto is_name = [](char c) {
        return is_digit(c) || c == '<' || c == '>' || c == '\'' || c == '_' ||
               (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      };
      while (end < pattern_.size() && is_name(pattern_[end])) ++end;
      if (end >= pattern_.size() || pattern_[end] != ')') refuse("a condition that is no group");
      return open(end + 1 - at_, extended, false);
    }
    for (const std::string_view simple : {"(?:", "(?=", "(?!", "(?>"})
      if (has(simple)) return open(simple.size(), extended, false);
    if (has("(?<")) return open(behind(">", at_) - at_, extended, false);
    if (has("(?'")) return open(behind("'", at_ + 3) - at_, extended, false);
    if (has("(?")) return flags();
    open(1, extended, false);
  }

  // "(?i)" to the end of the group, or "(?i-x:…)".
  void flags() {
    const std::size_t end = std::min(pattern_.find_first_of(":)", at_), pattern_.size() - 1);
    bool extended = level().extended, on = true;
    for (const char c : pattern_.substr(at_ + 2, end - at_ - 2)) {
      if (c == '-') on = false;
      if (c == 'x') extended = on;
    }
    if (pattern_[end] == ':') return open(end + 1 - at_, extended, false);
    copy_to(end + 1);
    level().extended = extended;
  }

  std::string_view pattern_;
  bool every_choice_;
  std::size_t at_ = 0;
  std::string out_;
  std::vector<Level> levels_;
};

}  // namespace

std::string with_steps(std::string_view pattern, StepDensity density) {
  return StepPlanter(pattern, density).run();
}

}  // namespace nibble
