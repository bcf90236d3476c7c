// Run-time formats of the widths that have none of their own: 32 codes as a dense stream.
#pragma once

#include "formats/format.h"

namespace nibble::formats {

// Null unless bits is 1 … 8.
const Format* stream_of(int bits);

}  // namespace nibble::formats
