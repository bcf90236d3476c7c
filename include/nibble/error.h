// The one exception of the project. A message says where, what was found, what was expected and,
// where it helps, what to do; the kind is for programs.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace nibble {

enum class ErrorKind {
  kInvalidArgument,  // the caller asked for something that makes no sense   (exit code 2)
  kNotFound,         // a file, model or tensor that should exist does not   (exit code 3)
  kCorruptFile,      // a file breaks the rules of its own format            (exit code 3)
  kUnsupported,      // valid, but not something this program handles        (exit code 3)
  kResource,         // memory, disk space or permission                     (exit code 4)
  kNumeric,          // non-finite values, or a quality gate not reached     (exit code 5)
  kInterrupted,      // a signal asked the job to stop                       (exit code 130)
};

// what(): the full text, "what happened", then optional lines "  why: …" and "  fix: …".
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  Error(ErrorKind kind, const std::string& message, std::string_view fix)
      : std::runtime_error(message + "\n  fix: " + std::string(fix)), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

// Runs `action`; an Error leaving it gets `where` and a colon in front of its text.
template <typename Action>
decltype(auto) with_context(std::string_view where, Action&& action) {
  try {
    return std::forward<Action>(action)();
  } catch (const Error& error) {
    throw Error(error.kind(), std::string(where) + ": " + error.what());
  }
}

}  // namespace nibble
