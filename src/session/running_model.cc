#include "session/running_model.h"

#include <algorithm>
#include <utility>

#include "model/open_tokenizer.h"

namespace nibble {
namespace {

double per_second(std::size_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

// The text after a prompt. The decoder sees the prompt too: whether a space begins the text depends
// on what stands before. What it still holds back at the prompt's end, bytes that might be part of
// a longer run, comes out later and is no part of what was written.
class TextAfterPrompt {
 public:
  TextAfterPrompt(const Tokenizer& tokenizer, std::span<const std::int32_t> prompt)
      : decoder_(tokenizer.stream()) {
    std::string given;
    for (const std::int32_t id : prompt) given += decoder_->add(id);
    const std::string whole = tokenizer.decode(prompt);
    if (whole.starts_with(given)) held_back_ = whole.substr(given.size());
  }
  std::string add(std::int32_t id) { return without_prompt(decoder_->add(id)); }
  std::string finish() { return without_prompt(decoder_->finish()); }

 private:
  std::string without_prompt(std::string text) {
    const auto differ =
        std::mismatch(text.begin(), text.end(), held_back_.begin(), held_back_.end());
    const auto same = static_cast<std::size_t>(differ.first - text.begin());
    // Where the text goes another way the prompt has ended.
    held_back_.erase(0, same < text.size() ? std::string::npos : same);
    return text.substr(same);
  }

  std::unique_ptr<StreamDecoder> decoder_;
  std::string held_back_;
};

}  // namespace

double Written::prompt_rate() const { return per_second(prompt_tokens, generated.prompt_seconds); }

double Written::rate() const {
  const std::size_t count = generated.ids.size();
  return per_second(count > 0 ? count - 1 : 0, generated.generate_seconds);
}

RunningModel::RunningModel(const std::filesystem::path& folder,
                           const std::filesystem::path& adapter)
    : source_(folder, adapter),
      settings_(generation_settings(source_.folder())),
      tokenizer_(open_tokenizer(source_.path())),
      transformer_(source_),
      stop_(hyper().eos) {
  if (const auto id = tokenizer_->eos()) stop_.push_back(*id);
  stop_.insert(stop_.end(), settings_.stop.begin(), settings_.stop.end());
}

Written RunningModel::write(std::string_view prompt, GenerateOptions options,
                            const std::function<void(std::string_view)>& on_text,
                            StopStrings stops) const {
  const auto ids = tokenizer_->encode(prompt);
  KvCache cache(hyper(), std::min(hyper().context, ids.size() + options.max_tokens),
                options.kv_type());
  return write(cache, ids, std::move(options), on_text, std::move(stops));
}

Written RunningModel::write(KvCache& cache, std::span<const std::int32_t> ids,
                            GenerateOptions options,
                            const std::function<void(std::string_view)>& on_text,
                            StopStrings stops) const {
  options.stop.insert(options.stop.end(), stop_.begin(), stop_.end());
  Written written;
  written.prompt_tokens = ids.size() - cache.length();
  const auto give = [&](const std::string& piece) {
    written.text += piece;
    if (on_text && !piece.empty()) on_text(piece);
  };
  TextAfterPrompt text_after(*tokenizer_, ids);
  written.generated = generate(transformer_, cache, ids, options, [&](std::int32_t id) {
    give(stops.add(text_after.add(id)));
    return !stops.found();
  });
  give(stops.add(text_after.finish()) + stops.finish());
  written.generated.stopped |= stops.found();
  return written;
}

}  // namespace nibble
