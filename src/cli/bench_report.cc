#include "cli/bench_report.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "base/text.h"
#include "cli/table.h"
#include "kernels/kernels.h"

namespace nibble::cli {
namespace {

using Texts = std::vector<std::string>;

double mean_seconds(const BenchRow& row) {
  const auto& seconds = row.result.seconds;
  return std::accumulate(seconds.begin(), seconds.end(), 0.0) / static_cast<double>(seconds.size());
}

// Milliseconds; none where the test does not have the figure.
using Figure = std::optional<double>;
Figure first_token(const BenchRow& row) {
  if (row.test.prompt == 0) return std::nullopt;
  return 1e3 * mean_seconds(row);
}
Figure token_time(const BenchRow& row, double share) {
  const auto& steps = row.result.token_seconds;
  if (steps.empty()) return std::nullopt;
  return 1e3 * quantile(steps, share);
}
std::vector<Figure> latencies(const BenchRow& row) {
  return {first_token(row), token_time(row, 0.5), token_time(row, 0.95), token_time(row, 0.99)};
}

Texts shown(const std::vector<Figure>& figures, std::string_view absent) {
  Texts texts;
  for (const Figure& figure : figures)
    texts.push_back(figure ? fmt::format("{:.1f}", *figure) : std::string(absent));
  return texts;
}

std::string percent(const CeilingShare& share) {
  return fmt::format("{:.0f} % {}", 100 * share.share, share.ceiling);
}

std::string ceiling_note(const BenchReport& report) {
  if (report.ceiling_measurements == 1) return {};
  return fmt::format(
      "The ceilings were measured {} times, since a test went above them; the best counts{}.\n",
      report.ceiling_measurements,
      report.exceeds_ceilings() ? ", and is still too low: the machine has other work" : "");
}

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\n") == text.npos) return text;
  std::string inside;
  for (const char c : text) inside += c == '"' ? "\"\"" : std::string(1, c);
  return cat("\"", inside, "\"");
}

Json row_json(const BenchReport& report, const BenchRow& row) {
  std::vector<std::int64_t> ns;
  std::vector<double> rates;
  for (const double seconds : row.result.seconds) {
    ns.push_back(std::llround(seconds * 1e9));
    rates.push_back(static_cast<double>(row.result.tokens) / seconds);
  }
  const auto figure = [](const Figure& value) { return value ? Json(*value) : Json(nullptr); };
  const CeilingShare share = report.share_of(row);
  return {{"test", row.name()},
          {"n_prompt", row.test.prompt},
          {"n_gen", row.test.generate},
          {"n_depth", row.test.depth},
          {"n_parallel", row.test.parallel},
          {"avg_ns", std::llround(mean_seconds(row) * 1e9)},
          {"avg_ts", row.mean},
          {"stddev_ts", row.deviation},
          {"samples_ns", ns},
          {"samples_ts", rates},
          {"of_ceiling", share.share},
          {"ceiling", share.ceiling},
          {"first_token_ms", figure(first_token(row))},
          {"token_p50_ms", figure(token_time(row, 0.5))},
          {"token_p95_ms", figure(token_time(row, 0.95))},
          {"token_p99_ms", figure(token_time(row, 0.99))}};
}

}  // namespace

std::string BenchRow::name() const {
  std::string text = test.prompt > 0 ? cat("pp", test.prompt) : cat("tg", test.generate);
  if (test.depth > 0) text += cat(" @ d", test.depth);
  if (test.parallel > 1) text += cat(" x ", test.parallel);
  return text;
}

BenchRow bench_row(const SpeedTest& test, SpeedResult result, bool int8) {
  BenchRow row{test, std::move(result), int8};
  std::vector<double> rates;
  for (const double seconds : row.result.seconds)
    rates.push_back(static_cast<double>(row.result.tokens) / seconds);
  const auto count = static_cast<double>(rates.size());
  row.mean = std::accumulate(rates.begin(), rates.end(), 0.0) / count;
  for (const double rate : rates) row.deviation += (rate - row.mean) * (rate - row.mean);
  row.deviation = count > 1 ? std::sqrt(row.deviation / (count - 1)) : 0;
  return row;
}

CeilingShare BenchReport::share_of(const BenchRow& row) const {
  return nibble::share_of(ceilings, row.test, row.result, row.mean, row.int8);
}

