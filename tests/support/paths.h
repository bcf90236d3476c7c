// Where the tests find the project's files and the program. Values of one small source, so that the
// compiled tests are the same in every checkout.
#pragma once

namespace nibble {

extern const char* const kSourceFolder;  // of the whole project
extern const char* const kProgram;       // the nibble program of this build; may not exist

}  // namespace nibble
