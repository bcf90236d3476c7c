#include "evaluate/scored_text.h"

#include <algorithm>

#include "base/files.h"
#include "base/sha256.h"
#include "base/text.h"
#include "base/text_file.h"
#include "model/documents.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::size_t kUsualWindow = 2048;  // of the papers that gptq-N comes from

// The BOS that this tokenizer puts in front of a text of its own accord.
std::optional<std::int32_t> added_bos(const Tokenizer& tokenizer) {
  const auto bos = tokenizer.bos();
  const auto ids = tokenizer.encode("");
  if (bos && !ids.empty() && ids.front() == *bos) return bos;
  return std::nullopt;
}

}  // namespace

std::size_t ScoredText::window_tokens() const {
  std::size_t count = 0;
  for (const Window& window : windows) count += window.length;
  return count;
}

std::vector<std::int32_t> ScoredText::window_ids(const Window& window) const {
  const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(window.first);
  std::vector<std::int32_t> result(begin, begin + static_cast<std::ptrdiff_t>(window.length));
  if (bos) result.front() = *bos;
  return result;
}

NamedProtocol protocol_of(const MeasureOptions& options, std::size_t model_context) {
  const std::size_t window = std::max<std::size_t>(2, std::min(kUsualWindow, model_context));
  const NamedProtocol named =
      protocols::named(options.protocol.empty() ? cat("gptq-", window) : options.protocol);
  if (options.context != 0 && !named.protocol->reads_context)
    throw Error(ErrorKind::kInvalidArgument,
                cat("a context of ", options.context, " (-c) goes with hf-stride-S; ", named.name(),
                    " has its window in its name"),
                cat("write --protocol ", named.protocol->family, "-", options.context));
  return named;
}

ScoredText make_scored_text(const Tokenizer& tokenizer, const TextToScore& read,
                            std::size_t model_context, const MeasureOptions& options) {
  const std::string& text = read.text;
  const NamedProtocol named = protocol_of(options, model_context);
  const Protocol& protocol = *named.protocol;
  ScoredText result;
  result.ids = tokenizer.encode(text, {.parse_special = protocol.parse_special});
  WindowRequest request;
  request.tokens = result.ids.size();
  request.number = named.number;
  request.context =
      std::max<std::size_t>(2, options.context != 0 ? options.context : model_context);
  const std::size_t needed = protocol.least_tokens(request);
  if (request.tokens < needed)
    throw Error(ErrorKind::kInvalidArgument,
                cat(read.name, " is too short: it has ", request.tokens, " tokens, ", named.name(),
                    " needs at least ", needed),
                "use a longer text, or a protocol with a shorter window");
  result.windows = protocol.windows(request);
  if (options.windows != 0 && options.windows < result.windows.size())
    result.windows.resize(options.windows);
  if (protocol.bos_in_windows) result.bos = added_bos(tokenizer);

  Scope& scope = result.scope;
  scope.protocol = named.name();
  scope.context = protocol.window_length(request);
  scope.windows = result.windows.size();
  for (const Window& window : result.windows) scope.tokens += window.length - window.first_scored;
  scope.text_tokens = request.tokens;
  scope.text_sha256 = sha256(std::as_bytes(std::span(text)));
  if (scope.context > model_context && options.log)
    options.log(cat("warning: windows of ", scope.context, " tokens, but the model knows only ",
                    model_context, " positions: the figure will look worse than the model is"));
  return result;
}

TextToScore read_text_to_score(const std::filesystem::path& file,
                               const std::filesystem::path& model, std::size_t model_context,
                               const MeasureOptions& options) {
  protocol_of(options, model_context);  // refused before a large file is read
  TextToScore result{read_text(file), file == "-" ? "stdin" : file.string()};
  if (!holds_documents(result.text)) {
    if (const std::string note = table_as_prose(file); !note.empty() && options.log)
      options.log(cat("warning: ", result.name, ": ", note));
    return result;
  }
  Documents documents =
      with_context(result.name, [&] { return read_documents(result.text, model); });
  result.text = std::move(documents.text);
  for (const std::string& note : documents.notes)
    if (options.log) options.log(cat("warning: ", result.name, ": ", note));
  return result;
}

}  // namespace nibble
