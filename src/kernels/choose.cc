// Which table this CPU runs; `--isa` overrides it.
#include <array>
#include <atomic>
#include <cstring>
#include <string>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "base/text.h"
#include "kernels/tables.h"
#include "nibble/error.h"

namespace nibble {
namespace {

#if defined(__x86_64__)
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c");
}
bool has_vnni() { return __builtin_cpu_supports("avx512vnni"); }
// With VNNI: without it, AVX2's byte products are as fast.
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && has_vnni();
}
bool has_bfloat16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }
// Tile registers and their bfloat16 products, and the system's leave to use them: their 8 KiB are
// kept for a process that asks for them. (Linux: Documentation/arch/x86/xstate.rst)
bool has_tiles() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!has_bfloat16() || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  constexpr unsigned kBfloat16 = 1u << 22, kTile = 1u << 24, kInt8 = 1u << 25;
  constexpr unsigned kAll = kBfloat16 | kTile | kInt8;
  constexpr long kRequest = 0x1023, kTileData = 18;
  static const bool granted = syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
  return (d & kAll) == kAll && granted;
}

std::string brand() {
  std::array<unsigned, 12> words{};
  for (unsigned i = 0; i < 3; ++i)
    __get_cpuid(0x80000002 + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
                &words[4 * i + 3]);
  char text[sizeof(words) + 1] = {};
  std::memcpy(text, words.data(), sizeof(words));
  return text;
}

std::string description() {
  return cat(brand(), ", ",
             has_avx512() ? "AVX-512"
             : has_avx2() ? "AVX2"
                          : "no AVX2",
             has_vnni() ? " VNNI" : "", has_bfloat16() ? " BF16" : "", has_tiles() ? " AMX" : "");
}

const Kernels* amx_table() {
  static const Kernels table = with_tiles(avx512::table, "amx", amx::tiles);
  return &table;
}
#define NIBBLE_X86(table) table
#define NIBBLE_ARM(table) nullptr
#elif defined(__aarch64__)
// Every aarch64 CPU has NEON; those before Armv8.2 (Cortex-A72 and older) lack the dot product.
bool has_dot_product() { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
bool has_bfloat16() { return false; }  // no kernel here uses it

std::string description() {
  return cat("aarch64, ", has_dot_product() ? "NEON dot product" : "no NEON dot product");
}

#define NIBBLE_X86(table) nullptr
#define NIBBLE_ARM(table) table
#else
bool has_bfloat16() { return false; }
std::string description() { return "unknown CPU"; }
#define NIBBLE_X86(table) nullptr
#define NIBBLE_ARM(table) nullptr
#endif

// An instruction set there are kernels for. The table of another processor's is not in this build.
struct Known {
  const char* name;
  const Kernels* table;  // null where the CPU cannot run it
};

// Slowest first.
const std::vector<Known>& known() {
  static const std::vector<Known> all = {
      {"scalar", &scalar::table},
      {"avx2", NIBBLE_X86(has_avx2() ? &avx2::table : nullptr)},
      {"avx512", NIBBLE_X86(has_avx512() ? &avx512::table : nullptr)},
      {"amx", NIBBLE_X86(has_tiles() ? amx_table() : nullptr)},
      {"neon", NIBBLE_ARM(has_dot_product() ? &neon::table : nullptr)},
  };
  return all;
}

const Kernels* best() {
  const Kernels* table = nullptr;
  for (const Known& one : known())
    if (one.table != nullptr) table = one.table;
  return table;
}

std::atomic<const Kernels*> chosen = nullptr;

}  // namespace

const Kernels& kernels() {
  // Acquired: the table of AMX is made at run time, by whichever thread asks first.
  const Kernels* table = chosen.load(std::memory_order_acquire);
  if (table == nullptr) {
    table = best();
    chosen = table;
  }
  return *table;
}

void select_kernels(const char* isa) {
  const std::string name = isa;
  if (name == "auto") {
    chosen = best();
    return;
  }
  std::string names = "auto";
  for (const Known& one : known()) {
    if (name != one.name) {
      names += cat(", ", one.name);
      continue;
    }
    if (one.table == nullptr)
      throw Error(ErrorKind::kUnsupported, cat("this CPU cannot run the ", name, " kernels"));
    chosen = one.table;
    return;
  }
  throw Error(ErrorKind::kInvalidArgument, cat("unknown instruction set \"", name, "\""),
              cat("one of: ", names));
}

const char* const* known_kernels() {
  static const std::vector<const char*> names = [] {
    std::vector<const char*> list;
    for (const Known& one : known()) list.push_back(one.name);
    list.push_back(nullptr);
    return list;
  }();
  return names.data();
}

const char* const* runnable_kernels() {
  static const std::vector<const char*> names = [] {
    std::vector<const char*> list;
    for (const Known& one : known())
      if (one.table != nullptr) list.push_back(one.name);
    list.push_back(nullptr);
    return list;
  }();
  return names.data();
}

bool cpu_has_bfloat16() {
  static const bool answer = has_bfloat16();
  return answer;
}

const char* cpu_description() {
  static const std::string text = description();
  return text.c_str();
}

}  // namespace nibble
