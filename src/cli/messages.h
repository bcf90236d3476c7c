// What people are told beside the data: stderr.
#pragma once

#include <string_view>

namespace nibble::cli {

// Never throws: a job goes on when nobody can read its messages.
void tell(std::string_view text) noexcept;

}  // namespace nibble::cli
