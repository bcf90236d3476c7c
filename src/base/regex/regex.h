// Regular expressions out of untrusted files and from the user, through Oniguruma. A pattern may be
// made to explode, so matching takes steps from a budget; a step is a piece of work that is at most
// proportional to the text. Breaking a limit is an Error that names the pattern, and a request to
// stop is honoured while a match is being looked for.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace nibble {

class Regex {
 public:
  enum class Syntax {
    kOniguruma,  // tokenizer.json
    kPython,     // what Python's re reads: rules of GPTQ configs, patterns on the command line
  };

  // Throws kCorruptFile when the pattern does not compile or uses what cannot be translated or
  // bounded, naming it; kUnsupported when it is too long.
  explicit Regex(std::string_view pattern, Syntax syntax = Syntax::kOniguruma);
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  struct Time {  // of the calling thread, for one text
    std::chrono::milliseconds always{10'000}, per_megabyte{2'000};
  };
  // Calls found(begin, end) for each match in `text` (well-formed UTF-8), from left to right, none
  // overlapping; an empty match right behind the previous one does not count.
  void each_match(std::string_view text, const std::function<void(std::size_t, std::size_t)>& found,
                  const Time& time) const;
  void each_match(std::string_view text,
                  const std::function<void(std::size_t, std::size_t)>& found) const {
    each_match(text, found, Time());
  }

  // Does it match at the start of a short text (Python's re.match), or anywhere in it (re.search)?
  // The steps that this takes are subtracted; when none are left, that is a kUnsupported.
  bool matches_start(std::string_view text, std::uint64_t& steps_left) const;
  bool matches_anywhere(std::string_view text, std::uint64_t& steps_left) const;

  const std::string& pattern() const { return pattern_; }  // as it was given

 private:
  struct Compiled;
  bool matches(std::string_view text, bool anywhere, std::uint64_t& steps_left) const;
  std::string shown() const;

  std::string pattern_;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace nibble
