// What `nibble bench` measured, and how it is written: a table for people, CSV and JSON for
// programs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "evaluate/speed.h"

namespace nibble::cli {

struct BenchRow {
  SpeedTest test;
  SpeedResult result;
  bool int8 = false;               // the products are of bytes
  double mean = 0, deviation = 0;  // tokens per second
  std::string name() const;        // "pp512 @ d1024"
};
BenchRow bench_row(const SpeedTest& test, SpeedResult result, bool int8);

struct BenchReport {
  std::string model, kind;  // the path; "llama Q4_0"
  std::uint64_t bytes = 0, parameters = 0;
  std::string compute, kv, instruction_set;
  int threads = 0;
  double load_seconds = 0;
  Ceilings ceilings;
  int ceiling_measurements = 1;
  std::uint64_t peak_memory = 0;
  std::vector<BenchRow> rows;

  CeilingShare share_of(const BenchRow& row) const;
  bool exceeds_ceilings() const;
};

// Within 80 columns, the model above it and, where the ceilings were measured again, a line below.
std::string table_text(const BenchReport& report);
std::string markdown_text(const BenchReport& report);
// Plain numbers, units in the header; what a test does not have stays empty.
std::string csv_text(const BenchReport& report);
Json json_of(const BenchReport& report);

}  // namespace nibble::cli
