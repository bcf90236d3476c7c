// nibble methods: what can choose the codes, and what can rewrite the weights before.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json_output.h"
#include "cli/table.h"
#include "quantize/method.h"
#include "quantize/transform.h"

namespace nibble::cli {
namespace {

// Of methods or transforms, which have names, needs and summaries alike.
template <typename Entries>
void print_table(const char* kind, const Entries& entries) {
  Table table({kind, "calibration", "what it does"});
  for (const auto* entry : entries)
    table.add({std::string(entry->name), entry->needs != Needs::kNothing ? "yes" : "no",
               std::string(entry->summary)});
  fmt::print("{}", table.text());
}

template <typename Entries>
Json list_json(const Entries& entries) {
  Json list = Json::array();
  for (const auto* entry : entries)
    list.push_back({{"name", entry->name},
                    {"calibration", entry->needs != Needs::kNothing},
                    {"summary", entry->summary}});
  return list;
}

void print_tables() {
  print_table("method", methods::all());
  fmt::print("\n");
  print_table("transform", transforms::all());
}

void print_object() {
  print_json("nibble.methods/1", {{"methods", list_json(methods::all())},
                                  {"transforms", list_json(transforms::all())}});
}

Run setup(CLI::App&, const Global& global) {
  return [&global] {
    global.json ? print_object() : print_tables();
    return 0;
  };
}

}  // namespace

extern const Command methods_command{
    .name = "methods",
    .summary = "List the quantization methods and transforms",
    .examples = "  nibble methods\n",
    .setup = setup,
};

}  // namespace nibble::cli
