// What an option's number must be, said in the error for any other value.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>

namespace nibble::cli {

CLI::Validator whole_number(std::int64_t low, std::int64_t high);

// NaN is no number.
CLI::Validator number_from(double low, double high);

}  // namespace nibble::cli
