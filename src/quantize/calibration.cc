#include "quantize/calibration.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/files.h"
#include "base/sha256.h"
#include "base/text.h"
#include "model/generate.h"
#include "model/transformer.h"
#include "nibble/error.h"

namespace nibble {
namespace {

using Ids = std::vector<std::int32_t>;

constexpr std::uint64_t kMaxLine = 64ull << 20;
constexpr std::string_view kBetweenDocuments = "\n\n";

// A prefix of `text` that ends where a line or at least a character ends.
std::string_view prefix_of(std::string_view text, std::size_t bytes) {
  if (bytes >= text.size()) return text;
  const std::string_view prefix = text.substr(0, bytes);
  if (const auto newline = prefix.rfind('\n'); newline != prefix.npos && newline > bytes / 2)
    return prefix.substr(0, newline + 1);
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

// The first `needed` tokens of the text. Only a prefix is tokenized: where it is cut can change the
// tokens near the cut, hence the margin.
Ids first_tokens(std::string_view text, const Tokenizer& tokenizer, std::size_t needed) {
  constexpr std::size_t kMargin = 256;
  std::size_t bytes = needed * 6 + 4096;
  for (;;) {
    const std::string_view prefix = prefix_of(text, bytes);
    Ids ids = tokenizer.encode(prefix);
    if (prefix.size() == text.size() || ids.size() >= needed + kMargin) {
      if (ids.size() > needed) ids.resize(needed);
      return ids;
    }
    bytes *= 2;
  }
}

std::string message_text(const Json& messages) {
  std::string text;
  for (const Json& message : messages) {
    if (!text.empty()) text += kBetweenDocuments;
    text += json_string(message, "content", "");
  }
  return text;
}

// The document of one JSON line.
std::string document_of(const Json& row, std::size_t line) {
  if (row.is_object()) {
    if (row.contains("text")) return json_string(row, "text", "");
    if (row.contains("prompt"))
      return json_string(row, "prompt", "") + json_string(row, "completion", "");
    if (const auto found = row.find("messages"); found != row.end() && found->is_array())
      return message_text(*found);
  }
  throw Error(ErrorKind::kCorruptFile,
              cat("line ", line, " has none of \"text\", \"prompt\", \"messages\""));
}

bool looks_like_json(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != text.npos && text[first] == '{';
}

bool holds_windows(std::string_view text) {
  const auto key = text.substr(0, 4096).find("\"windows\"");
  return looks_like_json(text) && key != text.npos && text.find_first_not_of(" \t\r\n{", 0) == key;
}

std::string join_documents(std::string_view text, std::size_t enough_bytes) {
  std::string joined;
  std::size_t line = 0;
  while (!text.empty() && joined.size() < enough_bytes) {
    ++line;
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view row = text.substr(0, end);
    text.remove_prefix(std::min(text.size(), end + 1));
    if (row.find_first_not_of(" \t\r") == row.npos) continue;
    if (row.size() > kMaxLine)
      throw Error(ErrorKind::kCorruptFile, cat("line ", line, " is too long"));
    const Json parsed = with_context(cat("line ", line), [&] { return parse_json(row); });
    if (!joined.empty()) joined += kBetweenDocuments;
    joined += document_of(parsed, line);
  }
  return joined;
}

Ids windows_of(std::string_view text, std::size_t samples, std::size_t length,
               std::size_t vocabulary) {
  const Json file = parse_json(text);
  const auto found = file.find("windows");
  if (found == file.end() || !found->is_array())
    throw Error(ErrorKind::kCorruptFile, "\"windows\" is not a list of lists of token ids");
  Ids ids;
  for (const Json& window : *found) {
    if (ids.size() == samples * length) break;
    if (!window.is_array() || window.size() != length)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("window ", ids.size() / length, " does not hold ", length, " token ids"),
                  "give --seq-len the windows' length");
    for (const Json& id : window) {
      if (!id.is_number_integer() || id.get<std::int64_t>() < 0 ||
          id.get<std::int64_t>() >= static_cast<std::int64_t>(vocabulary))
        throw Error(ErrorKind::kCorruptFile,
                    cat("token id ", id.dump(), " is outside the vocabulary of ", vocabulary));
      ids.push_back(id.get<std::int32_t>());
    }
  }
  return ids;
}

// Many tools take a data set's name here.
MappedFile open_text(const std::filesystem::path& path) {
  try {
    return MappedFile(path);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;
    throw Error(error.kind(), error.what(), "a text file; data sets are not downloaded");
  }
}

Ids tokens_of(const MappedFile& file, const Tokenizer& tokenizer, std::size_t samples,
              std::size_t length, std::size_t vocabulary) {
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()),
                              file.bytes().size());
  const std::size_t needed = samples * length;
  Ids ids;
  if (holds_windows(text)) {
    ids = windows_of(text, samples, length, vocabulary);
  } else if (looks_like_json(text)) {
    // Twelve bytes for each token are more than any text needs; if not, all lines are taken.
    ids = first_tokens(join_documents(text, needed * 12 + 4096), tokenizer, needed);
    if (ids.size() < needed) ids = first_tokens(join_documents(text, SIZE_MAX), tokenizer, needed);
  } else {
    ids = first_tokens(text, tokenizer, needed);
  }
  if (ids.size() < needed)
    throw Error(
        ErrorKind::kInvalidArgument,
        cat("holds ", ids.size(), " tokens; ", samples, " windows of ", length, " need ", needed),
        cat("give more text, or use --samples ", ids.size() / length,
            ids.size() / length == 0 ? " and a smaller --seq-len" : ""));
  for (const std::int32_t id : ids)
    if (id < 0 || static_cast<std::size_t>(id) >= vocabulary)
      throw Error(ErrorKind::kCorruptFile,
                  cat("the tokenizer gave id ", id, "; the model has ", vocabulary, " tokens"));
  return ids;
}

