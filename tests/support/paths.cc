#include "support/paths.h"

namespace nibble {

const char* const kSourceFolder = NIBBLE_SOURCE_DIR;
const char* const kProgram = NIBBLE_PROGRAM;

}  // namespace nibble
