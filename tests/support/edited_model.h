// A model in memory whose config and tensors a test changes before it is written.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "nibble/checkpoint.h"

namespace nibble::test {

struct EditedModel {
  struct Entry {
    TensorInfo info;  // its name does not count
    std::vector<std::byte> bytes;
  };
  Json config;
  std::map<std::string, Entry> tensors;

  explicit EditedModel(const std::filesystem::path& folder)
      : config(read_json(folder / "config.json")) {
    const auto reader = open_checkpoint(folder);
    for (const TensorInfo& info : reader->tensors()) {
      const auto bytes = reader->bytes(info);
      tensors[info.name] = {info, {bytes.begin(), bytes.end()}};
    }
  }

  // Tensors renamed to "" are left out.
  void rename(const std::function<std::string(const std::string&)>& renamed) {
    std::map<std::string, Entry> others;
    for (auto& [name, entry] : tensors)
      if (const std::string other = renamed(name); !other.empty()) others[other] = std::move(entry);
    tensors = std::move(others);
  }

  // Keeps the first `rows` rows of a matrix or vector; more are those at the start again.
  void set_rows(const std::string& name, std::size_t rows) {
    Entry& entry = tensors.at(name);
    const std::size_t row = entry.bytes.size() / static_cast<std::size_t>(entry.info.shape[0]);
    const std::vector<std::byte> old = entry.bytes;
    entry.bytes.resize(rows * row);
    for (std::size_t i = 0; i < entry.bytes.size(); ++i) entry.bytes[i] = old[i % old.size()];
    entry.info.shape[0] = static_cast<std::int64_t>(rows);
    entry.info.bytes = entry.bytes.size();
  }

  void write(const std::filesystem::path& folder) const {
    std::filesystem::create_directories(folder);
    std::vector<TensorInfo> infos;
    for (const auto& [name, entry] : tensors) {
      infos.push_back(entry.info);
      infos.back().name = name;
    }
    const auto writer = create_checkpoint(folder, infos);
    for (const auto& [name, entry] : tensors) writer->add(name, entry.bytes);
    writer->finish();
    write_file(folder / "config.json", config.dump());
  }
};

// Names as wrappers of training programs leave them: `body` takes the place of "model.", `outer`
// stands before what lies beside the body.
struct Wrapping {
  std::string body, outer;
  std::string operator()(const std::string& name) const {
    return name.starts_with("model.") ? body + name.substr(6) : outer + name;
  }
};

inline const std::vector<Wrapping> kWrappings = {
    {"model.", ""},
    {"", ""},
    {"module.model.", "module."},
    {"_orig_mod.model.", "_orig_mod."},
    {"module._orig_mod.model.", "module._orig_mod."},
    {"language_model.model.", "language_model."},
    {"model.language_model.", ""},
    {"base_model.model.model.", "base_model.model."},
};

}  // namespace nibble::test
