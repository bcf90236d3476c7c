// Every table that can run here, to be compared with the scalar one: those of the CPU, and those
// compiled through SIMDe.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "kernels/tables.h"

namespace nibble {

struct TableUnderTest {
  std::string name;
  const Kernels* table;
};

inline std::vector<TableUnderTest> tables_under_test() {
  std::vector<TableUnderTest> tables;
  for (const char* const* name = runnable_kernels(); *name != nullptr; ++name) {
    if (std::string(*name) == "scalar") continue;  // what the others are compared with
    select_kernels(*name);
    tables.push_back({*name, &kernels()});
  }
  select_kernels("auto");
#ifdef NIBBLE_HAS_PORTABLE_KERNELS
  tables.push_back({"avx2_portable", &avx2_portable::table});
  tables.push_back({"avx512_portable", &avx512_portable::table});
  static const Kernels amx_portable =
      with_tiles(avx512_portable::table, "amx_portable", amx_portable::tiles);
  tables.push_back({"amx_portable", &amx_portable});
  tables.push_back({"neon_portable", &neon_portable::table});
#endif
  return tables;
}

inline std::string name_of(const testing::TestParamInfo<TableUnderTest>& info) {
  return info.param.name;
}

inline void PrintTo(const TableUnderTest& under_test, std::ostream* out) {
  *out << under_test.name;
}

inline const std::size_t kOddCounts[] = {0, 1, 7, 8, 15, 16, 17, 31, 33, 64, 1000};

// Values between −2 and 2. The vector is exactly as long as asked, so that the address sanitizer
// sees a kernel that reads past it.
inline std::vector<float> random_floats(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(4 * random.uniform() - 2);
  return values;
}

// Sums of up to a few thousand floats in any order differ by less than this share of Σ|terms|.
inline constexpr double kSumTolerance = 4e-6;

}  // namespace nibble
