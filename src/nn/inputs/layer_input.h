// The input of one or more linear layers, with its rounded forms made once and shared.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/aligned_vector.h"
#include "nibble/tensor.h"

namespace nibble {

class ByteMatrix;
class SplitRows;
class TiledBytes;

// Looks at `x`, which must not change meanwhile. A form is made, on all threads, when it is first
// asked for: by one thread; from then on several may read it.
class LayerInput {
 public:
  LayerInput(ConstMatrix x);  // NOLINT: layers are called with plain matrices too
  LayerInput(Matrix x);       // NOLINT
  // Of whole numbers that are bytes already.
  LayerInput(ConstMatrix x, ByteMatrix bytes);
  ~LayerInput();

  ConstMatrix values() const { return x_; }
  const ByteMatrix& bytes() const;  // blocks of 32 columns, padded with zeros
  const TiledBytes& byte_tiles(int offset) const;
  const SplitRows& split(float threshold) const;               // as LLM.int8 takes them
  const std::vector<std::uint16_t>& bfloat16() const;          // contiguous
  const AlignedVector<std::uint16_t>& bfloat16_tiles() const;  // where has_bfloat16_panels()

 private:
  ConstMatrix x_;
  mutable std::unique_ptr<ByteMatrix> bytes_;
  mutable std::unique_ptr<SplitRows> split_;
  mutable std::vector<std::unique_ptr<TiledBytes>> byte_tiles_;  // one for each offset asked for
  mutable std::vector<std::uint16_t> bfloat16_;
  mutable AlignedVector<std::uint16_t> bfloat16_tiles_;
};

}  // namespace nibble
