// The program: environment and signals in, exit code out. Exit codes: 0 done, 1 internal error,
// 2 usage, 3 input file, 4 memory, disk or permission, 5 numbers or quality, 130 and 143 signals.
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/parallel.h"
#include "cli/command_line.h"
#include "cli/progress_bar.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "kernels/kernels.h"

namespace nibble::cli {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Where huggingface_hub keeps models: HF_HUB_CACHE, else HF_HOME/hub, else
// XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub.
ModelPlaces model_places() {
  namespace fs = std::filesystem;
  ModelPlaces places;
  if (const std::string cache = variable("HF_HUB_CACHE"); !cache.empty())
    places.hub_cache = cache;
  else if (const std::string home = variable("HF_HOME"); !home.empty())
    places.hub_cache = fs::path(home) / "hub";
  else if (const std::string xdg = variable("XDG_CACHE_HOME"); !xdg.empty())
    places.hub_cache = fs::path(xdg) / "huggingface" / "hub";
  else if (const std::string user = variable("HOME"); !user.empty())
    places.hub_cache = fs::path(user) / ".cache" / "huggingface" / "hub";
  return places;
}

// XDG_STATE_HOME/nibble, else ~/.local/state/nibble.
std::filesystem::path state_folder() {
  namespace fs = std::filesystem;
  if (const fs::path state = variable("XDG_STATE_HOME"); state.is_absolute())
    return state / "nibble";
  if (const fs::path home = variable("HOME"); home.is_absolute())
    return home / ".local" / "state" / "nibble";
  return {};
}

// "4" or "4,2" (per nesting level); anything else counts as not given.
int threads_of_environment() {
  const std::string text = variable("OMP_NUM_THREADS");
  int count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count > 0 ? count : 0;
}

bool color_wanted(const Global& global) {
  return !global.no_color && variable("NO_COLOR").empty() && variable("TERM") != "dumb" &&
         isatty(STDERR_FILENO) != 0;
}

int run(const Parsed& parsed, Global& global) {
  ProgressBar bar({.terminal = isatty(STDERR_FILENO) != 0 && variable("TERM") != "dumb",
                   .quiet = global.quiet});
  global.progress = [&bar](const ProgressEvent& event) { bar.show(event); };
  global.log = [&bar](std::string_view line) { bar.line(line); };
  global.detail = [&](std::string_view line) {
    if (global.verbose) bar.line(line);
  };
  set_threads(global.threads > 0 ? global.threads : threads_of_environment());
  select_kernels(global.isa.c_str());
  return parsed.run();
}

// Written by now, or never: a full disk behind stdout is an error, not silence.
void flush_stdout() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    throw Error(ErrorKind::kResource, fmt::format("cannot write to stdout: {}", strerror(errno)));
}

int run_program(std::vector<std::string> arguments) {
  Global global;
  global.places = model_places();
  keep_standard_files_apart();
  global.state_folder = state_folder();
  install_signal_handlers();
  try {
    const Parsed parsed = parse(std::move(arguments), global);
    fmt::print("{}", parsed.text);
    const int code = parsed.run ? run(parsed, global) : 0;
    flush_stdout();
    return stop_exit_code() != 0 ? stop_exit_code() : code;
  } catch (const std::exception& problem) {
    Failure failure = failure_of(problem);
    if (failure.kind == name(ErrorKind::kInterrupted) && stop_exit_code() != 0)
      failure.exit_code = stop_exit_code();
    return report(failure, {.json = global.json, .color = color_wanted(global)});
  }
}

}  // namespace
}  // namespace nibble::cli

int main(int argc, char** argv) {
  // Intermediate results come and go many times a second: their pages stay with the program
  // instead of being returned, faulted in and set to zero again.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
  return nibble::cli::run_program({argv + 1, argv + argc});
}
