// Counts what operator new hands out, so that a test can state how much memory a call may take.
// A test program that uses this gets the counting operators for all of its code.
#pragma once

#include <cstddef>

namespace nibble::test {

std::size_t live_bytes();  // now

// The largest number of bytes that were live at once since construction, beyond those live then.
class AllocationPeak {
 public:
  AllocationPeak();
  std::size_t bytes() const;

 private:
  std::size_t start_;
};

}  // namespace nibble::test
