#include "model/config/checked_keys.h"

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {

void unsupported(std::string_view key, std::string_view value, std::string_view known) {
  throw Error(ErrorKind::kUnsupported, cat("\"", key, "\" is ", value, "; supported: ", known));
}

std::string text_of(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

double number_in(const Json& object, const char* key, double otherwise, double low, double high) {
  const double value = json_number(object, key, otherwise);
  if (!(value >= low && value <= high))
    throw Error(ErrorKind::kCorruptFile,
                cat("\"", key, "\" is ", value, "; expected a number from ", low, " to ", high));
  return value;
}

double positive(const Json& object, const char* key, double otherwise) {
  return number_in(object, key, otherwise, 1e-6, 1e12);
}

}  // namespace nibble
