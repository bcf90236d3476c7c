#include "quantize/calibration/samples.h"

#include <algorithm>
#include <vector>

namespace nibble {

std::size_t chunk_windows(std::size_t length) {
  constexpr std::size_t kChunkTokens = 2048;
  return std::max<std::size_t>(1, kChunkTokens / std::max<std::size_t>(1, length));
}

void for_stage_inputs(const Block& block, Matrix hidden, std::size_t length, Compute compute,
                      const UseInput& use) {
  std::vector<Sequence> sequences;
  for (std::size_t row = 0; row < hidden.rows; row += length)
    sequences.push_back({row, length, 0, nullptr});
  Tensor input(hidden.rows, hidden.columns);
  block.attention_input(hidden, input.view());
  use(Stage::kAttentionIn, input.view());
  Tensor mixed(hidden.rows, block.linear(Role::kOutput).inputs());
  block.attend(input.view(), sequences, RopeTables(*block.hyper, sequences), mixed.view(), compute);
  use(Stage::kAttentionOut, mixed.view());
  block.attention_output(mixed.view(), hidden, compute);
  block.mlp_input(hidden, input.view());
  use(Stage::kMlpIn, input.view());
  Tensor activated(hidden.rows, block.linear(Role::kDown).inputs());
  block.mlp_activate(input.view(), activated.view(), compute);
  use(Stage::kMlpOut, activated.view());
}

}  // namespace nibble
