// How the parts of a tokenizer.json are found: {"type": "NFC", …} is looked up in the list of its
// kind (normalizers/list.def and its neighbours), which holds one reader for each type.
#pragma once

#include <cstddef>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "nibble/error.h"

namespace nibble::tokenizer {

template <typename Component>
struct Kind {
  std::string_view type;  // the "type" of the JSON object
  std::unique_ptr<Component> (*read)(const Json& settings) = nullptr;
};

// Getters that insist; each throws kCorruptFile naming the key.
const Json& required(const Json& object, const char* key);
std::string required_string(const Json& object, const char* key);
const Json& required_array(const Json& object, const char* key);
// A string of exactly one character.
char32_t required_character(const Json& object, const char* key);

// A text may grow this far while it is normalized or cut: far more than any real component needs,
// far less than a chain of replacements could make of it.
inline std::size_t growth_limit(std::size_t bytes) { return bytes * 64 + (std::size_t{1} << 20); }
void check_growth(std::size_t bytes, std::size_t limit);

// Throws kUnsupported when `component` holds more than 256 parts (a chain of any real file: ten).
void check_size(const Json& component);

[[noreturn]] void unknown_component(std::string_view what, std::string_view type,
                                    std::span<const std::string> known);

// `what` names the kind in messages: "normalizer".
template <typename Component>
std::unique_ptr<Component> read_component(std::span<const Kind<Component>* const> kinds,
                                          std::string_view what, const Json& settings) {
  const std::string type = required_string(settings, "type");
  for (const Kind<Component>* kind : kinds)
    if (kind->type == type)
      return with_context(cat(what, " ", type), [&] { return kind->read(settings); });
  std::vector<std::string> known;
  for (const Kind<Component>* kind : kinds) known.emplace_back(kind->type);
  unknown_component(what, type, known);
}

// The members of {"type": "Sequence", "<key>": […]}, read one by one with `read`.
template <typename Component>
std::vector<std::unique_ptr<Component>> read_sequence(
    const Json& settings, const char* key,
    std::unique_ptr<Component> (*read)(const Json& settings)) {
  std::vector<std::unique_ptr<Component>> parts;
  for (const Json& part : required_array(settings, key)) parts.push_back(read(part));
  return parts;
}

}  // namespace nibble::tokenizer
