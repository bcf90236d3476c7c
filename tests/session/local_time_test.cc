#include "session/local_time.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <string>

namespace nibble {
namespace {

// Sets the zone of this process while it lives.
class Zone {
 public:
  explicit Zone(const char* name) {
    if (const char* before = std::getenv("TZ")) before_ = before;
    setenv("TZ", name, 1);
    tzset();
  }
  ~Zone() {
    before_.empty() ? unsetenv("TZ") : setenv("TZ", before_.c_str(), 1);
    tzset();
  }
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;

 private:
  std::string before_;
};

// Seconds that the local time is ahead of the world's, to the nearest minute.
std::int64_t ahead() {
  return (local_time() - static_cast<std::int64_t>(std::time(nullptr)) + 30) / 60 * 60;
}

TEST(LocalTime, IsTheWorldsTimeMovedByTheZone) {
  {
    const Zone zone("UTC0");
    EXPECT_EQ(ahead(), 0);
  }
  {
    const Zone zone("EAST-5:30");  // POSIX counts hours to the west
    EXPECT_EQ(ahead(), (5 * 60 + 30) * 60);
  }
}

}  // namespace
}  // namespace nibble
