// nibble formats: how quantized weights lie in memory and in files, and what can be done with each.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "checkpoint/layout.h"
#include "cli/command.h"
#include "cli/json_output.h"
#include "cli/table.h"
#include "formats/block_format.h"
#include "formats/format.h"
#include "formats/grid.h"
#include "nn/packed_linear.h"
#include "nn/panels/panels.h"

namespace nibble::cli {
namespace {

struct Abilities {
  bool read = false, run = false, write = false;  // from a file, by the kernels, to a file
};

Abilities abilities_of(const BlockFormat& format) {
  return {.read = format.decode != nullptr,
          .run = format.decode != nullptr,
          .write = format.encode != nullptr};
}

Abilities abilities_of(const Layout& layout) {
  return {.read = layout.opens(), .run = layout.opens(), .write = layout.write != nullptr};
}

double bits_per_weight(const BlockFormat& format) {
  return 8.0 * static_cast<double>(format.block_bytes) / static_cast<double>(format.block);
}

std::vector<std::string> cells(std::string_view name, const Abilities& abilities) {
  const auto word = [](bool able) { return std::string(able ? "yes" : "no"); };
  return {std::string(name), word(abilities.read), word(abilities.run), word(abilities.write)};
}

Json json_of(std::string_view name, const Abilities& abilities) {
  return {
      {"name", name}, {"read", abilities.read}, {"run", abilities.run}, {"write", abilities.write}};
}

void print_readers() {
  fmt::print("Programs that were given what is written here, and what they opened\n");
  for (const Layout* layout : layouts::all())
    for (const TestedReader& reader : layout->readers) {
      fmt::print("{}: {}, {}, by {}\n", layout->name, reader.program, reader.date, reader.how);
      if (!reader.takes.empty()) fmt::print("  yes  {}\n", reader.takes);
      if (!reader.refuses.empty()) fmt::print("  no   {}\n", reader.refuses);
    }
  fmt::print("\n");
}

Json json_of(std::span<const TestedReader> readers) {
  Json list = Json::array();
  for (const TestedReader& reader : readers)
    list.push_back({{"program", reader.program},
                    {"takes", reader.takes},
                    {"refuses", reader.refuses},
                    {"how", reader.how},
                    {"date", reader.date}});
  return list;
}

void print_tables() {
  Table values({"grid", "run", "bits/weight", "what a code means"});
  for (const Grid* grid : grids::all())
    values.add({std::string(grid->name), has_kernels(*grid) ? "yes" : "decoded",
                fmt::format("{:.4g}", grid->bits_per_weight()),
                fmt::format("one of {}", grid->summary)});
  Table running({"format", "bits", "codes in a block", "bytes in a block"});
  for (const Format* format : formats::all())
    running.add({std::string(format->name), std::to_string(format->bits),
                 std::to_string(kBlockCodes), std::to_string(format->block_bytes)});
  Table blocks({"type", "read", "run", "write", "bits/weight", "weights in a block"});
  for (const BlockFormat* format : block_formats::all()) {
    auto row = cells(format->name, abilities_of(*format));
    if (!has_panels(*format)) row[2] = "decoded";
    row.push_back(fmt::format("{:.4g}", bits_per_weight(*format)));
    row.push_back(std::to_string(format->block));
    blocks.add(std::move(row));
  }
  Table files({"layout", "read", "run", "write", "who reads it"});
  for (const Layout* layout : layouts::all()) {
    auto row = cells(layout->name, abilities_of(*layout));
    row.emplace_back(layout->summary);
    files.add(std::move(row));
  }
  fmt::print("Values of weights\n{}\n", values.text());
  fmt::print("Codes while they run, scales and zeros beside them\n{}\n", running.text());
  fmt::print("Blocks of GGUF files\n{}\n", blocks.text());
  fmt::print("Layouts of quantized layers in files\n{}\n", files.text());
  print_readers();
  fmt::print(
      "F32, F16 and BF16 weights are read and run from all. Where \"decoded\" stands, weights are\n"
      "decoded for every product: right, and slower than those that have kernels.\n");
}

void print_object() {
  Json values = Json::array(), running = Json::array(), blocks = Json::array(),
       files = Json::array();
  for (const Grid* grid : grids::all())
    values.push_back({{"name", grid->name},
                      {"bits", grid->bits},
                      {"dimension", grid->dimension},
                      {"kernels", has_kernels(*grid)},
                      {"summary", grid->summary}});
  for (const Format* format : formats::all())
    running.push_back({{"name", format->name},
                       {"bits", format->bits},
                       {"block_codes", kBlockCodes},
                       {"block_bytes", format->block_bytes}});
  for (const BlockFormat* format : block_formats::all()) {
    Json block = json_of(format->name, abilities_of(*format));
    block["bits_per_weight"] = bits_per_weight(*format);
    block["block_weights"] = format->block;
    block["block_bytes"] = format->block_bytes;
    block["kernels"] = has_panels(*format);
    blocks.push_back(std::move(block));
  }
  for (const Layout* layout : layouts::all()) {
    Json file = json_of(layout->name, abilities_of(*layout));
    file["summary"] = layout->summary;
    file["readers"] = json_of(layout->readers);
    file["dialects"] = std::vector<std::string>(layout->dialects.begin(), layout->dialects.end());
    files.push_back(std::move(file));
  }
  print_json(
      "nibble.formats/1",
      {{"grids", values}, {"formats", running}, {"block_types", blocks}, {"layouts", files}});
}

Run setup(CLI::App&, const Global& global) {
  return [&global] {
    global.json ? print_object() : print_tables();
    return 0;
  };
}

}  // namespace

extern const Command formats_command{
    .name = "formats",
    .summary = "List how quantized weights are stored, and what is read, run and written",
    .examples = "  nibble formats\n",
    .setup = setup,
};

}  // namespace nibble::cli
