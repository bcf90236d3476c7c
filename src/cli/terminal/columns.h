// Text measured in the columns of a terminal. Every character counts as one column.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::cli {

inline constexpr std::size_t kUnknownWidth = 80;

// Of the terminal behind this descriptor; kUnknownWidth when it is none.
std::size_t terminal_columns(int descriptor);

std::size_t columns_of(std::string_view text);

// The first `columns` of it.
std::string_view cut_to_columns(std::string_view text, std::size_t columns);

// Lines of at most `width` columns, broken at spaces; a longer word has a line of its own.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

}  // namespace nibble::cli
