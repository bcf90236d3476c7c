// Settings of methods and transforms. Each is declared once, where it is read; command line,
// recipe, passport and documentation take it from there.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

// Either a word of `words` or a number in lowest … highest.
struct OptionSpec {
  std::string_view name;     // "act-order"; typed as --act-order
  std::string_view help;     // one line
  std::string_view initial;  // the value where none is given; kDecided: worked out for each job
  std::span<const std::string_view> words = {};
  double lowest = 0, highest = 0;
  bool whole = false;  // only integers

  bool is_number() const { return words.empty() || highest > lowest; }
};

inline constexpr std::string_view kDecided = "auto";

// Values by name. Every value was checked against its spec when it was set.
class Options {
 public:
  Options() = default;
  // The initial values of `specs`.
  explicit Options(std::span<const OptionSpec* const> specs);

  // Throws kInvalidArgument: unknown word, number out of range; says what is accepted.
  void set(const OptionSpec& spec, std::string value);
  bool has(std::string_view name) const { return values_.contains(name); }
  bool decided(std::string_view name) const { return text(name) != kDecided; }
  // Of options that are there.
  const std::string& text(std::string_view name) const;
  double number(std::string_view name) const;
  const std::map<std::string, std::string, std::less<>>& values() const { return values_; }

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace nibble
