#include "cli/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "cli/json_output.h"
#include "cli/messages.h"

namespace nibble::cli {

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
      return kUsageError;
    case ErrorKind::kNotFound:
    case ErrorKind::kCorruptFile:
    case ErrorKind::kUnsupported:
      return 3;
    case ErrorKind::kResource:
      return 4;
    case ErrorKind::kNumeric:
      return 5;
    case ErrorKind::kInterrupted:
      return 130;
  }
  return kInternalError;
}

std::string_view name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
      return "invalid_argument";
    case ErrorKind::kNotFound:
      return "not_found";
    case ErrorKind::kCorruptFile:
      return "corrupt_file";
    case ErrorKind::kUnsupported:
      return "unsupported";
    case ErrorKind::kResource:
      return "resource";
    case ErrorKind::kNumeric:
      return "numeric";
    case ErrorKind::kInterrupted:
      return "interrupted";
  }
  return "internal";
}

Failure failure_of(const std::exception& problem) {
  if (const auto* error = dynamic_cast<const Error*>(&problem))
    return {exit_code(error->kind()), std::string(name(error->kind())), error->what()};
  if (dynamic_cast<const std::bad_alloc*>(&problem) != nullptr)
    return {exit_code(ErrorKind::kResource), std::string(name(ErrorKind::kResource)),
            "memory ran out\n  fix: close other programs, or use a smaller model or window"};
  if (dynamic_cast<const std::filesystem::filesystem_error*>(&problem) != nullptr)
    return {exit_code(ErrorKind::kResource), std::string(name(ErrorKind::kResource)),
            problem.what()};
  return {kInternalError, "internal",
          cat("internal error: ", problem.what(),
              "\n  why: this is a mistake in nibble, not in what you asked for\n"
              "  fix: please report it with the command line and the output of nibble --version")};
}

MessageParts parts_of(const std::string& message) {
  MessageParts parts;
  std::string* part = &parts.what;
  std::istringstream lines(message);
  for (std::string line; std::getline(lines, line);) {
    line.erase(0, std::min(line.find_first_not_of(' '), line.size()));
    for (const auto& [head, target] : {std::pair{"why: ", &parts.why}, {"fix: ", &parts.fix}})
      if (line.starts_with(head)) {
        part = target;
        line.erase(0, std::strlen(head));
      }
    *part += cat(part->empty() ? "" : "; ", line);
  }
  return parts;
}

int report(const Failure& failure, const ReportStyle& style) {
  if (style.json) {
    const MessageParts parts = parts_of(failure.message);
    const auto text_or_null = [](const std::string& text) {
      return text.empty() ? Json(nullptr) : Json(text);
    };
    print_json("nibble.error/1", {{"error",
                                   {{"kind", failure.kind},
                                    {"message", parts.what},
                                    {"why", text_or_null(parts.why)},
                                    {"fix", text_or_null(parts.fix)},
                                    {"exit_code", failure.exit_code}}}});
  }
  const char* head = style.color ? "\33[1;31merror:\33[0m" : "error:";
  tell(fmt::format("{} {}\n", head, failure.message));
  return failure.exit_code;
}

Error unknown_word(std::string_view what, std::string_view word,
                   const std::vector<std::string>& known, std::string_view list_all) {
  std::string message = cat("unknown ", what, " \"", word, "\"");
  const std::string near = nearest_name(word, known);
  if (!near.empty()) message += cat("\n  did you mean ", near, "?");
  return Error(ErrorKind::kInvalidArgument, message, cat("list them all:  ", list_all));
}

}  // namespace nibble::cli
