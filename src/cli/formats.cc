// nibble formats: how quantized weights lie in memory.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json_output.h"
#include "cli/table.h"
#include "formats/format.h"

namespace nibble::cli {
namespace {

void print_table() {
  Table table({"format", "bits", "codes in a block", "bytes in a block"});
  for (const Format* format : formats::all())
    table.add({std::string(format->name), std::to_string(format->bits), std::to_string(kBlockCodes),
               std::to_string(format->block_bytes)});
  fmt::print("{}", table.text());
}

void print_object() {
  Json list = Json::array();
  for (const Format* format : formats::all())
    list.push_back({{"name", format->name},
                    {"bits", format->bits},
                    {"block_codes", kBlockCodes},
                    {"block_bytes", format->block_bytes}});
  print_json("nibble.formats/1", {{"formats", list}});
}

Run setup(CLI::App&, const Global& global) {
  return [&global] {
    global.json ? print_object() : print_table();
    return 0;
  };
}

}  // namespace

extern const Command formats_command{
    .name = "formats",
    .summary = "List the formats of quantized weights",
    .examples = "  nibble formats\n",
    .setup = setup,
};

}  // namespace nibble::cli