bool BenchReport::exceeds_ceilings() const {
  for (const BenchRow& row : rows)
    if (share_of(row).share > 1) return true;
  return false;
}

std::string table_text(const BenchReport& report) {
  Table table({"test", "tokens/s", "of ceiling", "first ms", "p50 ms", "p95 ms", "p99 ms"});
  for (const BenchRow& row : report.rows) {
    Texts cells = {row.name(), fmt::format("{:.2f} ± {:.2f}", row.mean, row.deviation),
                   percent(report.share_of(row))};
    for (std::string& text : shown(latencies(row), "-")) cells.push_back(std::move(text));
    table.add(std::move(cells));
  }
  return fmt::format("{}, {}, {:.1f} M parameters\n{}, {} threads, {}, cache {}\n\n{}{}",
                     report.kind, human_bytes(report.bytes),
                     static_cast<double>(report.parameters) / 1e6, report.instruction_set,
                     report.threads, report.compute, report.kv, table.text(), ceiling_note(report));
}

std::string markdown_text(const BenchReport& report) {
  std::string text;
  const auto line = [&](const Texts& cells) { text += cat("| ", join(cells, " | "), " |\n"); };
  const Texts heads = {"model",   "size",   "params",   "backend",    "threads",
                       "compute", "test",   "tokens/s", "of ceiling", "first token ms",
                       "p50 ms",  "p95 ms", "p99 ms"};
  line(heads);
  line(Texts(heads.size(), "---"));
  for (const BenchRow& row : report.rows) {
    Texts cells = {report.kind,
                   human_bytes(report.bytes),
                   fmt::format("{:.2f} M", static_cast<double>(report.parameters) / 1e6),
                   cat("CPU ", report.instruction_set),
                   cat(report.threads),
                   report.compute,
                   row.name(),
                   fmt::format("{:.2f} ± {:.2f}", row.mean, row.deviation),
                   percent(report.share_of(row))};
    for (std::string& figure : shown(latencies(row), "-")) cells.push_back(std::move(figure));
    line(cells);
  }
  const std::string note = ceiling_note(report);
  return note.empty() ? text : cat(text, "\n", note);
}

std::string csv_text(const BenchReport& report) {
  std::string text =
      "model,model_type,size_bytes,parameters,instruction_set,threads,compute,kv,test,n_prompt,"
      "n_gen,n_depth,n_parallel,tokens_per_second,tokens_per_second_stddev,of_ceiling_percent,"
      "ceiling,first_token_ms,token_p50_ms,token_p95_ms,token_p99_ms\n";
  for (const BenchRow& row : report.rows) {
    const CeilingShare share = report.share_of(row);
    Texts cells = {quoted(report.model),
                   quoted(report.kind),
                   cat(report.bytes),
                   cat(report.parameters),
                   report.instruction_set,
                   cat(report.threads),
                   report.compute,
                   report.kv,
                   row.name(),
                   cat(row.test.prompt),
                   cat(row.test.generate),
                   cat(row.test.depth),
                   cat(row.test.parallel),
                   fmt::format("{:.3f}", row.mean),
                   fmt::format("{:.3f}", row.deviation),
                   fmt::format("{:.1f}", 100 * share.share),
                   share.ceiling};
    for (std::string& figure : shown(latencies(row), "")) cells.push_back(std::move(figure));
    text += cat(join(cells, ","), "\n");
  }
  return text;
}

Json json_of(const BenchReport& report) {
  Json rows = Json::array();
  for (const BenchRow& row : report.rows) rows.push_back(row_json(report, row));
  return {{"model", report.model},
          {"model_type", report.kind},
          {"model_bytes", report.bytes},
          {"parameters", report.parameters},
          {"compute", report.compute},
          {"kv", report.kv},
          {"instruction_set", report.instruction_set},
          {"threads", report.threads},
          {"cpu", cpu_description()},
          {"load_seconds", report.load_seconds},
          {"peak_memory_bytes", report.peak_memory},
          {"ceilings",
           {{"read_bytes_per_second", std::llround(report.ceilings.read_bytes)},
            {"int8_ops_per_second", std::llround(report.ceilings.int8_ops)},
            {"float_ops_per_second", std::llround(report.ceilings.float_ops)},
            {"float", report.ceilings.float_name},
            {"measurements", report.ceiling_measurements}}},
          {"rows", rows}};
}

}  // namespace nibble::cli
