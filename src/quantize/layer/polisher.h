// Improves finished codes by coordinate descent on the layer's own error tr(D·H·Dᵀ), D = W − Ŵ.
#pragma once

#include <vector>

#include "quantize/layer/rounder.h"
#include "quantize/method.h"

namespace nibble {

// With the gradient g = D·H of a row, moving the row by v changes its error by v·H·vᵀ − 2·v·g.
// Codes move one at a time, then each group's scale and zero with its codes fixed; only moves that
// lower the error are made. Columns are taken in chunks of whole groups: inside a chunk every move
// is felt at once, all other columns feel a chunk's moves together, in one product.
class Polisher {
 public:
  // `task.hessian` is [columns, columns]; `codes` are changed by run().
  Polisher(const Task& task, const Rounder& rounder, Codes& codes);
  // Rows [begin, end); different ranges may run at the same time.
  void run(std::size_t begin, std::size_t end) const;

 private:
  struct Group {
    std::size_t index, first, count;  // columns in order_, from the chunk's first
  };
  struct Chunk {
    std::size_t first = 0, count = 0;  // in order_
    std::vector<Group> groups;         // empty where a group is longer than a chunk
  };
  struct Row;

  // Both: how many codes and groups moved.
  std::size_t polish_chunk(const Chunk& chunk, std::size_t begin, Matrix gradient,
                           Matrix moves) const;
  std::size_t move_codes(const Chunk& chunk, Row& row) const;
  bool move_code(const Chunk& chunk, std::size_t place, Row& row) const;
  bool move_vector(const Chunk& chunk, std::size_t place, Row& row) const;
  bool move_group(const Chunk& chunk, const Group& group, Row& row) const;
  bool move_zero(const Chunk& chunk, const Group& group, Row& row) const;
  double curve(const Chunk& chunk, const Group& group, const Row& row) const;
  bool move(const Chunk& chunk, const Group& group, double step, Row& row) const;

  const Task& task_;
  const Rounder& rounder_;
  const Grid& grid_;
  Codes& codes_;
  std::size_t groups_;
  std::vector<std::size_t> order_;  // columns, group by group
  Tensor ordered_;                  // H in that order, where it is not the columns' own
  ConstMatrix hessian_;
  std::vector<Chunk> chunks_;
};

}  // namespace nibble
