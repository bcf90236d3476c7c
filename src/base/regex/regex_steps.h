// Plants counting callouts into a regular expression, so that its matching can be bounded.
#pragma once

#include <string>
#include <string_view>

namespace nibble {

inline constexpr std::string_view kStepName = "STEP";

// Between two steps the work is at most proportional to the text, …
enum class StepDensity {
  kLoops,    // … times what the engine's own limit of steps back allows: cheap, for long texts
  kChoices,  // … and nothing multiplies it: a count of steps is a measure of time
};

// `pattern` in Oniguruma's syntax, known to compile, with "(*STEP)" before each loop and reference,
// and at its start when it is long; kChoices: also at its start and that of each group and
// alternative, and before everything repeated. Matches the same. Throws kCorruptFile naming what
// cannot be bounded so.
std::string with_steps(std::string_view pattern, StepDensity density);

}  // namespace nibble
