// A quantization job in its journal: what makes it the same job, and its state between two layers.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/journal.h"
#include "quantize/calibration/samples.h"
#include "quantize/passport.h"

namespace nibble {

// Where the journal of a job with this output lies: OUT.journal.
std::filesystem::path journal_place(const std::filesystem::path& output);
// What to tell of a journal that lies there after a job which had none; empty: there is none.
std::string left_journal_note(const std::filesystem::path& output);

// All that the output's bytes depend on. `parts` needs no modules, and no calibration where the
// model writes its own.
Json job_identity(const PassportParts& parts);

// Before the first layer, or after the layer with number `layers` - 1.
struct JobState {
  std::size_t layers = 0;
  Calibration calibration;
  std::vector<ModuleReport> modules;  // of the layers before
  std::vector<std::string> transform_notes;
};

// `samples`: null, or the activations that enter layer `layers`.
void keep_state(Journal& journal, const JobState& state, const Samples* samples);
// The journal has a state. Throws kCorruptFile where it does not fit the recipe.
JobState kept_state(const Journal& journal, const Recipe& recipe);
// Brings the activations of that state back, where layers were done.
void restore_samples(const Journal& journal, Samples& samples);

}  // namespace nibble
