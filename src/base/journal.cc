#include "base/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/sha256.h"
#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::string_view kSchema = "nibble.journal/1";
constexpr std::string_view kJob = "job.json", kHead = "head.json", kRecords = "records";
constexpr double kWorthAsking = 60;  // seconds of another job's work that are not thrown away
constexpr double kShare = 20;        // time between two keeps, as a multiple of what one takes
constexpr std::uint64_t kMaxHead = 64u << 20;

struct RecordHead {
  std::uint32_t name_bytes = 0;
  std::uint32_t reserved = 0;
  std::uint64_t bytes = 0;
};
static_assert(sizeof(RecordHead) == 16);

[[noreturn]] void fail(const fs::path& path, std::string_view action) {
  throw Error(ErrorKind::kResource,
              cat(path.string(), ": cannot ", action, ": ", std::strerror(errno)));
}

std::string sum_of(const Json& json) {
  const std::string text = json.dump();
  return sha256(std::as_bytes(std::span(text)));
}

std::string sum_of_record(std::string_view name, std::span<const std::byte> bytes) {
  Sha256 sum;
  sum.add(std::as_bytes(std::span(name)));
  sum.add(bytes);
  return sum.finish();
}

// "recipe.group_size (128, now 64)"
std::string difference(const Json& before, const Json& now) {
  const Json steps = Json::diff(before, now);
  if (steps.empty()) return "nothing that this program knows";
  std::string path = steps.front().at("path").get<std::string>();
  if (path.ends_with("/-")) path.resize(path.size() - 2);  // behind the last of a list
  const Json::json_pointer at(path);
  const auto text = [&](const Json& job) {
    std::string value = job.contains(at) ? job.at(at).dump() : "nothing";
    return value.size() > 40 ? value.substr(0, 37) + "…" : value;
  };
  std::string name = path.substr(std::min<std::size_t>(1, path.size()));
  std::replace(name.begin(), name.end(), '/', '.');
  return cat(name, " (", text(before), ", now ", text(now), ")");
}

// Is this a name that journals have? Anything else in the folder is somebody else's.
bool is_own_name(std::string_view name) {
  constexpr std::string_view kState = "state-", kPartial = ".partial";
  if (name.starts_with(kState))
    return name.find_first_not_of("0123456789", kState.size()) == name.npos;
  if (name == kRecords) return true;
  if (name.ends_with(kPartial)) name.remove_suffix(kPartial.size());
  return name == kJob || name == kHead;
}

bool says(const fs::path& file, std::string_view text) {
  std::error_code ignored;
  return fs::is_regular_file(file, ignored) && fs::file_size(file, ignored) <= kMaxHead &&
         read_file(file, kMaxHead).find(text) != std::string::npos;
}

// The folder may be a user's, with files that happen to have these names.
void refuse_strange(const fs::path& folder) {
  if (says(folder / kJob, kSchema) || says(folder / kHead, "\"records_sha256\"")) return;
  for (const auto& entry : fs::directory_iterator(folder))
    if (const std::string name = entry.path().filename().string(); is_own_name(name))
      throw Error(
          ErrorKind::kInvalidArgument,
          cat((folder / name).string(), ": is in the way: a journal has a file of this name, ",
              "and nothing tells that this is one"),
          "move it away, or choose another output");
}

}  // namespace

Journal::Journal(fs::path folder, const Json& job, Resume resume) : folder_(std::move(folder)) {
  lock();
  refuse_strange(folder_);
  read_head(job, resume);
  if (state_.is_null()) {
    clear();
    write_file(folder_ / kJob, Json{{"schema", kSchema}, {"job", job}}.dump(1) + "\n");
  }
  const fs::path path = folder_ / kRecords;
  records_.number = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (records_.number < 0) fail(path, "open the file");
  record_bytes_ = kept_bytes_;
  if (ftruncate(records_.number, static_cast<off_t>(kept_bytes_)) != 0) fail(path, "cut the file");
}

Journal::~Journal() {
  std::error_code ignored;
  if (!fs::exists(folder_ / kHead, ignored)) remove();  // nothing to go on from
}

Journal::Descriptor::~Descriptor() {
  if (number >= 0) ::close(number);
}

