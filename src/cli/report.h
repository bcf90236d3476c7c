// How a failed command tells what happened: on stderr for people, as an object on stdout for
// programs, and as an exit code for scripts.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "nibble/error.h"

namespace nibble::cli {

inline constexpr int kInternalError = 1;
inline constexpr int kUsageError = 2;

int exit_code(ErrorKind kind);
std::string_view name(ErrorKind kind);  // "not_found"

struct Failure {
  int exit_code = kInternalError;
  std::string kind;     // "corrupt_file", "internal"
  std::string message;  // "what happened", then lines "  why: …" and "  fix: …"
};
Failure failure_of(const std::exception& problem);

// The parts of a failure's message, for programs; empty where there is none.
struct MessageParts {
  std::string what, why, fix;
};
MessageParts parts_of(const std::string& message);

struct ReportStyle {
  bool json = false;
  bool color = false;
};
// Prints the failure and answers its exit code.
int report(const Failure& failure, const ReportStyle& style);

// Names an unknown word and the nearest known ones: kInvalidArgument.
Error unknown_word(std::string_view what, std::string_view word,
                   const std::vector<std::string>& known, std::string_view list_all);

}  // namespace nibble::cli
