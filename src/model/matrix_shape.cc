#include "model/matrix_shape.h"

namespace nibble {

MatrixShape matrix_shape(Role role, const HyperParams& hyper) {
  const std::size_t queries = hyper.heads * hyper.head_dim;
  const std::size_t keys = hyper.kv_heads * hyper.head_dim;
  switch (role) {
    case Role::kQuery:
      return {queries, hyper.hidden};
    case Role::kKey:
    case Role::kValue:
      return {keys, hyper.hidden};
    case Role::kOutput:
      return {hyper.hidden, queries};
    case Role::kGate:
    case Role::kUp:
      return {hyper.mlp_hidden, hyper.hidden};
    case Role::kDown:
      break;
  }
  return {hyper.hidden, hyper.mlp_hidden};
}

}  // namespace nibble
