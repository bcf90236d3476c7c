// The tensors of a pruned model: layers whose rows and columns went, and whatever else has one
// number for each of them.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "model/matrix_shape.h"
#include "model/source.h"
#include "nibble/dtype.h"
#include "prune/structure.h"

namespace nibble {

class SmallerParts {
 public:
  // `source` outlives this.
  SmallerParts(const ModelSource& source, const Structure& structure);

  // Of all weights: that of the source where it has 16 bits, else bfloat16.
  DType type() const { return type_; }
  std::string_view type_name() const { return type_ == DType::kF16 ? "f16" : "bf16"; }
  // Of one layer's matrices.
  std::uint64_t weights_before() const;
  std::uint64_t weights_after() const;

  // A tensor of the source, with the type and shape that it gets.
  TensorInfo planned(TensorInfo info) const;
  // A layer's matrix, which weight() gives?
  bool is_weight(const std::string& tensor) const { return layers_.contains(tensor); }

  // Which inputs of o and of down stay; empty: all.
  void keep(std::size_t layer, std::vector<std::size_t> heads, std::vector<std::size_t> channels);
  // A matrix as it is written, from `dense` [outputs, inputs] or, where that has no rows, from the
  // source's weights. After keep().
  std::vector<std::byte> weight(std::size_t layer, Role role, ConstMatrix dense) const;
  // Any other tensor, of which the source has `bytes`; lasts until the next call.
  std::span<const std::byte> carried(const TensorInfo& info, std::span<const std::byte> bytes);

 private:
  struct Place {
    std::size_t layer = 0;
    Role role = Role::kQuery;
  };
  struct Kept {
    std::vector<std::size_t> queries, keys, channels;  // rows; empty: all
  };
  MatrixShape size(Role role) const;  // as it is written
  const std::vector<std::size_t>& rows_of(std::size_t layer, Role role) const;
  const std::vector<std::size_t>& columns_of(std::size_t layer, Role role) const;
  bool becomes_short(const TensorInfo& info) const;

  const ModelSource& source_;
  Structure structure_;
  DType type_ = DType::kBF16;
  std::map<std::string, Place> layers_, biases_;  // by the tensor's name
  std::vector<Kept> kept_;
  std::vector<std::byte> room_;
};

}  // namespace nibble
