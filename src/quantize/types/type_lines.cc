#include "quantize/types/type_lines.h"

#include <algorithm>
#include <map>

#include "base/text.h"

namespace nibble {
namespace {

// "0-2, 5" of numbers that rise.
std::string ranges_text(const std::vector<std::size_t>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
    text += cat(text.empty() ? "" : ", ", numbers[i]);
    if (end > i + 1) text += cat("-", numbers[end - 1]);
    i = end;
  }
  return text;
}

}  // namespace

std::vector<std::string> type_lines(const Recipe& recipe) {
  struct Group {
    double weights = 0;
    std::vector<std::pair<std::string, std::vector<std::size_t>>> parts;
  };
  std::map<std::string, Group> groups;
  const auto add = [&](std::string_view type, std::string_view part, const std::size_t* layer,
                       std::size_t weights) {
    Group& group = groups[std::string(type)];
    group.weights += static_cast<double>(weights);
    auto found = std::find_if(group.parts.begin(), group.parts.end(),
                              [&](const auto& entry) { return entry.first == part; });
    if (found == group.parts.end()) found = group.parts.insert(found, {std::string(part), {}});
    if (layer != nullptr) found->second.push_back(*layer);
  };
  for (const PlannedModule& module : recipe.modules)
    if (module.storable.blocks != nullptr)
      add(module.storable.blocks->name, module_name(module.role), &module.layer,
          module.shape.rows * module.shape.columns);
  for (const PlannedTensor& tensor : recipe.tensors) {
    const bool outside = tensor.part == GgufPart::kEmbedding || tensor.part == GgufPart::kHead;
    std::string_view part = tensor.module;
    for (std::size_t role = 0; role < kRoles && !outside; ++role)
      if (gguf_part_of(static_cast<Role>(role)) == tensor.part)
        part = module_name(static_cast<Role>(role));
    add(name(tensor.type), part, outside ? nullptr : &tensor.layer, tensor.rows * tensor.columns);
  }
  std::vector<std::pair<double, std::string>> sorted;
  for (const auto& [type, group] : groups) {
    std::vector<std::string> parts;
    for (const auto& [part, layers] : group.parts)
      parts.push_back(layers.empty() ? part : cat(part, " ", ranges_text(layers)));
    sorted.emplace_back(group.weights, cat(type, ": ", join(parts, "; ")));
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> lines;
  for (auto& [weights, line] : sorted) lines.push_back(std::move(line));
  return lines;
}

}  // namespace nibble
