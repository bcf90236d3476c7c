#include "checkpoint/output_folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <sstream>

#include "base/sha256.h"
#include "base/staged.h"
#include "base/text.h"
#include "checkpoint/model_writer.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::array<std::string_view, 10> kSideFiles = {"generation_config.json",
                                                         "tokenizer.json",
                                                         "tokenizer_config.json",
                                                         "tokenizer.model",
                                                         "special_tokens_map.json",
                                                         "added_tokens.json",
                                                         "vocab.json",
                                                         "merges.txt",
                                                         "chat_template.jinja",
                                                         "chat_template.json"};
constexpr std::string_view kTemplates = "additional_chat_templates";
constexpr std::string_view kChecksums = "SHA256SUMS";
constexpr std::size_t kDigitsOfSum = 64;  // in front of two blanks and a name
constexpr std::size_t kCopyStep = 16u << 20;

[[noreturn]] void fail(const fs::path& path, std::string_view action, int code) {
  throw Error(ErrorKind::kResource,
              cat(path.string(), ": cannot ", action, ": ", std::strerror(code)));
}

bool is_inside(fs::path path, const fs::path& folder) {
  while (true) {
    std::error_code ignored;
    if (fs::exists(path, ignored) && same_file(path, folder)) return true;
    if (!path.has_relative_path()) return false;
    path = path.parent_path();
  }
}

// Device and inode of every folder on the way up are compared, so links and mounts do not hide it.
void refuse_overlap(const fs::path& target, const fs::path& input) {
  std::error_code ignored;
  const fs::path source = fs::weakly_canonical(fs::absolute(input), ignored);
  if (is_inside(target, source))
    throw Error(
        ErrorKind::kInvalidArgument,
        cat("the output ", target.string(), " is the input ", input.string(), " or lies in it"),
        "choose another output folder");
  if (is_inside(source, target))
    throw Error(ErrorKind::kInvalidArgument,
                cat("the output ", target.string(), " holds the input ", input.string()),
                "choose another output folder");
}

// The first file that lies in a folder with SHA256SUMS and is not listed there: a user's.
std::string unlisted_file(const fs::path& folder) {
  std::istringstream lines(read_file(folder / kChecksums, 16u << 20));
  std::set<std::string> listed = {std::string(kChecksums)};
  for (std::string line; std::getline(lines, line);)
    if (line.size() > kDigitsOfSum) listed.insert(line.substr(kDigitsOfSum + 2));
  for (const auto& entry : fs::directory_iterator(folder))
    if (const std::string name = entry.path().filename().string();
        !entry.is_directory() && !listed.contains(name))
      return name;
  return {};
}

// --force must not swallow a home folder, nor somebody's model: only an output of this program, all
// of whose files were written with it, is ever replaced.
void refuse_strange_folder(const fs::path& target) {
  for (const auto& entry : fs::directory_iterator(target))
    if (entry.is_directory() && entry.path().filename() != kTemplates)
      throw Error(ErrorKind::kInvalidArgument,
                  cat(target.string(), ": is not replaced, since it holds the folder ",
                      entry.path().filename().string(), ", which no checkpoint has"),
                  "choose another output folder");
  if (!fs::exists(target / kPassportName) || !fs::exists(target / kChecksums))
    throw Error(ErrorKind::kInvalidArgument,
                cat(target.string(), ": is not replaced, since it lacks ", kPassportName, " or ",
                    kChecksums, ": nothing tells that it was written here, and what with"),
                "choose another output folder, or remove this one");
  if (const std::string name = unlisted_file(target); !name.empty())
    throw Error(ErrorKind::kInvalidArgument,
                cat(target.string(), ": is not replaced, since it holds ", name,
                    ", which was not written with it (", kChecksums, " does not list it)"),
                "move that file away, or choose another output folder");
}

// Was this folder, which lies where the output is written until it is complete, left by a killed
// run? An empty one is as good: nothing is lost with it.
bool is_leftover(const fs::path& staging) {
  return fs::is_empty(staging) || fs::exists(staging / kStagedMark);
}

