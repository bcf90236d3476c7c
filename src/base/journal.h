// What a long job has done so far, kept beside its output until that is complete, so that the same
// job goes on where another one stopped, whatever stopped it. A folder:
//
//   job.json   what the job is, in every detail that its output depends on
//   records    results as they came, one after another: lengths, name, bytes
//   state-N    the blobs of the last keep(), one after another
//   head.json  written last, by renaming: which records and state belong together, and their sums
//
// Bytes after the head's are those of a keep() that never ended.
#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "nibble/resume.h"

namespace nibble {

class Journal {
 public:
  // Opens the journal of `job` in `folder`, which is made. Throws kInvalidArgument where that holds
  // more than a minute of another job's work, or Resume::kRequired finds nothing to go on from;
  // kResource when another process has it open.
  Journal(fs::path folder, const Json& job, Resume resume);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal();  // what was kept stays

  const fs::path& folder() const { return folder_; }
  // As given to keep() by the run before; null: there is nothing to go on from.
  const Json& state() const { return state_; }
  double seconds() const { return seconds_; }  // of work that is kept
  // The blobs of that state, in order; valid until the next keep().
  std::span<const std::span<const std::byte>> blobs() const { return blobs_; }
  using Use = std::function<void(std::string_view name, std::span<const std::byte> bytes)>;
  // The records that belong to it, in the order they came.
  void replay(const Use& use) const;

  // A result. It counts once keep() has been called after it.
  void add(std::string_view name, std::span<const std::byte> bytes);
  // Is it time to keep()? Keeping takes a twentieth of the time at most.
  bool due() const;
  // From now on a run goes on from here. Where the disk is full the journal is given up with a
  // note, and the job goes on without one.
  void keep(const Json& state, std::span<const std::span<const std::byte>> blobs);
  // What keep() had to say; empty otherwise.
  const std::string& note() const { return note_; }
  // The output is complete: nothing is left behind.
  void remove();

 private:
  using Clock = std::chrono::steady_clock;
  void lock();
  void read_head(const Json& job, Resume resume);
  void clear();
  void check_records(const Json& head);
  void map_state(const Json& head);
  void write_all(int file, std::span<const std::byte> bytes, std::uint64_t offset);
  void give_up(std::string_view why);
  double spent() const;

  struct Descriptor {
    int number = -1;
    Descriptor() = default;
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor();
  };

  fs::path folder_;
  Descriptor lock_, records_;
  std::uint64_t record_bytes_ = 0;  // written
  std::uint64_t kept_bytes_ = 0;    // of them, those that count
  std::string record_sums_;         // the SHA-256 of each, one after another
  Json state_;
  MappedFile state_file_;
  std::vector<std::span<const std::byte>> blobs_;
  std::uint64_t turn_ = 0;
  double seconds_ = 0;
  Clock::time_point opened_ = Clock::now(), last_kept_ = opened_;
  double cost_ = 0;  // seconds that the last keep() took
  bool usable_ = true;
  std::string note_;
};

}  // namespace nibble
