#include "quantize/calibration/calibration.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/files.h"
#include "base/sha256.h"
#include "base/text.h"
#include "base/text_file.h"
#include "model/documents.h"
#include "model/generate.h"
#include "model/transformer.h"
#include "nibble/error.h"

namespace nibble {
namespace {

using Ids = std::vector<std::int32_t>;

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

bool holds_windows(std::string_view text) {
  const auto key = text.find_first_not_of(" \t\r\n{");
  return key != text.npos && text.find('{') < key && text.substr(key).starts_with("\"windows\"");
}

// The rows of `text`, of which the first `needed` tokens are taken.
Ids tokens_of_rows(std::string_view text, const ModelSource& source, const Tokenizer& tokenizer,
                   std::size_t needed, std::vector<std::string>& notes) {
  // Twelve bytes for each token are more than any text needs; if not, all rows are taken.
  Documents documents = read_documents(text, source.path(), needed * 12 + 4096);
  Ids ids = first_tokens(documents.text, tokenizer, needed + 1);
  if (ids.size() <= needed) {
    documents = read_documents(text, source.path());
    ids = first_tokens(documents.text, tokenizer, needed + 1);
  }
  // A chat template writes the token that the tokenizer puts in front as well.
  const auto bos = tokenizer.bos();
  if (bos && ids.size() > 1 && ids[0] == *bos && ids[1] == *bos) ids.erase(ids.begin());
  if (ids.size() > needed) ids.resize(needed);
  notes = std::move(documents.notes);
  return ids;
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

Ids tokens_of(std::string_view text, const ModelSource& source, const Tokenizer& tokenizer,
              std::size_t samples, std::size_t length, std::vector<std::string>& notes) {
  const std::size_t vocabulary = source.hyper().vocabulary;
  const std::size_t needed = samples * length;
  Ids ids;
  if (holds_windows(text))
    ids = windows_of(text, samples, length, vocabulary);
  else if (holds_documents(text))
    ids = tokens_of_rows(text, source, tokenizer, needed, notes);
  else
    ids = first_tokens(text, tokenizer, needed);
  if (ids.size() < needed)
    throw Error(
        ErrorKind::kInvalidArgument,
        cat("holds ", ids.size(), " tokens; ", samples, " windows of ", length, " need ", needed),
        ids.size() < length ? std::string("give more text, or a smaller --seq-len")
                            : cat("give more text, or use --samples ", ids.size() / length));
  for (const std::int32_t id : ids)
    if (id < 0 || static_cast<std::size_t>(id) >= vocabulary)
      throw Error(ErrorKind::kCorruptFile,
                  cat("the tokenizer gave id ", id, "; the model has ", vocabulary, " tokens"));
  return ids;
}

// Largest remainders: counts that add up to `samples`.
std::vector<std::size_t> share(std::size_t samples, const std::vector<CalibrationFile>& sources) {
  double total = 0;
  for (const CalibrationFile& source : sources) total += source.weight;
  std::vector<std::size_t> counts;
  std::vector<double> remainders;
  std::size_t given = 0;
  for (const CalibrationFile& source : sources) {
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

std::string few_tokens_note(std::size_t samples, std::size_t length, std::size_t inputs) {
  const std::size_t tokens = samples * length;
  if (tokens == 0 || tokens >= inputs) return {};
  return cat(tokens, " calibration tokens for layers of up to ", inputs,
             " inputs: how most inputs go together cannot be seen in so few, and the output may be "
             "worse than plain rounding (--samples ",
             (4 * inputs + length - 1) / length, " or more, or a larger --seq-len)");
}

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
      const CalibrationFile& file = options.sources[i];
      if (counts[i] == 0) continue;
      const TextFile text(file.path);
      std::vector<std::string> notes;
      const Ids ids = with_context(text.name(), [&] {
        return tokens_of(text.text(), source, tokenizer, counts[i], result.length, notes);
      });
      result.ids.insert(result.ids.end(), ids.begin(), ids.end());
      if (!holds_windows(text.text()) && !holds_documents(text.text()))
        if (const std::string note = table_as_prose(file.path); !note.empty())
          notes.push_back(note);
      if (std::all_of(ids.begin(), ids.end(), [&](auto id) { return id == ids.front(); }))
        notes.push_back(cat("is one token, id ", ids.front(),
                            ", over and over: nothing can be learnt of a model's inputs from it"));
      for (const std::string& note : notes) result.notes.push_back(cat(text.name(), ": ", note));
      result.description += cat(result.description.empty() ? "" : ", ",
                                fs::path(text.name()).filename().string(), " (", counts[i], ")");
    }
  }
  result.hash = hash_of(result.ids);
  return result;
}

}  // namespace nibble
