// Words that people bring from other programs: taken where they mean the same, answered with ours
// where they do not.
#pragma once

#include <CLI/CLI.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::cli {

struct CommandSynonym {
  std::string_view word;
  std::string_view ours;    // the command that does the same; empty: none does
  std::string_view why;     // there is none
  std::string_view advice;  // what to do instead
};
std::span<const CommandSynonym> command_synonyms();

struct OptionSynonym {
  std::string_view word;
  std::string_view ours;     // "--file", or "MODEL"; empty: `advice` says what to do
  std::string_view command;  // only there; empty: everywhere
  std::string_view advice;
};
std::span<const OptionSynonym> option_synonyms();

// Our name of the command that `word` means, `word` itself when it is no synonym. Throws
// kInvalidArgument with the reason for what nibble does not do.
std::string our_command(const std::string& word);

// `arguments` of `command` with our names for what the options of `app` do not know. Throws
// kInvalidArgument with our way to say it where the meaning is another.
std::vector<std::string> with_our_options(const std::vector<std::string>& arguments,
                                          const CLI::App& app, std::string_view command);

}  // namespace nibble::cli