void Journal::lock() {
  std::error_code failure;
  fs::create_directories(folder_, failure);
  lock_.number = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_.number < 0) fail(folder_, "open the folder");
  if (flock(lock_.number, LOCK_EX | LOCK_NB) == 0) return;
  throw Error(ErrorKind::kResource,
              cat(folder_.string(), ": another process uses this journal now"),
              "wait until it has ended, or choose another output");
}

void Journal::read_head(const Json& job, Resume resume) {
  const auto refuse = [&](const std::string& why) {
    if (resume != Resume::kRequired) return;
    std::error_code failure;
    fs::remove(folder_, failure);  // where it was made just now
    throw Error(ErrorKind::kInvalidArgument,
                cat("there is nothing to go on from: ", folder_.string(), " ", why),
                "leave --resume out to begin");
  };
  if (resume == Resume::kNever) return;
  std::error_code ignored;
  if (!fs::exists(folder_ / kHead, ignored)) return refuse("holds no work");
  Json head, before;
  try {
    const Json whole = parse_json(read_file(folder_ / kHead, kMaxHead));
    head = whole.at("head");
    if (whole.at("sha256") != sum_of(head))
      throw Error(ErrorKind::kCorruptFile, "its head differs");
    before = parse_json(read_file(folder_ / kJob, kMaxHead)).at("job");
    seconds_ = head.at("seconds").get<double>();
    kept_bytes_ = head.at("record_bytes").get<std::uint64_t>();
    turn_ = head.at("turn").get<std::uint64_t>();
    if (fs::exists(folder_ / kRecords) ? fs::file_size(folder_ / kRecords) < kept_bytes_
                                       : kept_bytes_ > 0)
      throw Error(ErrorKind::kCorruptFile, "its records are cut off");
    if (before == job) {
      check_records(head);
      map_state(head);
    }
  } catch (const std::exception& error) {
    // Damaged from outside: nothing of it can be trusted.
    state_ = nullptr;
    blobs_.clear();
    record_sums_.clear();
    seconds_ = 0;
    kept_bytes_ = 0;
    note_ = cat(folder_.string(), ": is damaged (", error.what(), "); the job begins anew");
    return refuse("is damaged");
  }
  if (before == job) return;
  const std::string what =
      cat(folder_.string(), ": is of another job, which differs in ", difference(before, job));
  if (seconds_ >= kWorthAsking || resume == Resume::kRequired)
    throw Error(ErrorKind::kInvalidArgument,
                cat(what, ", and holds ", human_seconds(seconds_), " of its work"),
                "repeat the earlier command to go on with it, choose another output, or give "
                "--restart to throw that work away");
  note_ = cat(what, "; its ", human_seconds(seconds_), " of work are thrown away");
  seconds_ = 0;
  kept_bytes_ = 0;
}

void Journal::map_state(const Json& head) {
  const Json& sizes = head.at("blobs");
  state_file_ = MappedFile(folder_ / cat("state-", turn_));
  if (head.at("state_sha256") != sha256(state_file_.bytes()))
    throw Error(ErrorKind::kCorruptFile, "its state differs from what was kept");
  auto rest = state_file_.bytes();
  for (const Json& size : sizes) {
    const auto bytes = size.get<std::uint64_t>();
    if (bytes > rest.size()) throw Error(ErrorKind::kCorruptFile, "its state is cut off");
    blobs_.push_back(rest.first(bytes));
    rest = rest.subspan(bytes);
  }
  state_ = head.at("state");
}

void Journal::check_records(const Json& head) {
  replay([&](std::string_view name, std::span<const std::byte> bytes) {
    record_sums_ += sum_of_record(name, bytes);
  });
  if (head.at("records_sha256") != sha256(std::as_bytes(std::span(record_sums_))))
    throw Error(ErrorKind::kCorruptFile, "its records differ from what was kept");
}

