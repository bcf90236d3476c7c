#include "cli/messages.h"

#include <cstdio>

namespace nibble::cli {

void tell(std::string_view text) noexcept { std::fwrite(text.data(), 1, text.size(), stderr); }

}  // namespace nibble::cli
