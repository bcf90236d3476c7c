// Codes that wait for their refinement, in memory and in the job's journal.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/journal.h"
#include "quantize/refinement/refinement.h"

namespace nibble {

class ChosenList {
 public:
  // `journal`: null where none is kept.
  void add(Journal* journal, const PlannedModule& module, Codes codes);
  // A record of the journal: false where it is none of add(). Throws kCorruptFile where it does not
  // fit the recipe.
  bool restore(const Recipe& recipe, std::string_view record, std::span<const std::byte> bytes);
  std::vector<ChosenCodes> take() { return std::move(list_); }

 private:
  std::vector<ChosenCodes> list_;
  int parts_ = 0;  // of the last that were restored
};

}  // namespace nibble
