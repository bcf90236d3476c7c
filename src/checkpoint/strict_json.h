// JSON from untrusted files, read as a stream of events: nothing is kept but what a reader asks
// for, so a file cannot make us allocate a multiple of its size.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace nibble {

// Every event is refused with `unexpected` until a derived reader accepts it.
class StrictJson : public nlohmann::json_sax<nlohmann::json> {
 public:
  // Throws kCorruptFile: bad syntax or UTF-8, a control character, a string or number longer than
  // `kMaxToken` bytes.
  void run(std::string_view text);

  static constexpr std::size_t kMaxToken = 8u << 20;

 protected:
  // The text of the error, with where in the file it is as far as the reader knows.
  virtual std::string refusal(const std::string& why) const = 0;
  [[noreturn]] void fail(const std::string& why) const;
  [[noreturn]] void unexpected(std::string_view what) const;

  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("true or false"); }
  bool number_integer(number_integer_t) override { unexpected("a negative number"); }
  bool number_unsigned(number_unsigned_t) override { unexpected("a number"); }
  bool number_float(number_float_t, const string_t& text) override;
  bool string(string_t&) override { unexpected("a string"); }
  bool binary(binary_t&) override { unexpected("binary data"); }
  bool start_object(std::size_t) override { unexpected("an object"); }
  bool key(string_t&) override { unexpected("a key"); }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { unexpected("an array"); }
  bool end_array() override { return true; }
  bool parse_error(std::size_t offset, const std::string& token,
                   const nlohmann::detail::exception& error) override;
};

}  // namespace nibble
