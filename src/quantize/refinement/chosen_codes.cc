#include "quantize/refinement/chosen_codes.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

// One record for each part, one after another.
constexpr std::string_view kRecord = "codes:";
constexpr int kParts = 4;

template <typename Use>
void for_parts(Codes& codes, const Use& use) {
  use(codes.codes);
  use(codes.scales);
  use(codes.zeros);
  use(codes.stored_scales);
}

}  // namespace

void ChosenList::add(Journal* journal, const PlannedModule& module, Codes codes) {
  if (journal != nullptr)
    for_parts(codes, [&](const auto& part) {
      journal->add(cat(kRecord, module.name), std::as_bytes(std::span(part)));
    });
  list_.push_back({&module, std::move(codes)});
}

bool ChosenList::restore(const Recipe& recipe, std::string_view record,
                         std::span<const std::byte> bytes) {
  if (!record.starts_with(kRecord)) return false;
  record.remove_prefix(kRecord.size());
  if (parts_ == 0) {
    const auto module = std::find_if(recipe.modules.begin(), recipe.modules.end(),
                                     [&](const PlannedModule& m) { return m.name == record; });
    if (module == recipe.modules.end())
      throw Error(ErrorKind::kCorruptFile, cat("the journal has codes of ", record));
    const CodeShape& shape = module->shape;
    list_.push_back(
        {&*module, make_codes(*shape.grid, shape.rows, shape.columns, shape.group_size)});
  }
  int part = 0;
  for_parts(list_.back().codes, [&](auto& values) {
    if (part++ != parts_) return;
    using Value = typename std::remove_reference_t<decltype(values)>::value_type;
    const bool fixed = part != kParts;  // the last has a length of its own
    if (bytes.size() % sizeof(Value) != 0 ||
        (fixed && bytes.size() != values.size() * sizeof(Value)))
      throw Error(ErrorKind::kCorruptFile, cat("the journal's codes of ", record, " are cut"));
    values.resize(bytes.size() / sizeof(Value));
    if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  });
  parts_ = (parts_ + 1) % kParts;
  return true;
}

}  // namespace nibble
