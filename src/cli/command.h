// One command of the program: its file holds a `Command`, list.def its name. Adding a command is
// one file and one line.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/progress.h"
#include "nibble/checkpoint.h"

namespace nibble::cli {

// What every command is given: the options all of them share, and what main() read from the
// environment. Options are filled in when the returned `Run` is called, not before.
struct Global {
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  bool no_color = false;
  int threads = 0;         // 0: as many as the machine allows
  std::uint64_t seed = 0;  // of --seed, else what Command::draws_seed says
  std::string isa = "auto";

  ModelPlaces places;
  std::filesystem::path state_folder;  // what is kept from run to run; empty: nowhere
  ProgressSink progress;               // a bar or lines on stderr; silent with --quiet
  LogSink log;                         // a line on stderr; silent with --quiet
  LogSink detail;                      // a line on stderr with --verbose only

  void log_all(std::span<const std::string> lines) const;

  // The folder or file that a MODEL argument means.
  std::filesystem::path model(const std::string& name) const;
};

// Does the work and answers the exit code. Errors are thrown, not answered: another code than 0 is
// for commands whose result is the bad news (verify).
using Run = std::function<int()>;

struct Command {
  std::string_view name;
  std::string_view summary;   // one line
  std::string_view examples;  // command lines, shown first in --help
  // Declares the options on `app`; `global` outlives what it returns.
  Run (*setup)(CLI::App& app, const Global& global) = nullptr;
  bool draws_seed = false;  // without --seed another one each time; else 0
};

// In the order `nibble --help` prints them.
std::span<const Command* const> commands();

}  // namespace nibble::cli
