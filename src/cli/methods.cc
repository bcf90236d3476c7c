// nibble methods: what can choose the codes.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json_output.h"
#include "cli/table.h"
#include "quantize/method.h"

namespace nibble::cli {
namespace {

bool calibrated(const Method& method) { return method.needs != Needs::kNothing; }

void print_table() {
  Table table({"method", "calibration", "what it does"});
  for (const Method* method : methods::all())
    table.add({std::string(method->name), calibrated(*method) ? "yes" : "no",
               std::string(method->summary)});
  fmt::print("{}", table.text());
}

void print_object() {
  Json list = Json::array();
  for (const Method* method : methods::all())
    list.push_back({{"name", method->name},
                    {"calibration", calibrated(*method)},
                    {"summary", method->summary}});
  print_json("nibble.methods/1", {{"methods", list}});
}

Run setup(CLI::App&, const Global& global) {
  return [&global] {
    global.json ? print_object() : print_table();
    return 0;
  };
}

}  // namespace

extern const Command methods_command{
    .name = "methods",
    .summary = "List the quantization methods",
    .examples = "  nibble methods\n",
    .setup = setup,
};

}  // namespace nibble::cli