// Only what a journal consists of: the folder may be the user's. What tells whose it is goes last.
void Journal::clear() {
  std::error_code failure;
  fs::remove(folder_ / kHead, failure);
  std::vector<fs::path> own;
  for (fs::directory_iterator entry(folder_, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    const std::string name = entry->path().filename().string();
    if (is_own_name(name) && name != kJob) own.push_back(entry->path());
  }
  own.push_back(folder_ / kJob);
  for (const fs::path& path : own) fs::remove(path, failure);
}

void Journal::replay(const Use& use) const {
  if (kept_bytes_ == 0) return;
  const MappedFile file(folder_ / kRecords);
  auto rest = file.bytes().first(std::min<std::uint64_t>(file.bytes().size(), kept_bytes_));
  while (!rest.empty()) {
    RecordHead head;
    if (rest.size() < sizeof(head))
      throw Error(ErrorKind::kCorruptFile, cat(file.path().string(), ": ends inside a record"));
    std::memcpy(&head, rest.data(), sizeof(head));
    rest = rest.subspan(sizeof(head));
    if (head.name_bytes > rest.size() || head.bytes > rest.size() - head.name_bytes)
      throw Error(ErrorKind::kCorruptFile, cat(file.path().string(), ": ends inside a record"));
    const std::string_view name(reinterpret_cast<const char*>(rest.data()), head.name_bytes);
    use(name, rest.subspan(head.name_bytes, head.bytes));
    rest = rest.subspan(head.name_bytes + head.bytes);
  }
}

void Journal::give_up(std::string_view why) {
  usable_ = false;
  note_ = cat(folder_.string(), ": cannot be written (", why,
              "); the job goes on, and what comes from here on would be lost if it were stopped");
}

void Journal::write_all(int file, std::span<const std::byte> bytes, std::uint64_t offset) {
  while (usable_ && !bytes.empty()) {
    const ssize_t count =
        ::pwrite(file, bytes.data(), std::min<std::size_t>(bytes.size(), 1u << 30),
                 static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return give_up(std::strerror(errno));
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

void Journal::add(std::string_view name, std::span<const std::byte> bytes) {
  record_sums_ += sum_of_record(name, bytes);
  const RecordHead head{static_cast<std::uint32_t>(name.size()), 0, bytes.size()};
  for (const auto part :
       {std::as_bytes(std::span(&head, 1)), std::as_bytes(std::span(name)), bytes}) {
    write_all(records_.number, part, record_bytes_);
    record_bytes_ += part.size();
  }
}

double Journal::spent() const {
  return std::chrono::duration<double>(Clock::now() - opened_).count();
}

bool Journal::due() const {
  const double since = std::chrono::duration<double>(Clock::now() - last_kept_).count();
  return usable_ && since >= kShare * cost_;
}

void Journal::keep(const Json& state, std::span<const std::span<const std::byte>> blobs) {
  if (!usable_) return;
  const auto start = Clock::now();
  const fs::path path = folder_ / cat("state-", turn_ + 1);
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (file < 0) return give_up(std::strerror(errno));
  Json sizes = Json::array();
  std::uint64_t offset = 0;
  Sha256 sum;
  for (const auto blob : blobs) {
    write_all(file, blob, offset);
    sum.add(blob);
    offset += blob.size();
    sizes.push_back(blob.size());
  }
  const bool synced = usable_ && fdatasync(file) == 0 && fdatasync(records_.number) == 0;
  ::close(file);
  std::error_code ignored;
  if (!synced) {
    fs::remove(path, ignored);
    return;
  }
  try {
    const Json head = {{"seconds", seconds_ + spent()},
                       {"record_bytes", record_bytes_},
                       {"records_sha256", sha256(std::as_bytes(std::span(record_sums_)))},
                       {"turn", turn_ + 1},
                       {"blobs", sizes},
                       {"state_sha256", sum.finish()},
                       {"state", state}};
    write_file(folder_ / kHead, Json{{"head", head}, {"sha256", sum_of(head)}}.dump() + "\n");
  } catch (const Error& error) {
    fs::remove(path, ignored);
    return give_up(error.what());
  }
  blobs_.clear();
  state_file_ = MappedFile();
  fs::remove(folder_ / cat("state-", turn_), ignored);
  ++turn_;
  kept_bytes_ = record_bytes_;
  last_kept_ = Clock::now();
  cost_ = std::chrono::duration<double>(last_kept_ - start).count();
}

void Journal::remove() {
  clear();
  std::error_code ignored;
  fs::remove(folder_, ignored);  // stays where somebody put something else in it
}

}  // namespace nibble
