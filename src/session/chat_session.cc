#include "session/chat_session.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::size_t kFirstCapacity = 512;

Json message(std::string_view role, std::string_view content) {
  return {{"role", role}, {"content", content}};
}

// Passes text on from its first character that is no blank.
class WithoutLeadingBlanks {
 public:
  explicit WithoutLeadingBlanks(const std::function<void(std::string_view)>& sink) : sink_(sink) {}
  void operator()(std::string_view piece) {
    if (!begun_) piece.remove_prefix(std::min(piece.find_first_not_of(" \n"), piece.size()));
    if (piece.empty()) return;
    begun_ = true;
    if (sink_) sink_(piece);
  }

 private:
  const std::function<void(std::string_view)>& sink_;
  bool begun_ = false;
};

}  // namespace

ChatSession::ChatSession(const RunningModel& model, FoundChatTemplate chat, GenerateOptions options,
                         StopStrings stops, Clock clock)
    : model_(&model),
      chat_(std::move(chat)),
      options_(std::move(options)),
      stops_(std::move(stops)),
      clock_(clock),
      cache_(model.hyper(), std::min(kFirstCapacity, model.hyper().context), options_.kv_type()) {
  learn_end_of_turn();
}

void ChatSession::set_system(std::string text) { system_ = std::move(text); }

void ChatSession::clear() { turns_ = Json::array(); }

Json ChatSession::messages() const {
  Json all = Json::array();
  if (!system_.empty()) all.push_back(message("system", system_));
  for (const Json& turn : turns_) all.push_back(turn);
  return all;
}

std::string ChatSession::rendered(const Json& messages, bool add_generation_prompt) const {
  Conversation conversation;
  conversation.messages = messages;
  conversation.add_generation_prompt = add_generation_prompt;
  conversation.special_tokens = chat_.special_tokens;
  conversation.now = clock_();
  return with_context(chat_.origin, [&] { return chat_.chat.render(conversation); });
}

// Files that name only the end of a text as EOS are common; the template shows what ends a turn.
void ChatSession::learn_end_of_turn() {
  constexpr std::string_view kMark = "Z1Q9";
  std::string text;
  try {
    text = rendered(Json::array({message("user", "Hi"), message("assistant", kMark)}), false);
  } catch (const Error&) {
    return;  // the first question meets the same refusal, and reports it
  }
  std::size_t after = text.rfind(kMark);
  if (after == text.npos) return;
  after = text.find_first_not_of(" \n", after + kMark.size());
  if (after == text.npos) return;
  const auto ids = model_->tokenizer().encode(std::string_view(text).substr(after),
                                              {.add_special = false, .parse_special = true});
  if (!ids.empty() && model_->tokenizer().is_special(ids[0])) options_.stop.push_back(ids[0]);
}

std::vector<std::int32_t> ChatSession::prompt() const {
  // The template writes BOS itself where the model wants it.
  auto ids = model_->tokenizer().encode(rendered(messages(), true),
                                        {.add_special = false, .parse_special = true});
  if (ids.empty()) throw Error(ErrorKind::kCorruptFile, cat(chat_.origin, ": the prompt is empty"));
  const std::size_t context = model_->hyper().context;
  if (ids.size() >= context)
    throw Error(
        ErrorKind::kInvalidArgument,
        cat("the conversation has ", ids.size(), " tokens; the model's context is ", context),
        "start a new conversation (/clear) or ask something shorter");
  return ids;
}

void ChatSession::reuse(const std::vector<std::int32_t>& ids) {
  const auto differs =
      std::mismatch(computed_.begin(), computed_.end(), ids.begin(), ids.end()).first;
  computed_.erase(differs, computed_.end());
  // The last one is computed again where all are there: its logits are needed.
  computed_.resize(std::min(computed_.size(), ids.size() - 1));
  cache_.truncate(computed_.size());
}

void ChatSession::remember(const std::string& answer) {
  if (answer.empty())
    turns_.erase(turns_.size() - 1);  // an answer of nothing confuses templates and models
  else
    turns_.push_back(message("assistant", answer));
}

ChatAnswer ChatSession::ask(const std::string& question,
                            const std::function<void(std::string_view)>& on_text) {
  turns_.push_back(message("user", question));
  std::vector<std::int32_t> ids;
  std::string so_far;
  ChatAnswer answer;
  try {
    ids = prompt();
    reuse(ids);
    answer.reused_tokens = cache_.length();
    WithoutLeadingBlanks show(on_text);
    answer.written = model_->write(
        cache_, ids, options_,
        [&](std::string_view piece) {
          so_far += piece;
          show(piece);
        },
        stops_);
  } catch (const Error& error) {
    ids.resize(std::min(ids.size(), cache_.length()));
    if (!ids.empty()) computed_ = std::move(ids);
    cache_.truncate(computed_.size());
    remember(error.kind() == ErrorKind::kInterrupted ? so_far : "");
    throw;
  }
  Generated& generated = answer.written.generated;
  ids.insert(ids.end(), generated.ids.begin(), generated.ids.end());
  answer.full = !generated.stopped && ids.size() > model_->hyper().context;
  ids.resize(std::min(ids.size(), cache_.length()));
  computed_ = std::move(ids);
  remember(answer.written.text);
  // Asked again, a question may have another answer.
  ++options_.sampler.seed;
  answer.written.text.erase(
      0, std::min(answer.written.text.find_first_not_of(" \n"), answer.written.text.size()));
  return answer;
}

}  // namespace nibble
