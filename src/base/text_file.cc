#include "base/text_file.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/progress.h"
#include "base/text.h"
#include "base/utf8.h"
#include "nibble/error.h"

namespace nibble {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;  // of what is held in memory
constexpr std::size_t kStep = 64u << 20;
constexpr int kWaitMilliseconds = 200;  // between looks at the stop flag
constexpr int kWaitsBeforeNote = 10;
constexpr std::string_view kFix =
    "write it as UTF-8, for example:  iconv -f WINDOWS-1252 -t UTF-8 FILE > text.txt";

// Files that people take for texts, by their first bytes.
struct Kind {
  std::string_view begins, name, fix;
};
constexpr std::array<Kind, 10> kKinds = {{
    {"\x1F\x8B"sv, "a gzip file", "unpack it:  gunzip FILE"},
    {"\x28\xB5\x2F\xFD"sv, "a zstd file", "unpack it:  zstd -d FILE"},
    {"\xFD\x37zXZ"sv, "an xz file", "unpack it:  xz -d FILE"},
    {"BZh91AY"sv, "a bzip2 file", "unpack it:  bunzip2 FILE"},
    {"PK\x03\x04"sv, "a zip archive", "unpack it:  unzip FILE"},
    {"PAR1"sv, "a Parquet table",
     "write its rows as JSON lines:  pandas, df.to_json(…, lines=True)"},
    {"ARROW1"sv, "an Arrow table",
     "write its rows as JSON lines:  pandas, df.to_json(…, lines=True)"},
    {"%PDF-"sv, "a PDF document", "take the text out of it:  pdftotext FILE text.txt"},
    {"GGUF"sv, "a GGUF file, a model", "give a text"},
    {"\0\0\xFE\xFF"sv, "UTF-32", kFix},
}};

std::string where(std::string_view bytes, std::size_t at) {
  const auto lines =
      std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(at), '\n');
  return cat("line ", lines + 1, ", byte ", at);
}

void refuse_other_kinds(std::string_view bytes, const std::string& name) {
  for (const Kind& kind : kKinds)
    if (bytes.starts_with(kind.begins))
      throw Error(ErrorKind::kUnsupported, cat(name, ": is ", kind.name, "; expected a text"),
                  kind.fix);
  if (bytes.starts_with("\xFF\xFE\0\0"sv))
    throw Error(ErrorKind::kUnsupported, cat(name, ": is UTF-32; expected UTF-8"), kFix);
}

void refuse_unmarked_utf16(std::string_view bytes, const std::string& name) {
  // Latin letters in UTF-16 have a zero byte each, all of them on one side.
  const std::string_view start = bytes.substr(0, 4096);
  std::array<std::size_t, 2> zeros = {};
  for (std::size_t i = 0; i < start.size(); ++i)
    if (start[i] == '\0') ++zeros[i % 2];
  if (const auto [low, high] = std::minmax(zeros[0], zeros[1]);
      high > std::max<std::size_t>(3, start.size() / 8) && low <= high / 16)
    throw Error(ErrorKind::kUnsupported,
                cat(name, ": is UTF-16 without a byte-order mark; expected UTF-8"),
                "turn it into UTF-8:  iconv -f UTF-16LE -t UTF-8 FILE > text.txt");
}

class Utf16 {
 public:
  Utf16(std::string_view bytes, bool big, const std::string& name)
      : bytes_(bytes), big_(big), name_(name) {}

  std::string decoded() {
    std::string text;
    text.reserve(bytes_.size() / 2);
    for (at_ = 2; at_ < bytes_.size();) append_utf8(text, next());
    return text;
  }

 private:
  char32_t unit() {
    if (at_ + 2 > bytes_.size()) fail("the text ends within a character", at_);
    const auto first = static_cast<unsigned char>(bytes_[at_]);
    const auto second = static_cast<unsigned char>(bytes_[at_ + 1]);
    at_ += 2;
    const char32_t code = big_ ? first * 256u + second : second * 256u + first;
    lines_ += code == '\n' ? 1 : 0;
    return code;
  }
  char32_t next() {
    const std::size_t begin = at_;
    const char32_t high = unit();
    if (high < 0xD800 || high > 0xDFFF) return high;
    const char32_t low = high < 0xDC00 && at_ < bytes_.size() ? unit() : 0;
    if (low < 0xDC00 || low > 0xDFFF) fail("half of a surrogate pair", begin);
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
  }
  [[noreturn]] void fail(std::string_view what, std::size_t at) const {
    throw Error(
        ErrorKind::kCorruptFile,
        cat(name_, ": line ", lines_ + 1, ", byte ", at, ": not well-formed UTF-16: ", what),
        "write the text again, as UTF-8");
  }

  std::string_view bytes_;
  bool big_;
  const std::string& name_;
  std::size_t at_ = 0, lines_ = 0;
};

