#include "base/json.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/files.h"
#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

[[noreturn]] void fail(std::size_t offset, std::string_view why) {
  throw Error(ErrorKind::kCorruptFile, cat("not valid JSON at byte ", offset, ": ", why));
}

// First pass over the text: refuses what the DOM parser would accept silently (a key given twice)
// or only survive with luck (very deep nesting). Builds nothing but the keys of open objects.
class Guard : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Guard(const JsonLimits& limits) : limits_(limits) {}

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    open_keys_.emplace_back();
    return deeper();
  }
  bool key(string_t& name) override {
    if (++keys_ > limits_.keys) fail(0, cat("more than ", limits_.keys, " keys"));
    if (!open_keys_.back().insert(name).second)
      fail(0, cat("key \"", name.substr(0, 100), "\" is given twice"));
    return true;
  }
  bool end_object() override {
    open_keys_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override { return deeper(); }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t offset, const std::string&,
                   const nlohmann::detail::exception& error) override {
    const std::string text = error.what();
    const auto colon = text.find(": ");
    fail(offset, colon == std::string::npos ? text : text.substr(colon + 2));
  }

 private:
  bool deeper() {
    if (++depth_ > limits_.depth) fail(0, cat("nested deeper than ", limits_.depth, " levels"));
    return true;
  }

  JsonLimits limits_;
  std::size_t depth_ = 0;
  std::size_t keys_ = 0;
  std::vector<std::set<std::string>> open_keys_;
};

const Json* present(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

[[noreturn]] void wrong(const char* key, const Json& value, std::string_view expected) {
  const std::string shown = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  throw Error(ErrorKind::kCorruptFile,
              cat("\"", key, "\" is ", shown.substr(0, 80), "; expected ", expected));
}

}  // namespace

Json parse_json(std::string_view text, const JsonLimits& limits) {
  // The parser takes a zero byte for the end of the text and would not look at what follows.
  if (const auto zero = text.find('\0'); zero != text.npos) fail(zero, "zero byte");
  Guard guard(limits);
  nlohmann::json::sax_parse(text, &guard);
  return Json::parse(text);
}

Json read_json(const std::filesystem::path& path, std::uint64_t max_bytes) {
  const std::string text = read_file(path, max_bytes);  // its messages have the path already
  return with_context(path.string(), [&] { return parse_json(text); });
}

std::int64_t json_int(const Json& object, const char* key, std::int64_t otherwise, std::int64_t low,
                      std::int64_t high) {
  const Json* value = present(object, key);
  if (value == nullptr) return otherwise;
  const std::string expected = cat("an integer from ", low, " to ", high);
  std::int64_t number = 0;
  if (value->is_number_unsigned()) {
    const auto unsigned_number = value->get<std::uint64_t>();
    if (unsigned_number > static_cast<std::uint64_t>(INT64_MAX)) wrong(key, *value, expected);
    number = static_cast<std::int64_t>(unsigned_number);
  } else if (value->is_number_integer()) {
    number = value->get<std::int64_t>();
  } else if (value->is_number_float()) {
    const double real = value->get<double>();
    if (!(std::abs(real) < 9e15) || real != std::floor(real)) wrong(key, *value, expected);
    number = static_cast<std::int64_t>(real);
  } else {
    wrong(key, *value, expected);
  }
  if (number < low || number > high) wrong(key, *value, expected);
  return number;
}

double json_number(const Json& object, const char* key, double otherwise) {
  const Json* value = present(object, key);
  if (value == nullptr) return otherwise;
  if (!value->is_number() || !std::isfinite(value->get<double>()))
    wrong(key, *value, "a finite number");
  return value->get<double>();
}

bool json_bool(const Json& object, const char* key, bool otherwise) {
  const Json* value = present(object, key);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) wrong(key, *value, "true or false");
  return value->get<bool>();
}

std::string json_string(const Json& object, const char* key, std::string_view otherwise) {
  const Json* value = present(object, key);
  if (value == nullptr) return std::string(otherwise);
  if (!value->is_string()) wrong(key, *value, "a string");
  return value->get<std::string>();
}

}  // namespace nibble