// Largest remainders: counts that add up to `samples`.
std::vector<std::size_t> share(std::size_t samples, const std::vector<CalibrationSource>& sources) {
  double total = 0;
  for (const CalibrationSource& source : sources) total += source.weight;
  std::vector<std::size_t> counts;
  std::vector<double> remainders;
  std::size_t given = 0;
  for (const CalibrationSource& source : sources) {
    const double exact = static_cast<double>(samples) * source.weight / total;
    counts.push_back(static_cast<std::size_t>(std::floor(exact)));
    remainders.push_back(exact - std::floor(exact));
    given += counts.back();
  }
  std::vector<std::size_t> order(sources.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return remainders[a] > remainders[b]; });
  for (std::size_t i = 0; given < samples; ++i, ++given) ++counts[order[i % order.size()]];
  return counts;
}

std::string hash_of(const Ids& ids) {
  Sha256 hash;
  for (const std::int32_t id : ids) {
    const auto bits = static_cast<std::uint32_t>(id);
    const std::array<std::byte, 4> bytes = {std::byte(bits), std::byte(bits >> 8),
                                            std::byte(bits >> 16), std::byte(bits >> 24)};
    hash.add(bytes);
  }
  return hash.finish();
}

}  // namespace

Calibration gather_calibration(const ModelSource& source, const Tokenizer& tokenizer,
                               const CalibrationOptions& options, Compute compute,
                               const ProgressSink& progress) {
  const HyperParams& hyper = source.hyper();
  Calibration result;
  result.samples = options.samples;
  result.length = options.length != 0 ? options.length : std::min<std::size_t>(512, hyper.context);
  if (result.samples == 0) throw Error(ErrorKind::kInvalidArgument, "--samples is 0");
  if (result.length > hyper.context)
    throw Error(
        ErrorKind::kInvalidArgument,
        cat("windows of ", result.length, " tokens exceed the model's context of ", hyper.context),
        cat("use --seq-len ", hyper.context, " or less"));

  if (options.sources.empty()) {
    const Transformer model(source);
    WriteOptions write;
    write.sequences = result.samples;
    write.length = result.length;
    write.seed = options.seed;
    write.compute = compute;
    write.progress = progress;
    for (const Ids& ids : write_text(model, write))
      result.ids.insert(result.ids.end(), ids.begin(), ids.end());
    result.description = "self-written";
  } else {
    const auto counts = share(result.samples, options.sources);
    for (std::size_t i = 0; i < counts.size(); ++i) {
      const CalibrationSource& file = options.sources[i];
      if (counts[i] == 0) continue;
      const MappedFile text = open_text(file.path);  // names the path itself when it fails
      const Ids ids = with_context(file.path.string(), [&] {
        return tokens_of(text, tokenizer, counts[i], result.length, hyper.vocabulary);
      });
      result.ids.insert(result.ids.end(), ids.begin(), ids.end());
      result.description += cat(result.description.empty() ? "" : ", ",
                                file.path.filename().string(), " (", counts[i], ")");
    }
  }
  result.hash = hash_of(result.ids);
  return result;
}

}  // namespace nibble
