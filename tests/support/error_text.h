// The text of the Error that a call throws; empty when it throws none.
#pragma once

#include <optional>
#include <string>

#include "nibble/error.h"

namespace nibble::test {

template <typename Action>
std::string error_text(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

template <typename Action>
std::optional<ErrorKind> error_kind(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind();
  }
  return std::nullopt;
}

}  // namespace nibble::test
