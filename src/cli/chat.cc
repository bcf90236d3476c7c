// nibble chat: a conversation with a model, in its own template.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/text_file.h"
#include "cli/command.h"
#include "cli/dialogue.h"
#include "cli/generation_options.h"
#include "cli/json_output.h"
#include "cli/text_input.h"
#include "nibble/error.h"
#include "session/chat_session.h"

namespace nibble::cli {
namespace {

struct Options {
  std::string model, prompt, system, template_file;
  bool no_history = false;
  GenerationFlags flags;
};

FoundChatTemplate template_of(const Options& options, const std::filesystem::path& model) {
  if (options.template_file.empty()) return find_chat_template(model);
  const std::string& file = options.template_file;
  return with_context(file, [&] { return use_chat_template(read_text(file), file, model); });
}

// The question of -p: what stdin holds for -p -, and behind the typed text where it is a pipe.
std::string question_of(const Options& options, const Global& global) {
  const bool blank = options.prompt.find_first_not_of(" \t\n") == std::string::npos;
  if (blank) throw Error(ErrorKind::kInvalidArgument, "--prompt is empty", "give a question");
  if (options.prompt != "-") return with_piped_text(options.prompt, global.log);
  const std::string text = read_text("-");
  if (text.find_first_not_of(" \t\r\n") == text.npos)
    throw Error(ErrorKind::kInvalidArgument, "--prompt -: stdin is empty", "give a question");
  return text;
}

std::filesystem::path history_file(const Options& options, const Global& global) {
  if (options.no_history || global.state_folder.empty()) return {};
  return global.state_folder / "chat_history";
}

int run(const Options& options, const CLI::App& app, const Global& global) {
  const bool one_question = app.get_option("--prompt")->count() > 0;
  if (global.json && !one_question)
    throw Error(ErrorKind::kInvalidArgument, "--json answers one question", "give it with -p TEXT");
  const std::string question = one_question ? question_of(options, global) : "";
  const Compute compute = compute_of(options.flags);
  StopStrings stops(options.flags.stop);
  const std::filesystem::path path = global.model(options.model);
  FoundChatTemplate chat = template_of(options, path);  // before the weights: it may be missing
  RunningModel model(path, options.flags.lora);
  global.log_all(model.source().notes());
  model.prepare(compute);
  if (const std::string note = model.transformer().note_on(compute); !note.empty())
    global.log(note);
  const std::size_t context = model.hyper().context;
  const GenerationSettings settings = settings_of(options.flags, app, model.settings());
  const GenerateOptions generate_options =
      options_of(options.flags, settings, context, global.seed);
  ChatSession session(model, std::move(chat), generate_options, std::move(stops));
  session.set_system(options.system);
  const std::string seed = seed_text(settings, global);
  if (!one_question) {
    Dialogue(session, global,
             {.context = context,
              .history = history_file(options, global),
              .greeting = cat("/help lists the commands, Ctrl-D leaves", seed)})
        .run();
    return 0;
  }
  const auto quiet = [](std::string_view) {};
  const auto on_text = global.json ? std::function<void(std::string_view)>(quiet) : print_piece;
  const ChatAnswer answer = session.ask(question, on_text);
  if (global.json) {
    Json object = run_json(model.source().path(), compute);
    object.update(json_of(answer.written, settings, generate_options));
    object["answer"] = answer.written.text;
    print_json("nibble.chat/1", std::move(object));
    return 0;
  }
  print_piece("\n");
  note_end(answer, global, context);
  global.log(rates_text(answer) + seed);
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  options->flags.tokens = 1024;  // an answer ends by itself, a model that rambles here
  app.add_option("MODEL", options->model, "Folder, .gguf file or org/name in the cache")
      ->required();
  app.add_option(
      "-p,--prompt", options->prompt,
      "One question, with what a pipe on stdin holds; - is stdin; without it: a dialogue");
  app.add_option("--system", options->system, "The system message");
  app.add_option("--template", options->template_file,
                 "A chat template (Jinja) in place of the model's own")
      ->type_name("FILE");
  app.add_flag("--no-history", options->no_history,
               "Neither read nor keep what is typed at a terminal");
  declare(app, options->flags);
  return [options, &app, &global] { return run(*options, app, global); };
}

}  // namespace

extern const Command chat_command{
    .name = "chat",
    .summary = "Talk with a model",
    .examples =
        "  nibble chat MODEL\n"
        "  nibble chat MODEL -p \"What is the capital of France?\" --temp 0\n"
        "  nibble chat MODEL -p \"Summarize:\" < notes.txt\n",
    .setup = setup,
    .draws_seed = true,
};

}  // namespace nibble::cli
