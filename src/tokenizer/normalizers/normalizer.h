// Rewrites a text before it is cut into pieces.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "tokenizer/component.h"

namespace nibble::tokenizer {

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  // Well-formed UTF-8 in and out. Throws when the result would pass `limit` bytes.
  virtual std::string apply(std::string text, std::size_t limit) const = 0;
};

namespace normalizers {
std::span<const Kind<Normalizer>* const> all();
std::unique_ptr<Normalizer> read(const Json& settings);
}  // namespace normalizers

}  // namespace nibble::tokenizer
