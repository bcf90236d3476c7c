// nibble template: what a chat template, or a model's, makes of a conversation.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"
#include "base/text_file.h"
#include "cli/command.h"
#include "cli/json_output.h"
#include "model/find_chat_template.h"
#include "nibble/error.h"
#include "session/local_time.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string file, conversation;
};

// A list of messages, or an object with "messages" and what else the template may see.
Conversation conversation_of(const std::string& file) {
  Json json = with_context(file, [&] { return parse_json(read_text(file)); });
  Conversation conversation;
  conversation.now = local_time();
  if (json.is_array()) {
    conversation.messages = std::move(json);
    return conversation;
  }
  if (!json.is_object() || !json.contains("messages"))
    throw Error(ErrorKind::kInvalidArgument,
                cat(file, ": expected a list of messages, or an object with \"messages\""));
  conversation.messages = json["messages"];
  if (json.contains("tools")) conversation.tools = json["tools"];
  conversation.add_generation_prompt = json_bool(json, "add_generation_prompt", true);
  conversation.now = json_int(json, "now", conversation.now, 0, std::int64_t{1} << 40);
  for (const char* known : {"messages", "tools", "add_generation_prompt", "now"}) json.erase(known);
  conversation.extra = std::move(json);
  return conversation;
}

// A model is a folder, a file of weights or a name in the cache; any other file is a template.
bool names_model(const std::string& argument) {
  if (argument == "-") return false;
  const fs::path path = argument;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return path.extension() != ".jinja";
  if (fs::is_directory(path, ignored)) return true;
  return path.extension() == ".gguf" || path.extension() == ".safetensors";
}

FoundChatTemplate template_of(const std::string& argument, const Global& global) {
  if (names_model(argument)) return find_chat_template(global.model(argument));
  return with_context(argument, [&] {
    return FoundChatTemplate{ChatTemplate::parse(read_text(argument)), Json(), argument};
  });
}

int run(const Options& options, const Global& global) {
  const FoundChatTemplate found = template_of(options.file, global);
  Conversation conversation = conversation_of(options.conversation);
  conversation.special_tokens = found.special_tokens;
  const std::string prompt = found.chat.render(conversation);
  if (global.json)
    print_json("nibble.template/1", {{"prompt", prompt}});
  else
    fmt::print("{}", prompt);
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  app.add_option("FILE", options->file, "A template (- is stdin), or a model that has one")
      ->required();
  app.add_option("--messages", options->conversation,
                 "JSON file: a list of {\"role\", \"content\"}, or an object with \"messages\", "
                 "\"tools\" and other variables")
      ->required();
  return [options, &global] { return run(*options, global); };
}

}  // namespace

extern const Command template_command{
    .name = "template",
    .summary = "Show the prompt that a chat template makes of a conversation",
    .examples =
        "  nibble template MODEL --messages conversation.json\n"
        "  nibble template chat_template.jinja --messages conversation.json\n",
    .setup = setup,
};

}  // namespace nibble::cli
