// Cuts a text into the pieces that the model encodes one by one.
#pragma once

#include <memory>
#include <span>

#include "tokenizer/component.h"
#include "tokenizer/pieces.h"

namespace nibble::tokenizer {

class Pretokenizer {
 public:
  virtual ~Pretokenizer() = default;
  virtual void apply(Pieces& pieces) const = 0;
};

namespace pretokenizers {
std::span<const Kind<Pretokenizer>* const> all();
std::unique_ptr<Pretokenizer> read(const Json& settings);
}  // namespace pretokenizers

}  // namespace nibble::tokenizer
