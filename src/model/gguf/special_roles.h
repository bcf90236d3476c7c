// Which tokens of a model folder have a role, as a GGUF file says it: by id.
#pragma once

#include <filesystem>
#include <string_view>

#include "checkpoint/gguf_vocabulary.h"
#include "nibble/tokenizer.h"

namespace nibble {

// Fills bos, eos, unk, pad and eot, add_bos and add_eos. `vocabulary` has its tokens, types and
// chat template. What is put around a text is what `tokenizer` does, whatever the files' flags say.
// Throws kUnsupported when that is more than the BOS token in front and the EOS token behind, and
// kCorruptFile.
void set_special_roles(const std::filesystem::path& folder, const Tokenizer& tokenizer,
                       GgufVocabulary& vocabulary);

}  // namespace nibble
