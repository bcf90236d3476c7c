#include "model/find_chat_template.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/files.h"
#include "base/text.h"
#include "checkpoint/gguf_vocabulary.h"
#include "nibble/checkpoint.h"
#include "nibble/error.h"
#include "tokenizer/special_names.h"

namespace nibble {
namespace {

constexpr std::uint64_t kMaxTemplateBytes = 4ull << 20;
constexpr std::uint64_t kMaxConfigBytes = 16ull << 20;

// A template as text, before it is parsed.
struct Source {
  std::string text, origin;
  Json special_tokens = Json::object();
};

// "chat_template": a text, or a list of {"name", "template"} of which "default" is meant.
std::optional<std::string> template_in(const Json& config) {
  const auto found = config.find("chat_template");
  if (found == config.end() || found->is_null()) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_array())
    throw Error(ErrorKind::kCorruptFile, "\"chat_template\" must be a text or a list");
  std::vector<std::string> names;
  for (const Json& entry : *found) {
    if (!entry.is_object())
      throw Error(ErrorKind::kCorruptFile, "\"chat_template\" must list objects");
    names.push_back(json_string(entry, "name", ""));
    if (names.back() == "default") return json_string(entry, "template", "");
  }
  throw Error(ErrorKind::kUnsupported,
              cat("none of the chat templates is named \"default\": ", join(names, ", ")),
              "write the one to use to chat_template.jinja in the model's folder");
}

Json special_tokens_in(const fs::path& folder) {
  Json tokens = Json::object();
  for (auto& [role, token] : tokenizer::read_special_names_in(folder).tokens) tokens[role] = token;
  return tokens;
}

std::optional<Source> in_folder(const fs::path& folder) {
  Source source;
  const fs::path jinja = folder / "chat_template.jinja";
  if (fs::exists(jinja)) {
    source.text = read_file(jinja, kMaxTemplateBytes);
    source.origin = jinja.string();
  }
  for (const char* name : {"tokenizer_config.json", "chat_template.json"}) {
    const fs::path file = folder / name;
    if (!source.origin.empty() || !fs::exists(file)) continue;
    const Json config = read_json(file, kMaxConfigBytes);
    with_context(file.string(), [&] {
      if (!config.is_object()) throw Error(ErrorKind::kCorruptFile, "not a JSON object");
      auto text = template_in(config);
      if (!text) return;
      source.text = std::move(*text);
      source.origin = file.string() + ": chat_template";
    });
  }
  if (source.origin.empty()) return std::nullopt;
  source.special_tokens = special_tokens_in(folder);
  return source;
}

// What a GGUF file says; the template may be empty.
std::optional<Source> in_gguf(const fs::path& model) {
  std::unique_ptr<CheckpointReader> checkpoint;
  try {
    checkpoint = open_checkpoint(model);
  } catch (const Error& error) {
    // A folder of a tokenizer alone is no reason to speak of weights.
    if (error.kind() == ErrorKind::kNotFound && fs::is_directory(model)) return std::nullopt;
    throw;
  }
  if (checkpoint->gguf() == nullptr) return std::nullopt;
  const std::string file = checkpoint->files().front().string();
  const GgufVocabulary vocabulary =
      with_context(file, [&] { return read_gguf_vocabulary(*checkpoint->gguf()); });
  Source source{vocabulary.chat_template, file + ": tokenizer.chat_template"};
  const auto add = [&](const char* role, std::optional<std::int32_t> id) {
    if (id) source.special_tokens[role] = vocabulary.tokens[static_cast<std::size_t>(*id)];
  };
  add("bos_token", vocabulary.bos);
  add("eos_token", vocabulary.eos);
  add("unk_token", vocabulary.unk);
  add("pad_token", vocabulary.pad);
  return source;
}

fs::path folder_of(const fs::path& model) {
  return fs::is_directory(model) ? model : fs::absolute(model).parent_path();
}

}  // namespace

FoundChatTemplate find_chat_template(const fs::path& model) {
  const bool is_folder = fs::is_directory(model);
  const auto own = [&]() -> std::optional<Source> {
    auto source = in_gguf(model);
    return source && !source->text.empty() ? source : std::nullopt;
  };
  std::optional<Source> source = is_folder ? in_folder(model) : own();
  if (!source) source = is_folder ? own() : in_folder(folder_of(model));
  if (!source)
    throw Error(ErrorKind::kNotFound, cat(model.string(), ": the model has no chat template"),
                "use a chat (\"instruct\") model, put its template into chat_template.jinja beside "
                "it, or continue plain text with nibble generate");
  return with_context(source->origin, [&] {
    return FoundChatTemplate{ChatTemplate::parse(source->text), std::move(source->special_tokens),
                             source->origin};
  });
}

std::string chat_template_text(const fs::path& folder) {
  std::optional<Source> source = in_folder(folder);
  return source ? std::move(source->text) : std::string();
}

FoundChatTemplate use_chat_template(std::string_view text, std::string origin,
                                    const fs::path& model) {
  Json special_tokens = special_tokens_in(folder_of(model));
  if (special_tokens.empty())
    if (auto gguf = in_gguf(model)) special_tokens = std::move(gguf->special_tokens);
  return {ChatTemplate::parse(text), std::move(special_tokens), std::move(origin)};
}

}  // namespace nibble
