// nibble diff: which weights of two models differ, and by how much.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/command.h"
#include "cli/json_output.h"
#include "cli/table.h"
#include "evaluate/weight_difference.h"

namespace nibble::cli {
namespace {

constexpr int kDifferent = 5;  // a check that did not pass

struct Options {
  std::string a, b;
  std::size_t most = 10;
};

Json part_json(const PartDifference& part) {
  return {{"name", part.name},
          {"kind", part.kind},
          {"other_kind", part.other},
          {"weights", part.weights},
          {"unequal", part.unequal},
          {"relative_squared", part.relative},
          {"largest", part.largest},
          {"equal_as", part.equal_as.empty() ? Json(nullptr) : Json(part.equal_as)}};
}

void print_parts(std::vector<PartDifference> parts, std::size_t most) {
  std::erase_if(parts,
                [](const PartDifference& part) { return part.equal() || !part.equal_as.empty(); });
  std::stable_sort(parts.begin(), parts.end(),
                   [](const auto& a, const auto& b) { return a.relative > b.relative; });
  Table table({"part", "first", "second", "unequal", "|A-B|²/|A|²", "max |A-B|"});
  for (std::size_t i = 0; i < std::min(most, parts.size()); ++i) {
    const PartDifference& part = parts[i];
    const double share =
        100 * static_cast<double>(part.unequal) / static_cast<double>(part.weights);
    table.add({part.name, part.kind, part.other, fmt::format("{:.1f} %", share),
               fmt::format("{:.3g}", part.relative), fmt::format("{:.3g}", part.largest)});
  }
  fmt::print("{}", table.text());
  if (parts.size() > most) fmt::print("and {} more (--parts N)\n", parts.size() - most);
}

int run(const Options& options, const Global& global) {
  const auto a = global.model(options.a), b = global.model(options.b);
  const auto parts = weight_differences(a, b, global.progress);
  std::size_t equal = 0, rounded = 0;
  std::map<std::string, std::size_t> types;  // to which parts are equal once rounded
  for (const PartDifference& part : parts) {
    equal += part.equal() ? 1 : 0;
    if (part.equal_as.empty()) continue;
    ++rounded;
    ++types[part.equal_as];
  }
  if (global.json) {
    Json list = Json::array();
    for (const PartDifference& part : parts) list.push_back(part_json(part));
    print_json("nibble.diff/1", {{"model", a.string()},
                                 {"other", b.string()},
                                 {"equal", equal},
                                 {"different", parts.size() - equal},
                                 {"equal_once_rounded", rounded},
                                 {"parts", std::move(list)}});
  } else if (equal == parts.size()) {
    fmt::print("all {} parts are equal, weight by weight\n", equal);
  } else {
    fmt::print("{} of {} parts are equal\n", equal, parts.size());
    for (const auto& [type, count] : types)
      fmt::print("{} are equal once rounded to {}, which one of the models has them in\n", count,
                 type);
    if (equal + rounded < parts.size()) {
      fmt::print("{}, the farthest apart first:\n", rounded == 0 ? "the others" : "the rest");
      print_parts(parts, options.most);
    }
  }
  return equal == parts.size() ? 0 : kDifferent;
}

Run setup(CLI::App& app, const Global& global) {
  const auto options = std::make_shared<Options>();
  app.add_option("A", options->a, "Folder, file or org/name in the cache")->required();
  app.add_option("B", options->b, "Another form of the same model")->required();
  app.add_option("--parts", options->most, "how many parts to print")->capture_default_str();
  return [options, &global] { return run(*options, global); };
}

}  // namespace

extern const Command diff_command{
    .name = "diff",
    .summary = "Say which weights of two models differ, and by how much",
    .examples =
        "  nibble diff MODEL OUT\n"
        "  nibble diff OUT model.gguf && echo same weights\n",
    .setup = setup,
};

}  // namespace nibble::cli