[[noreturn]] void refuse_strange_staging(const fs::path& staging) {
  throw Error(ErrorKind::kInvalidArgument,
              cat(staging.string(), ": is in the way: the output is written under this name until ",
                  "it is complete, and nothing tells that an earlier run left it there"),
              "move it away, or choose another output folder");
}

void set_mark(const fs::path& folder) {
  const fs::path mark = folder / kStagedMark;
  const int opened = ::open(mark.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (opened < 0) fail(mark, "create the file", errno);
  ::close(opened);
}

// The mark goes last: what is left when this is stopped is still known.
void remove_staging(const fs::path& staging, std::error_code& failure) {
  for (fs::directory_iterator entry(staging, failure), end; !failure && entry != end;
       entry.increment(failure))
    if (entry->path().filename() != kStagedMark) fs::remove_all(entry->path(), failure);
  if (!failure) fs::remove_all(staging, failure);
}

void check_target(const fs::path& target, bool force) {
  std::error_code failure;
  refuse_dangling_link(target);
  if (!fs::exists(target, failure)) return;
  if (!fs::is_directory(target, failure))
    throw Error(ErrorKind::kInvalidArgument,
                cat(target.string(), ": is a file; the output is a folder"));
  const bool empty = fs::is_empty(target, failure);
  if (failure) fail(target, "list the folder", failure.value());
  if (empty) return;
  if (!force)
    throw Error(ErrorKind::kInvalidArgument, cat(target.string(), ": exists and is not empty"),
                "give --force to replace it, or choose another output folder");
  refuse_strange_folder(target);
}

void carry_over(const fs::path& from, const fs::path& to) {
  const MappedFile source(from);
  AtomicFile copy(to, source.bytes().size());
  for (auto rest = source.bytes(); !rest.empty();) {
    const auto part = rest.first(std::min(rest.size(), kCopyStep));
    copy.write(part);
    rest = rest.subspan(part.size());
  }
  copy.commit();
}

bool is_plain_name(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != '\\' && c != 0x7F;
  });
}

std::vector<std::string> plain_files_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code failure;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (is_plain_name(name) && fs::is_regular_file(entry->path(), ignored)) names.push_back(name);
  }
  if (failure) fail(folder, "list the folder", failure.value());
  std::sort(names.begin(), names.end());
  return names;
}

bool is_side_file(std::string_view name) {
  return std::find(kSideFiles.begin(), kSideFiles.end(), name) != kSideFiles.end() ||
         name.starts_with("LICENSE");
}

}  // namespace

OutputFolder::OutputFolder(const fs::path& target, const Options& options) : force_(options.force) {
  if (target.empty()) throw Error(ErrorKind::kInvalidArgument, "the output folder has no name");
  std::error_code failure;
  target_ = fs::weakly_canonical(fs::absolute(target), failure);
  if (failure) fail(target, "resolve the path", failure.value());
  if (!target_.has_filename()) target_ = target_.parent_path();
  for (const fs::path& input : options.inputs) refuse_overlap(target_, input);
  check_target(target_, force_);
  staging_ = target_.string() + ".partial";
  fs::create_directories(target_.parent_path(), failure);
  if (failure) fail(target_.parent_path(), "create the folder", failure.value());
  lock();
}

OutputFolder::~OutputFolder() {
  if (lock_ < 0) return;
  std::error_code ignored;  // nothing better can be done while giving up
  if (!finished_) remove_staging(staging_, ignored);
  unstage(staging_);
  ::close(lock_);
}

