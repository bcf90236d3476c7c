// The contract's Model over a RunningModel: options are checked here, as no command line does it.
#include "nibble/model.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"
#include "model/find_chat_template.h"
#include "nibble/error.h"
#include "session/local_time.h"
#include "session/running_model.h"

namespace nibble {
namespace {

constexpr double kLargest = 100;  // of temperatures and penalties

// Keeps `value` where the caller says nothing.
template <typename Given, typename Value>
void take(std::string_view name, const std::optional<Given>& given, double low, double high,
          Value& value) {
  if (!given) return;
  const auto number = static_cast<double>(*given);
  if (!(number >= low && number <= high))  // NaN too
    throw Error(ErrorKind::kInvalidArgument,
                cat(name, " is ", number, "; expected ", low, " to ", high));
  value = static_cast<Value>(*given);
}

GenerationSettings chosen(const TextOptions& options, GenerationSettings settings) {
  constexpr double kMost = 1 << 24;
  take("temperature", options.temperature, 0, kLargest, settings.temperature);
  take("top_k", options.top_k, 0, kMost, settings.top_k);
  take("top_p", options.top_p, 0, 1, settings.top_p);
  take("min_p", options.min_p, 0, 1, settings.min_p);
  take("repeat_penalty", options.repeat_penalty, 0.01, kLargest, settings.repeat_penalty);
  take("presence_penalty", options.presence_penalty, -kLargest, kLargest,
       settings.presence_penalty);
  take("frequency_penalty", options.frequency_penalty, -kLargest, kLargest,
       settings.frequency_penalty);
  take("repeat_last", options.repeat_last, -1, kMost, settings.repeat_last);
  return settings;
}

ModelFacts facts_of(const RunningModel& model) {
  const HyperParams& hyper = model.hyper();
  return {.architecture = std::string(model.source().spec().name),
          .layers = hyper.layers,
          .hidden = hyper.hidden,
          .vocabulary = hyper.vocabulary,
          .context = hyper.context,
          .weights = model.transformer().kind(),
          .weight_bytes = model.transformer().weight_bytes()};
}

}  // namespace

struct Model::Parts {
  Parts(const std::filesystem::path& path, Compute arithmetic) : model(path), compute(arithmetic) {
    facts = facts_of(model);
    model.prepare(compute);
  }

  RunningModel model;
  Compute compute;
  ModelFacts facts;
};

Model::Model(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Model::Model(Model&& other) noexcept = default;
Model& Model::operator=(Model&& other) noexcept = default;
Model::~Model() = default;

Model Model::open(const std::filesystem::path& path, Compute compute) {
  return Model(std::make_unique<Parts>(path, compute));
}

const Tokenizer& Model::tokenizer() const { return parts_->model.tokenizer(); }

const ModelFacts& Model::facts() const { return parts_->facts; }

std::vector<std::int32_t> Model::chat_prompt(std::string_view message) const {
  const FoundChatTemplate found = find_chat_template(parts_->model.source().path());
  Conversation conversation;
  conversation.messages = Json::array({{{"role", "user"}, {"content", message}}});
  conversation.bos_token = found.bos_token;
  conversation.eos_token = found.eos_token;
  conversation.now = local_time();
  const std::string text =
      with_context(found.origin, [&] { return found.chat.render(conversation); });
  // The template writes BOS itself where the model wants it.
  return tokenizer().encode(text, {.add_special = false});
}

GeneratedText Model::generate(std::string_view prompt, const TextOptions& options,
                              const std::function<void(std::string_view)>& on_text) const {
  return generate(std::span<const std::int32_t>(tokenizer().encode(prompt)), options, on_text);
}

GeneratedText Model::generate(std::span<const std::int32_t> prompt, const TextOptions& options,
                              const std::function<void(std::string_view)>& on_text) const {
  const RunningModel& model = parts_->model;
  const std::size_t context = model.hyper().context;
  GenerateOptions generate_options;
  generate_options.max_tokens = options.max_tokens;
  generate_options.compute = parts_->compute;
  generate_options.sampler =
      sampler_options(chosen(options, model.settings()), context, options.seed);
  StopStrings stops(options.stop);
  const std::size_t room =
      prompt.size() + std::min(options.max_tokens, std::numeric_limits<std::size_t>::max() / 2);
  KvCache cache(model.hyper(), std::min(context, room), generate_options.kv_type());
  Written written =
      model.write(cache, prompt, std::move(generate_options), on_text, std::move(stops));
  return {.text = std::move(written.text),
          .ids = std::move(written.generated.ids),
          .stopped = written.generated.stopped,
          .prompt_tokens = written.prompt_tokens,
          .prompt_seconds = written.generated.prompt_seconds,
          .generate_seconds = written.generated.generate_seconds};
}

std::vector<float> Model::logits(std::span<const std::int32_t> ids) const {
  const RunningModel& model = parts_->model;
  if (ids.empty()) throw Error(ErrorKind::kInvalidArgument, "logits of no tokens were asked for");
  if (ids.size() > model.hyper().context)
    throw Error(ErrorKind::kInvalidArgument,
                cat(ids.size(), " tokens; the model's context is ", model.hyper().context));
  KvCache cache(model.hyper(), ids.size(), kv_type_for(parts_->compute));
  return model.transformer().extend(cache, ids, parts_->compute);
}

}  // namespace nibble
