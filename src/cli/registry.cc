// All commands of list.def.
#include "cli/command.h"

namespace nibble::cli {

#define COMMAND(name) extern const Command name##_command;
#include "cli/list.def"
#undef COMMAND

std::span<const Command* const> commands() {
  static const Command* const list[] = {
#define COMMAND(name) &name##_command,
#include "cli/list.def"
#undef COMMAND
  };
  return list;
}

}  // namespace nibble::cli
