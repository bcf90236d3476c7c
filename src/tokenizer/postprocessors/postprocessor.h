// Puts special tokens around the ids of a text.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "tokenizer/component.h"

namespace nibble::tokenizer {

using Ids = std::vector<std::int32_t>;

class Postprocessor {
 public:
  virtual ~Postprocessor() = default;
  virtual Ids apply(Ids ids, bool add_special) const = 0;
};

// before + ids + after.
std::unique_ptr<Postprocessor> surround(Ids before, Ids after);

namespace postprocessors {
std::span<const Kind<Postprocessor>* const> all();
std::unique_ptr<Postprocessor> read(const Json& settings);
}  // namespace postprocessors

}  // namespace nibble::tokenizer
