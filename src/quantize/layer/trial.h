// What choosing codes costs on this machine, found out on a small layer.
#pragma once

#include "quantize/method.h"

namespace nibble {

// Seconds of one thread for each weight of a layer of such codes, products with the Hessian and its
// factors included, on a made-up layer of kTrialRows x about kTrialColumns. Takes some hundredths
// of a second.
inline constexpr std::size_t kTrialRows = 128, kTrialColumns = 512;
double trial_seconds(const Method& method, const Grid& grid, std::size_t group_size,
                     const Storable& storable, const Options& options);

}  // namespace nibble
