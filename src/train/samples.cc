#include "train/samples.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "base/sha256.h"
#include "base/text.h"
#include "base/text_file.h"
#include "model/data_row.h"
#include "model/documents.h"
#include "model/find_chat_template.h"
#include "nibble/error.h"

namespace nibble {
namespace {

using Ids = std::vector<std::int32_t>;

constexpr EncodeOptions kPiece{.add_special = false, .parse_special = true};

class Reader {
 public:
  Reader(const ModelSource& source, const Tokenizer& tokenizer, std::size_t length)
      : source_(source), tokenizer_(tokenizer), length_(length) {}

  SampleFile read(std::string_view text) {
    if (holds_documents(text))
      read_rows(text);
    else
      add_windows(tokenizer_.encode(text));
    if (cut_ > 0)
      file_.notes.push_back(cat(cut_, " samples are longer than ", length_,
                                " tokens and were cut off at the end; --seq-len takes more"));
    if (unlearnt_ > 0)
      file_.notes.push_back(cat(unlearnt_, " samples have nothing to learn within ", length_,
                                " tokens and are left out"));
    if (file_.samples.empty()) refuse_nothing();
    std::string all;
    for (const Sample& sample : file_.samples) {
      const auto ids = std::as_bytes(std::span(sample.ids));
      all.append(reinterpret_cast<const char*>(ids.data()), ids.size());
      all.append(sample.learnt.begin(), sample.learnt.end());
    }
    file_.hash = sha256(std::as_bytes(std::span(all)));
    return std::move(file_);
  }

 private:
  [[noreturn]] void refuse_nothing() const {
    if (unlearnt_ > 0)
      throw Error(ErrorKind::kInvalidArgument,
                  cat("none of its samples has anything to learn within ", length_, " tokens"),
                  "give a larger --seq-len, or shorter prompts");
    throw Error(ErrorKind::kInvalidArgument, "there is nothing to learn in it",
                "give rows with \"messages\", \"prompt\" and \"completion\" or \"text\", or prose");
  }

  // Conversations need the model's template: that one is missing is said once, not of each row.
  void add_meant(const DataRow& row) {
    if (!row.messages.is_null() && !template_)
      template_.emplace(find_chat_template(source_.path()));
    add_row(row);
  }

  void read_rows(std::string_view text) {
    DataRows rows(text);
    LeftOut left_out;
    std::size_t count = 0;
    while (const auto row = rows.next()) {
      ++count;
      try {
        add_meant(read_data_row(row->value));
      } catch (const Error& error) {
        if (error.kind() == ErrorKind::kInterrupted || error.kind() == ErrorKind::kNotFound) throw;
        left_out.add(row->line, error);
      }
    }
    left_out.refuse_nothing(count,
                            "rows are \"messages\" with one of the assistant, \"prompt\" and "
                            "\"completion\", or \"text\": docs/training.md");
    if (left_out.count() > 0) file_.notes.push_back(left_out.note(count));
  }

  void add_row(const DataRow& row) {
    if (!row.messages.is_null()) return add(conversation(row));
    if (row.prompt.empty()) return add_windows(with_end(tokenizer_.encode(row.text)));
    Sample sample;
    append(sample, tokenizer_.encode(row.prompt), false);
    append(sample, with_end(tokenizer_.encode(row.text, kPiece)), true);
    add(std::move(sample));
  }

  Ids with_end(Ids ids) const {
    const auto end = tokenizer_.eos();
    if (end && (ids.empty() || ids.back() != *end)) ids.push_back(*end);
    return ids;
  }

  void append(Sample& sample, const Ids& ids, bool learnt) const {
    for (const std::int32_t id : ids)
      if (id < 0 || static_cast<std::size_t>(id) >= source_.hyper().vocabulary)
        throw Error(ErrorKind::kUnsupported, cat("the tokenizer gave id ", id, "; the model has ",
                                                 source_.hyper().vocabulary, " tokens"));
    sample.ids.insert(sample.ids.end(), ids.begin(), ids.end());
    sample.learnt.insert(sample.learnt.end(), ids.size(), learnt ? 1 : 0);
  }

  // Each part is tokenized by itself: what comes before an answer is what the model will be given
  // when it answers.
  Sample conversation(const DataRow& row) {
    const Json& messages = row.messages;
    Sample sample;
    std::string written;
    const auto next = [&](const std::string& text) {
      if (!text.starts_with(written))
        throw Error(ErrorKind::kUnsupported,
                    "the chat template writes earlier messages otherwise once others follow, so "
                    "the parts of this conversation cannot be told apart");
      const std::string piece = text.substr(written.size());
      written = text;
      return tokenizer_.encode(piece, kPiece);
    };
    for (std::size_t i = 0; i < messages.size(); ++i) {
      if (json_string(messages[i], "role", "") != "assistant") continue;
      append(sample, next(rendered(row, i, true)), false);
      append_answer(sample, next(rendered(row, i + 1, false)));
    }
    if (sample.ids.empty())
      throw Error(ErrorKind::kUnsupported, "the conversation has no message of the assistant");
    return sample;
  }

  // An answer and the token that ends its turn; what the template writes behind that is not the
  // assistant's.
  void append_answer(Sample& sample, const Ids& ids) const {
    auto end = ids.end();
    while (end != ids.begin() && !tokenizer_.is_special(*(end - 1))) --end;
    if (end == ids.begin()) end = ids.end();
    append(sample, Ids(ids.begin(), end), true);
    append(sample, Ids(end, ids.end()), false);
  }

  std::string rendered(const DataRow& row, std::size_t count, bool prompt) const {
    Conversation conversation;
    conversation.messages = Json::array();
    for (std::size_t i = 0; i < count; ++i) conversation.messages.push_back(row.messages[i]);
    conversation.tools = row.tools;
    conversation.add_generation_prompt = prompt;
    conversation.special_tokens = template_->special_tokens;
    return with_context("the chat template refuses the row",
                        [&] { return template_->chat.render(conversation); });
  }

  void add_windows(const Ids& ids) {
    for (std::size_t first = 0; first < ids.size(); first += length_) {
      Sample sample;
      const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(first);
      append(sample,
             Ids(begin, begin + static_cast<std::ptrdiff_t>(std::min(length_, ids.size() - first))),
             true);
      add(std::move(sample));
    }
  }

  void add(Sample sample) {
    if (sample.ids.size() > length_) {
      ++cut_;
      sample.ids.resize(length_);
      sample.learnt.resize(length_);
    }
    if (!sample.learnt.empty()) sample.learnt.front() = 0;
    if (sample.trained_tokens() == 0)
      ++unlearnt_;
    else
      file_.samples.push_back(std::move(sample));
  }

  const ModelSource& source_;
  const Tokenizer& tokenizer_;
  std::size_t length_, cut_ = 0, unlearnt_ = 0;
  std::optional<FoundChatTemplate> template_;
  SampleFile file_;
};

}  // namespace

std::size_t Sample::trained_tokens() const {
  return std::accumulate(learnt.begin(), learnt.end(), std::size_t{0});
}

SampleFile read_samples(const std::filesystem::path& file, const ModelSource& source,
                        const Tokenizer& tokenizer, std::size_t length) {
  const TextFile text(file);
  return with_context(text.name(),
                      [&] { return Reader(source, tokenizer, length).read(text.text()); });
}

}  // namespace nibble
