// How the writers of GGUF files refuse a tokenizer.
#pragma once

#include <string>

#include "nibble/error.h"

namespace nibble {

[[noreturn]] inline void no_counterpart(const std::string& what) {
  throw Error(ErrorKind::kUnsupported, what,
              "write a model folder, which keeps tokenizer.json, instead of a GGUF file");
}

}  // namespace nibble