// `file` may drop what has been checked; null when there is none.
void check_utf8(std::string_view bytes, const std::string& name, const MappedFile* file) {
  for (std::size_t at = 0; at < bytes.size();) {
    throw_if_stopped();
    const std::string_view part = bytes.substr(at, kStep);
    const std::size_t good = well_formed_bytes(part);
    // A character may lie across the end of a step.
    if (good < part.size() && (part.size() < kStep || good + 4 <= part.size())) {
      const std::size_t bad = at + good;
      throw Error(ErrorKind::kCorruptFile,
                  cat(name, ": ", where(bytes, bad), ": not well-formed UTF-8 (0x",
                      fmt::format("{:02X}", static_cast<unsigned char>(bytes[bad])), ")"),
                  kFix);
    }
    if (file != nullptr && bytes.size() > kStep)
      file->drop(std::as_bytes(std::span(part.substr(0, good))));
    at += good;
  }
}

// What comes through a descriptor until its end.
std::string read_stream(int descriptor, const std::string& name,
                        const std::function<void()>& waiting) {
  std::string bytes;
  int waits = 0;
  std::array<char, 1 << 16> part;
  for (;;) {
    pollfd ready{descriptor, POLLIN, 0};
    throw_if_stopped();
    if (::poll(&ready, 1, kWaitMilliseconds) <= 0) {
      if (++waits == kWaitsBeforeNote && waiting && bytes.empty()) waiting();
      continue;
    }
    const ssize_t count = ::read(descriptor, part.data(), part.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0)
      throw Error(ErrorKind::kResource, cat(name, ": cannot read: ", std::strerror(errno)));
    if (count == 0) return bytes;
    bytes.append(part.data(), static_cast<std::size_t>(count));
    if (bytes.size() > kMaxBytes)
      throw Error(ErrorKind::kInvalidArgument,
                  cat(name, ": gives more than ", human_bytes(kMaxBytes)),
                  "write it to a file, or give a part of it");
  }
}

bool is_stream(const fs::path& path) {
  std::error_code ignored;
  const fs::file_type type = fs::status(path, ignored).type();
  return type == fs::file_type::fifo || type == fs::file_type::character ||
         type == fs::file_type::socket;
}

std::string read_special(const fs::path& path, const std::function<void()>& waiting) {
  // Without O_NONBLOCK a pipe that nobody writes to would hold the program where no signal ends it.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0)
    throw Error(ErrorKind::kResource,
                cat(path.string(), ": cannot open the file: ", std::strerror(errno)));
  try {
    std::string bytes = read_stream(descriptor, path.string(), waiting);
    ::close(descriptor);
    return bytes;
  } catch (...) {
    ::close(descriptor);
    throw;
  }
}

}  // namespace

TextFile::TextFile(const fs::path& path, const std::function<void()>& waiting)
    : name_(path == "-" ? "stdin" : path.string()) {
  std::error_code ignored;
  if (path == "-") {
    decoded_ = read_stream(STDIN_FILENO, name_, waiting);
  } else if (is_stream(path)) {
    decoded_ = read_special(path, waiting);
  } else {
    if (fs::status(path, ignored).type() == fs::file_type::not_found)
      throw Error(ErrorKind::kNotFound, cat(name_, ": no such file"),
                  "give a text file, or - for stdin; data sets are not downloaded");
    file_ = MappedFile(path);
  }
  const bool mapped = !file_.bytes().empty();
  text_ = mapped ? std::string_view(reinterpret_cast<const char*>(file_.bytes().data()),
                                    file_.bytes().size())
                 : std::string_view(decoded_);
  refuse_other_kinds(text_, name_);
  const bool little = text_.starts_with("\xFF\xFE"), big = text_.starts_with("\xFE\xFF");
  if (little || big) {
    if (text_.size() > kMaxBytes)
      throw Error(ErrorKind::kUnsupported,
                  cat(name_, ": is UTF-16 of more than ", human_bytes(kMaxBytes)), kFix);
    std::string decoded = Utf16(text_, big, name_).decoded();
    decoded_ = std::move(decoded);
    text_ = decoded_;
    return;
  }
  refuse_unmarked_utf16(text_, name_);
  check_utf8(text_, name_, mapped ? &file_ : nullptr);
  if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
}

std::string read_text(const fs::path& path, const std::function<void()>& waiting) {
  const TextFile file(path, waiting);
  if (file.text().size() > kMaxBytes)
    throw Error(ErrorKind::kInvalidArgument,
                cat(file.name(), ": a text of ", human_bytes(file.text().size()), "; the limit is ",
                    human_bytes(kMaxBytes)),
                "give a part of it:  head -c 100M FILE > part.txt");
  return std::string(file.text());
}

}  // namespace nibble
