// Regular expressions from tokenizer files, through Oniguruma. They are untrusted: matching works
// under limits that grow with the text, and breaking one is an Error that names the pattern.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace nibble::tokenizer {

class Regex {
 public:
  // Throws kCorruptFile when the pattern does not compile.
  explicit Regex(std::string_view pattern);
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  // Calls found(begin, end) for each match in `text` (well-formed UTF-8), from left to right, none
  // overlapping; an empty match right behind the previous one does not count.
  void each_match(std::string_view text,
                  const std::function<void(std::size_t, std::size_t)>& found) const;

  const std::string& pattern() const { return pattern_; }

 private:
  struct Compiled;
  std::string pattern_;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace nibble::tokenizer
