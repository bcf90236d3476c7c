// All of the library's contract.
//
//   open      nibble/model.h       a folder or GGUF file becomes a Model; its tokenizer and facts
//   generate  nibble/model.h       text from a Model, piece by piece
//   measure   nibble/evaluate.h    perplexity; divergence between two models
//   quantize  nibble/quantize.h    a folder of float weights becomes a small one
//
// A job that cannot be done throws nibble::Error, nibble/error.h. Nothing prints, reads the
// environment or ends the process. With CMake: find_package(nibble), link nibble::nibble; programs
// that do so are in examples/.
#pragma once

#include "nibble/compute.h"    // IWYU pragma: export
#include "nibble/error.h"      // IWYU pragma: export
#include "nibble/evaluate.h"   // IWYU pragma: export
#include "nibble/model.h"      // IWYU pragma: export
#include "nibble/process.h"    // IWYU pragma: export
#include "nibble/quantize.h"   // IWYU pragma: export
#include "nibble/resume.h"     // IWYU pragma: export
#include "nibble/tokenizer.h"  // IWYU pragma: export
