// The model whose predictions are learnt.
#pragma once

#include "model/source.h"

namespace nibble {

// Both must mean the same by each token. Throws kInvalidArgument naming the first that differs.
void require_same_tokens(const ModelSource& student, const ModelSource& teacher);

}  // namespace nibble
