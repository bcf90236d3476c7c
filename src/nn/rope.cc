#include "nn/rope.h"

#include <cmath>

namespace nibble {

RopeTable::RopeTable(std::span<const double> frequencies, std::size_t first_position,
                     std::size_t count)
    : first(first_position), cosines(count, frequencies.size()), sines(count, frequencies.size()) {
  for (std::size_t p = 0; p < count; ++p)
    for (std::size_t i = 0; i < frequencies.size(); ++i) {
      // The field computes the angle in float32; larger positions would differ otherwise.
      const float angle = static_cast<float>(first + p) * static_cast<float>(frequencies[i]);
      cosines.view()(p, i) = static_cast<float>(std::cos(static_cast<double>(angle)));
      sines.view()(p, i) = static_cast<float>(std::sin(static_cast<double>(angle)));
    }
}

namespace {

// `direction`: 1, or −1 to turn back.
void turn(Matrix rows, std::size_t head_dim, const RopeTable& table, std::size_t position,
          float direction) {
  const std::size_t half = head_dim / 2;
  for (std::size_t r = 0; r < rows.rows; ++r) {
    const float* cosine = table.cosines.view().row(position + r - table.first);
    const float* sine = table.sines.view().row(position + r - table.first);
    for (std::size_t head = 0; head < rows.columns; head += head_dim) {
      float* low = rows.row(r) + head;
      float* high = low + half;
      for (std::size_t i = 0; i < half; ++i) {
        const float a = low[i], b = high[i];
        low[i] = a * cosine[i] - b * (direction * sine[i]);
        high[i] = b * cosine[i] + a * (direction * sine[i]);
      }
    }
  }
}

}  // namespace

void apply_rope(Matrix rows, std::size_t head_dim, const RopeTable& table, std::size_t position) {
  turn(rows, head_dim, table, position, 1);
}

void undo_rope(Matrix rows, std::size_t head_dim, const RopeTable& table, std::size_t position) {
  turn(rows, head_dim, table, position, -1);
}

}  // namespace nibble
