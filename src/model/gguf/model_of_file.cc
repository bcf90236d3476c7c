#include "model/gguf/model_of_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "checkpoint/gguf_metadata.h"
#include "checkpoint/model_writer.h"
#include "model/gguf/names.h"

namespace nibble {
namespace {

constexpr std::array<std::string_view, 2> kOfTypes = {"general.file_type",
                                                      "general.quantization_version"};
constexpr std::array<std::string_view, 4> kOfTheFile = {"split.no", "split.count",
                                                        "split.tensors.count", kPassportKey};

bool is_among(std::span<const std::string_view> keys, std::string_view key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

// "blk.12.attn_q.weight": 12; −1 outside of layers.
std::int64_t layer_of(std::string_view name) {
  constexpr std::string_view kLayer = "blk.";
  std::int64_t layer = -1;
  if (name.starts_with(kLayer))
    std::from_chars(name.data() + kLayer.size(), name.data() + name.size(), layer);
  return layer;
}

bool rotated(std::string_view name) {
  return name.find(".attn_q.") != name.npos || name.find(".attn_k.") != name.npos;
}

}  // namespace

GgufModel gguf_model_of_file(const ModelSource& source, const std::vector<TensorInfo>& output,
                             bool same_types) {
  const GgufMetadata& metadata = *source.checkpoint().gguf();
  GgufModel model;
  for (const GgufMetadata::Record& record : metadata.records())
    if (!is_among(kOfTheFile, record.key) && (same_types || !is_among(kOfTypes, record.key)))
      model.pairs.copy(record.bytes);
  // What no power of two is was refused when the file was opened.
  model.alignment =
      static_cast<std::uint64_t>(metadata.integer("general.alignment", 1, 1 << 30).value_or(32));
  for (const TensorInfo& info : output) {
    GgufTensor tensor{info.name, info, info, {}, 0};
    // Those without another name came under their own.
    if (std::string name = gguf_tensor_name(info.name, source.spec().output_norms); !name.empty())
      tensor.info.name = std::move(name);
    if (rotated(tensor.info.name) && source.spec().gguf_pairs_rows)
      tensor.row_of =
          rows_in_pairs(static_cast<std::size_t>(info.shape.front()), source.hyper().head_dim);
    model.tensors.push_back(std::move(tensor));
  }
  std::sort(model.tensors.begin(), model.tensors.end(),
            [](const GgufTensor& a, const GgufTensor& b) {
              const auto key = [](const GgufTensor& tensor) {
                return std::pair(layer_of(tensor.info.name), std::string_view(tensor.info.name));
              };
              return key(a) < key(b);
            });
  return model;
}

}  // namespace nibble
