// How a job that was stopped is taken up again.
#pragma once

namespace nibble {

// A long job keeps what it has done in a folder, OUT.journal beside an output, until it is complete.
// The same job, from the same inputs, then goes on from there, and its result is the same byte for
// byte.
enum class Resume {
  kAuto,      // go on where there is something to go on from
  kRequired,  // refuse to begin anew
  kNever,     // begin anew, whatever is there
};

}  // namespace nibble