// The lock lies on the staging folder itself: a killed process gives it up, and the next one
// clears away what is left.
void OutputFolder::lock() {
  for (int attempt = 0; attempt < 100; ++attempt) {
    if (::mkdir(staging_.c_str(), 0777) != 0 && errno != EEXIST)
      fail(staging_, "create the folder", errno);
    const int opened = ::open(staging_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (opened < 0 && errno == ENOENT) continue;
    if (opened < 0 && (errno == ENOTDIR || errno == ELOOP)) refuse_strange_staging(staging_);
    if (opened < 0) fail(staging_, "open the folder", errno);
    if (flock(opened, LOCK_EX | LOCK_NB) != 0) {
      ::close(opened);
      throw Error(ErrorKind::kResource,
                  cat(target_.string(), ": another process is writing this output now"),
                  "wait until it has ended, or choose another output folder");
    }
    struct stat locked {
    }, named{};
    if (fstat(opened, &locked) == 0 && lstat(staging_.c_str(), &named) == 0 &&
        locked.st_ino == named.st_ino && locked.st_dev == named.st_dev) {
      if (!is_leftover(staging_)) {
        ::close(opened);
        refuse_strange_staging(staging_);
      }
      lock_ = opened;
      set_mark(staging_);
      stage(staging_);
      for (const auto& entry : fs::directory_iterator(staging_))
        if (entry.path().filename() != kStagedMark) fs::remove_all(entry.path());
      return;
    }
    ::close(opened);  // the other process finished or gave up just now
  }
  fail(staging_, "lock the folder", EBUSY);
}

std::vector<std::string> OutputFolder::copy_side_files(const fs::path& input) {
  std::vector<std::string> copied;
  std::error_code ignored;
  const fs::path folder = fs::is_directory(input, ignored) ? input : input.parent_path();
  for (const std::string& name : plain_files_in(folder.empty() ? fs::path(".") : folder)) {
    if (!is_side_file(name)) continue;
    carry_over(folder / name, staging_ / name);
    copied.push_back(name);
  }
  if (!fs::is_directory(folder / kTemplates, ignored)) return copied;
  fs::create_directory(staging_ / kTemplates);
  for (const std::string& name : plain_files_in(folder / kTemplates)) {
    carry_over(folder / kTemplates / name, staging_ / kTemplates / name);
    copied.push_back(cat(kTemplates, "/", name));
  }
  return copied;
}

void OutputFolder::write_text(const std::string& name, std::string_view text) {
  write_file(staging_ / name, text);
}

void OutputFolder::write_checksums() const {
  std::map<std::string, std::string> sums;
  for (const auto& entry : fs::recursive_directory_iterator(staging_)) {
    if (!entry.is_regular_file()) continue;
    const std::string name = entry.path().lexically_relative(staging_).generic_string();
    if (name != kChecksums && name != kStagedMark) sums[name] = sha256_of_file(entry.path());
  }
  std::string text;
  for (const auto& [name, sum] : sums) text += cat(sum, "  ", name, "\n");
  write_file(staging_ / kChecksums, text);
}

void OutputFolder::replace_target() const {
  std::error_code failure;
  const bool occupied = fs::exists(target_, failure) && !fs::is_empty(target_, failure);
  if (!occupied) {
    if (::rename(staging_.c_str(), target_.c_str()) != 0)
      fail(target_, "move the finished output there", errno);
    return;
  }
  check_target(target_, force_);
  if (renameat2(AT_FDCWD, staging_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0) {
    set_mark(staging_);  // the older output now
    sync_folder(target_.parent_path());
    remove_staging(staging_, failure);
    if (failure) fail(staging_, "remove the older output", failure.value());
    return;
  }
  if (errno != EINVAL && errno != ENOSYS) fail(target_, "replace the older output", errno);
  // File systems without exchange: for a moment only the older output under another name exists.
  const fs::path older = target_.string() + ".old";
  if (::rename(target_.c_str(), older.c_str()) != 0)
    fail(target_, "move the older output away", errno);
  if (::rename(staging_.c_str(), target_.c_str()) != 0) {
    const int code = errno;
    if (::rename(older.c_str(), target_.c_str()) != 0) fail(older, "move it back", errno);
    fail(target_, "move the finished output there", code);
  }
  fs::remove_all(older, failure);
}

void OutputFolder::finish() {
  write_checksums();
  for (const auto& entry : fs::recursive_directory_iterator(staging_))
    if (entry.is_directory()) sync_folder(entry.path());
  sync_folder(staging_);
  // From here on the name may stand for the older output.
  unstage(staging_);
  fs::remove(staging_ / kStagedMark);
  replace_target();
  finished_ = true;
  sync_folder(target_.parent_path());
}

}  // namespace nibble
