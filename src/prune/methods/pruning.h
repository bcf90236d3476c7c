// Methods that choose which single weights go. They are Methods as those that choose codes are, so
// that the same walk serves both, but not in the same list: they give dense weights.
#pragma once

#include <span>
#include <string_view>

#include "quantize/method.h"

namespace nibble::pruning {

std::span<const Method* const> all();
const Method& named(std::string_view name);  // throws kInvalidArgument with the known names

}  // namespace nibble::pruning
