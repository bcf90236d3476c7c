// Reads /proc and /sys/fs/cgroup; what is missing there counts as "no limit".
#include "base/memory.h"

#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>

namespace nibble {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

// The number that stands first in the file; none when there is no file or no number ("max").
std::optional<std::uint64_t> number_in(const fs::path& path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  if (file >> number) return number;
  return std::nullopt;
}

// The number after `key` in a file of lines "key number …"; 0 when it is not there.
std::uint64_t field(const fs::path& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string first;
    std::uint64_t number = 0;
    if (words >> first >> number && first == key) return number;
  }
  return 0;
}

struct CgroupNames {
  const char* limit;
  const char* usage;
  const char* reclaimable;  // in memory.stat: file pages that the kernel takes back when needed
};

// Bytes left in the group and all groups above it, up to `root`.
std::uint64_t left_in_group(const fs::path& root, fs::path group, const CgroupNames& names) {
  std::uint64_t left = kNoLimit;
  while (true) {
    const fs::path folder = root / group.relative_path();
    const auto limit = number_in(folder / names.limit);
    const auto usage = number_in(folder / names.usage);
    if (limit && usage) {
      const std::uint64_t reclaimable = field(folder / "memory.stat", names.reclaimable);
      const std::uint64_t used = *usage - std::min(*usage, reclaimable);
      left = std::min(left, *limit - std::min(*limit, used));
    }
    if (!group.has_relative_path()) return left;
    group = group.parent_path();
  }
}

std::uint64_t cgroup_left() {
  std::uint64_t left = kNoLimit;
  std::ifstream groups("/proc/self/cgroup");  // lines "id:controllers:/path"
  for (std::string line; std::getline(groups, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path group = line.substr(second + 1);
    if (controllers.empty())
      left = std::min(left, left_in_group("/sys/fs/cgroup", group,
                                          {"memory.max", "memory.current", "inactive_file"}));
    else if (controllers == "memory")
      left = std::min(left, left_in_group("/sys/fs/cgroup/memory", group,
                                          {"memory.limit_in_bytes", "memory.usage_in_bytes",
                                           "total_inactive_file"}));
  }
  return left;
}

std::uint64_t address_space_left() {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kNoLimit;
  const std::uint64_t mapped = field("/proc/self/status", "VmSize:") * 1024;
  return limit.rlim_cur - std::min<std::uint64_t>(limit.rlim_cur, mapped);
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

}  // namespace

std::uint64_t available_memory() {
  std::uint64_t available = field("/proc/meminfo", "MemAvailable:") * 1024;
  if (available == 0) available = kNoLimit;
  return std::min({available, cgroup_left(), address_space_left()});
}

MemoryUse memory_use() {
  const fs::path status = "/proc/self/status";
  return {.resident = field(status, "VmRSS:") * 1024,
          .anonymous = field(status, "RssAnon:") * 1024,
          .peak_resident = field(status, "VmHWM:") * 1024};
}

double cpu_seconds() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace nibble
