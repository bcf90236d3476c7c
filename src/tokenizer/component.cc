// Checked access to the JSON of one component.
#include "tokenizer/component.h"

#include "tokenizer/unicode.h"

namespace nibble::tokenizer {
namespace {

constexpr int kMaxParts = 256;

int count_parts(const Json& value) {
  if (!value.is_structured()) return 0;
  int parts = value.is_object() && value.contains("type") ? 1 : 0;
  for (const Json& child : value) {
    parts += count_parts(child);
    if (parts > kMaxParts) break;
  }
  return parts;
}

}  // namespace

const Json& required(const Json& object, const char* key) {
  if (!object.is_object())
    throw Error(ErrorKind::kCorruptFile,
                cat("expected an object with \"", key, "\", found ", object.type_name()));
  const auto found = object.find(key);
  if (found == object.end() || found->is_null())
    throw Error(ErrorKind::kCorruptFile, cat("\"", key, "\" is missing"));
  return *found;
}

std::string required_string(const Json& object, const char* key) {
  required(object, key);
  return json_string(object, key, "");
}

const Json& required_array(const Json& object, const char* key) {
  const Json& value = required(object, key);
  if (!value.is_array())
    throw Error(ErrorKind::kCorruptFile,
                cat("\"", key, "\" is of type ", value.type_name(), "; expected an array"));
  return value;
}

char32_t required_character(const Json& object, const char* key) {
  const std::string text = required_string(object, key);
  if (text.empty() || character_bytes(text[0]) != text.size())
    throw Error(ErrorKind::kCorruptFile,
                cat("\"", key, "\" is \"", text.substr(0, 40), "\"; expected one character"));
  std::size_t position = 0;
  return next_character(text, position);
}

void check_growth(std::size_t bytes, std::size_t limit) {
  if (bytes > limit)
    throw Error(ErrorKind::kUnsupported,
                cat("the tokenizer's own rules blow this text up to more than ", limit, " bytes"),
                "tokenizer.json is damaged or hostile; take it from its source again");
}

void check_size(const Json& component) {
  if (count_parts(component) > kMaxParts)
    throw Error(ErrorKind::kUnsupported, cat("a chain of more than ", kMaxParts, " components"));
}

void unknown_component(std::string_view what, std::string_view type,
                       std::span<const std::string> known) {
  throw Error(ErrorKind::kUnsupported, cat(what, " \"", type.substr(0, 60),
                                           "\" is not supported; known: ", join(known, ", ")));
}

}  // namespace nibble::tokenizer
