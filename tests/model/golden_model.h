// The tiny models of tests/golden/model and what transformers computes for them.
#pragma once

#include <cstring>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "nibble/checkpoint.h"
#include "nibble/tensor.h"
#include "support/paths.h"

namespace nibble::test {

inline const std::filesystem::path kGoldenModels =
    std::filesystem::path(kSourceFolder) / "tests" / "golden" / "model";

inline std::vector<std::string> golden_model_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kGoldenModels))
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

struct GoldenLogits {
  std::vector<std::int32_t> ids;
  Tensor logits;  // [ids, vocabulary]
};

inline GoldenLogits golden_logits(const std::string& name) {
  const auto reader = open_checkpoint(kGoldenModels / name / "expected.safetensors");
  const TensorInfo& info = reader->at("logits");
  GoldenLogits golden;
  golden.logits =
      Tensor(static_cast<std::size_t>(info.shape[0]), static_cast<std::size_t>(info.shape[1]));
  std::memcpy(golden.logits.data(), reader->bytes(info).data(), info.bytes);
  std::vector<std::int64_t> ids(golden.logits.rows());
  std::memcpy(ids.data(), reader->bytes(reader->at("ids")).data(), ids.size() * 8);
  golden.ids.assign(ids.begin(), ids.end());
  return golden;
}

// Largest difference of two matrices of equal shape over the largest value of the second.
inline double relative_error(ConstMatrix actual, ConstMatrix expected) {
  double difference = 0, largest = 0;
  for (std::size_t r = 0; r < expected.rows; ++r)
    for (std::size_t c = 0; c < expected.columns; ++c) {
      const double delta = std::abs(static_cast<double>(actual(r, c)) - expected(r, c));
      difference = delta <= difference ? difference : delta;  // NaN wins
      largest = std::max<double>(largest, std::abs(expected(r, c)));
    }
  return difference / largest;
}

// Writes a golden model with a changed config.json into `folder`.
inline void write_changed_model(const std::string& name, const std::filesystem::path& folder,
                                const std::function<void(Json&)>& change) {
  std::filesystem::copy_file(kGoldenModels / name / "model.safetensors",
                             folder / "model.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  Json config = read_json(kGoldenModels / name / "config.json");
  change(config);
  write_file(folder / "config.json", config.dump());
}

}  // namespace nibble::test
