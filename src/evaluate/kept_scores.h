// What a long measurement has scored so far, kept in a folder until it ends, so that the same one
// goes on where another was stopped, and gives the same figures.
#pragma once

#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "base/journal.h"
#include "evaluate/score_windows.h"
#include "evaluate/scored_text.h"
#include "model/source.h"

namespace nibble {

class KeptScores {
 public:
  // Of these models on this text, in a folder of MeasureOptions::journals that belongs to them
  // alone. Nothing is read or written where that is empty. Files are known by name, size and time;
  // their sums are taken only where there is something to go on from, or to keep. Throws
  // kInvalidArgument where Resume::kRequired finds nothing to go on from.
  KeptScores(std::span<const ModelSource* const> models, const ScoredText& text,
             const MeasureOptions& options);

  std::size_t windows() const { return windows_; }  // scored by the runs before
  // What they scored, one value after another.
  template <typename Value>
  std::vector<Value> values() const {
    static_assert(std::is_trivially_copyable_v<Value>);
    std::vector<Value> values(bytes_.size() / sizeof(Value));
    std::memcpy(values.data(), bytes_.data(), values.size() * sizeof(Value));
    return values;
  }

  // The first `windows` windows are scored; `values` are all of theirs. Keeps them where it is
  // time to.
  template <typename Value>
  void scored(std::size_t windows, const std::vector<Value>& values) {
    static_assert(std::is_trivially_copyable_v<Value>);
    keep(windows, std::as_bytes(std::span(values)));
  }
  // For score_windows, which adds to `values` of `kept`; null: from the first window on.
  template <typename Value>
  static Stretch stretch(KeptScores* kept, std::vector<Value>& values) {
    if (kept == nullptr) return {};
    values = kept->values<Value>();
    return {kept->windows(),
            [kept, &values](std::size_t windows) { kept->scored(windows, values); }};
  }
  // The figures are there: nothing is left behind.
  void remove();

 private:
  using Clock = std::chrono::steady_clock;
  Json job() const;
  void open(Resume resume);
  void keep(std::size_t windows, std::span<const std::byte> values);
  void tell(const std::string& line) const;

  MeasureOptions options_;
  std::vector<std::filesystem::path> files_;
  Json known_;                    // what the figures depend on, files by name, size and time
  std::filesystem::path folder_;  // empty: nothing is kept
  std::optional<Journal> journal_;
  Clock::time_point began_ = Clock::now();
  std::size_t windows_ = 0;
  std::vector<std::byte> bytes_;  // of the runs before
  std::size_t kept_ = 0;          // bytes in the journal
};

}  // namespace nibble
