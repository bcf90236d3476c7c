// nibble chat: a conversation with a model, in its own template.
#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"
#include "cli/generation_options.h"
#include "cli/json_output.h"
#include "cli/line_reader.h"
#include "cli/compute_options.h"
#include "cli/signals.h"
#include "cli/text_input.h"
#include "nibble/error.h"
#include "session/chat_session.h"

namespace nibble::cli {
namespace {

constexpr std::string_view kHelp =
    "/clear          start a new conversation\n"
    "/system TEXT    set the system message; without TEXT: none\n"
    "/help           this list\n"
    "/exit           leave (so does the end of input)\n"
    "Ctrl-C ends an answer; at the prompt it ends the program.\n";

struct Options {
  std::string model, prompt, system, template_file;
  GenerationFlags flags;
};

FoundChatTemplate template_of(const Options& options, const std::filesystem::path& model) {
  if (options.template_file.empty()) return find_chat_template(model);
  const std::string& file = options.template_file;
  return with_context(file, [&] { return use_chat_template(read_text(file), file, model); });
}

void print_piece(std::string_view piece) {
  fmt::print("{}", piece);
  std::fflush(stdout);
}

std::string rates(const ChatAnswer& answer) {
  const Written& written = answer.written;
  return fmt::format(
      "{} prompt tokens kept, {} computed, {:.1f} tokens/s; {} generated, {:.1f} tokens/s",
      answer.reused_tokens, written.prompt_tokens, written.prompt_rate(),
      written.generated.ids.size(), written.rate());
}

// Says what the text does not show: why it ends here.
void note_end(const ChatAnswer& answer, const Global& global, std::size_t context) {
  if (answer.full)
    global.log(
        fmt::format("the context of {} tokens is full: the answer is cut off; /clear starts a "
                    "new conversation",
                    context));
  else if (!answer.written.generated.stopped)
    global.log(fmt::format("the answer is cut off after {} tokens; -n allows more",
                           answer.written.generated.ids.size()));
}

// The conversation that stdin holds, one line for each turn.
class Dialogue {
 public:
  Dialogue(ChatSession& session, const Global& global, std::size_t context)
      : session_(session), global_(global), context_(context) {}

  void run() {
    if (interactive_) global_.log("/help lists the commands, /exit leaves");
    LineReader input;
    while (true) {
      if (interactive_) print_piece("> ");
      const auto line = input.next();
      if (!line) break;
      if (line->find_first_not_of(" \t") == line->npos) continue;
      if (line->starts_with('/')) {
        if (!obey(*line)) return;
      } else {
        answer(*line);
      }
    }
    if (interactive_) print_piece("\n");
  }

 private:
  // False: leave.
  bool obey(const std::string& line) {
    const std::size_t space = std::min(line.find(' '), line.size());
    const std::string command = line.substr(0, space);
    const std::string rest = line.substr(std::min(space + 1, line.size()));
    if (command == "/exit" || command == "/quit" || command == "/bye") return false;
    if (command == "/clear") {
      session_.clear();
      global_.log("a new conversation");
    } else if (command == "/system") {
      session_.set_system(rest);
      global_.log(rest.empty() ? "no system message" : "the system message is set");
    } else if (command == "/help") {
      print_piece(kHelp);
    } else {
      complain(Error(ErrorKind::kInvalidArgument, cat("unknown command ", command),
                     "/help lists the commands; a space in front makes it a question"));
    }
    return true;
  }

  void answer(const std::string& question) {
    try {
      const ChatAnswer answer = session_.ask(question, print_piece);
      print_piece("\n");
      note_end(answer, global_, context_);
      global_.detail(rates(answer));
      if (interactive_) forget_interrupt();  // that came too late for this answer
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kInterrupted) {
        if (!interactive_ || !forget_interrupt()) throw;
        print_piece("\n");
        global_.log("the answer was interrupted");
      } else {
        complain(error);
      }
    }
  }

  // A person corrects the line; a script must not go on as if nothing had happened.
  void complain(const Error& error) const {
    if (!interactive_) throw error;
    fmt::print(stderr, "error: {}\n", error.what());
  }

  ChatSession& session_;
  const Global& global_;
  std::size_t context_;
  bool interactive_ = isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0;
};

int run(const Options& options, const CLI::App& app, const Global& global) {
  const bool one_question = app.get_option("--prompt")->count() > 0;
  if (global.json && !one_question)
    throw Error(ErrorKind::kInvalidArgument, "--json answers one question", "give it with -p TEXT");
  if (one_question && options.prompt.find_first_not_of(" \t\n") == std::string::npos)
    throw Error(ErrorKind::kInvalidArgument, "--prompt is empty", "give a question");
  const Compute compute = compute_of(options.flags);
  StopStrings stops(options.flags.stop);
  const std::filesystem::path path = global.model(options.model);
  FoundChatTemplate chat = template_of(options, path);  // before the weights: it may be missing
  RunningModel model(path);
  global.log_all(model.source().notes());
  model.prepare(compute);
  const std::size_t context = model.hyper().context;
  const GenerationSettings settings = settings_of(options.flags, app, model.settings());
  const GenerateOptions generate_options =
      options_of(options.flags, settings, context, global.seed);
  ChatSession session(model, std::move(chat), generate_options, std::move(stops));
  session.set_system(options.system);
  if (!one_question) {
    Dialogue(session, global, context).run();
    return 0;
  }
  const auto quiet = [](std::string_view) {};
  const auto on_text = global.json ? std::function<void(std::string_view)>(quiet) : print_piece;
  const ChatAnswer answer = session.ask(options.prompt, on_text);
  if (global.json) {
    Json object = run_json(model.source().path(), compute);
    object.update(json_of(answer.written, settings, generate_options));
    object["answer"] = answer.written.text;
    print_json("nibble.chat/1", std::move(object));
    return 0;
  }
  print_piece("\n");
  note_end(answer, global, context);
  global.log(rates(answer));
  return 0;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  options->flags.tokens = 1024;  // an answer ends by itself, a model that rambles here
  app.add_option("MODEL", options->model, "Folder, .gguf file or org/name in the cache")
      ->required();
  app.add_option("-p,--prompt", options->prompt, "One question; without it: a dialogue on stdin");
  app.add_option("--system", options->system, "The system message");
  app.add_option("--template", options->template_file,
                 "A chat template (Jinja) in place of the model's own");
  declare(app, options->flags);
  return [options, &app, &global] { return run(*options, app, global); };
}

}  // namespace

extern const Command chat_command{
    .name = "chat",
    .summary = "Talk with a model",
    .examples =
        "  nibble chat MODEL\n"
        "  nibble chat MODEL -p \"What is the capital of France?\" --temp 0\n",
    .setup = setup,
};

}  // namespace nibble::cli
