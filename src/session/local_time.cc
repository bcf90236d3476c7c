#include "session/local_time.h"

#include <ctime>

namespace nibble {

std::int64_t local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm local = {};
  localtime_r(&now, &local);
  return now + local.tm_gmtoff;
}

}  // namespace nibble
