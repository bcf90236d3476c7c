// nibble.json of a pruned model: where it came from, what was asked, what each matrix lost.
#pragma once

#include "base/json.h"
#include "prune/prune.h"

namespace nibble {

// `base`, `tokenizer`: hashes by file name. Holds nothing that differs between two runs.
Json prune_passport(const PruneOptions& options, const PruneResult& result, Json base,
                    Json tokenizer, std::string_view type);

// Of one matrix: name, weights, zeros, weight_error, output_error, damping_added, dead_columns,
// notes; as the passport and --json have it.
Json pruned_json(const PrunedModule& module);

}  // namespace nibble
