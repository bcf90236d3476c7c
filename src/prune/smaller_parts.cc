#include "prune/smaller_parts.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/parallel.h"
#include "kernels/kernels.h"

namespace nibble {
namespace {

constexpr std::size_t kRows = 64;
const std::vector<std::size_t> kAll;

std::uint64_t elements_of(const TensorInfo& info) {
  return std::accumulate(info.shape.begin(), info.shape.end(), std::uint64_t{1},
                         [](std::uint64_t product, std::int64_t size) {
                           return product * static_cast<std::uint64_t>(size);
                         });
}

}  // namespace

SmallerParts::SmallerParts(const ModelSource& source, const Structure& structure)
    : source_(source), structure_(structure), kept_(source.hyper().layers) {
  const TensorInfo* embedding = source.checkpoint().find(source.names().embedding() + ".weight");
  if (embedding != nullptr && embedding->dtype == DType::kF16) type_ = DType::kF16;
  for (std::size_t layer = 0; layer < source.hyper().layers; ++layer)
    for (std::size_t role = 0; role < kRoles; ++role) {
      const Place place{layer, static_cast<Role>(role)};
      const std::string module = source.module_path(layer, place.role);
      layers_[module + ".weight"] = place;
      biases_[module + ".bias"] = place;
    }
}

MatrixShape SmallerParts::size(Role role) const {
  HyperParams smaller = source_.hyper();
  smaller.heads = structure_.query_heads;
  smaller.kv_heads = structure_.kv_heads;
  smaller.mlp_hidden = structure_.mlp_hidden;
  return matrix_shape(role, smaller);
}

std::uint64_t SmallerParts::weights_before() const {
  const HyperParams& hyper = source_.hyper();
  return hyper.hidden * (2 * hyper.head_dim * (hyper.heads + hyper.kv_heads) +
                         3 * std::uint64_t{hyper.mlp_hidden});
}

std::uint64_t SmallerParts::weights_after() const {
  std::uint64_t weights = 0;
  for (std::size_t role = 0; role < kRoles; ++role) {
    const MatrixShape own = size(static_cast<Role>(role));
    weights += std::uint64_t{own.outputs} * own.inputs;
  }
  return weights;
}

// Norms stay as they are stored: they are small, and readers take them in any type.
bool SmallerParts::becomes_short(const TensorInfo& info) const {
  return info.shape.size() == 2 && info.dtype == DType::kF32;
}

TensorInfo SmallerParts::planned(TensorInfo info) const {
  if (const auto layer = layers_.find(info.name); layer != layers_.end()) {
    const MatrixShape own = size(layer->second.role);
    info.dtype = type_;
    info.shape = {static_cast<std::int64_t>(own.outputs), static_cast<std::int64_t>(own.inputs)};
    info.bytes = std::uint64_t{2} * own.outputs * own.inputs;
  } else if (const auto bias = biases_.find(info.name); bias != biases_.end()) {
    const std::uint64_t each = info.bytes / elements_of(info);
    const std::size_t rows = size(bias->second.role).outputs;
    info.shape = {static_cast<std::int64_t>(rows)};
    info.bytes = each * rows;
  } else if (becomes_short(info)) {
    info.dtype = type_;
    info.bytes = 2 * elements_of(info);
  }
  return info;
}

void SmallerParts::keep(std::size_t layer, std::vector<std::size_t> heads,
                        std::vector<std::size_t> channels) {
  const HyperParams& hyper = source_.hyper();
  Kept& kept = kept_[layer];
  // Fewer keys only where whole groups went: then each group that stays is there with all its
  // queries.
  if (!heads.empty() && structure_.kv_heads != hyper.kv_heads) {
    const std::size_t shared = hyper.heads / hyper.kv_heads;
    for (const std::size_t column : heads) {
      const std::size_t head = column / hyper.head_dim;
      if (head % shared == 0)
        kept.keys.push_back(head / shared * hyper.head_dim + column % hyper.head_dim);
    }
  }
  kept.queries = std::move(heads);
  kept.channels = std::move(channels);
}

const std::vector<std::size_t>& SmallerParts::rows_of(std::size_t layer, Role role) const {
  const Kept& kept = kept_[layer];
  if (role == Role::kQuery) return kept.queries;
  if (role == Role::kKey || role == Role::kValue) return kept.keys;
  if (role == Role::kGate || role == Role::kUp) return kept.channels;
  return kAll;
}

const std::vector<std::size_t>& SmallerParts::columns_of(std::size_t layer, Role role) const {
  const Kept& kept = kept_[layer];
  if (role == Role::kOutput) return kept.queries;
  if (role == Role::kDown) return kept.channels;
  return kAll;
}

std::vector<std::byte> SmallerParts::weight(std::size_t layer, Role role, ConstMatrix dense) const {
  const Block block = source_.block(layer);
  const Linear& linear = block.linear(role);
  const auto &rows = rows_of(layer, role), &columns = columns_of(layer, role);
  const MatrixShape own = size(role);
  std::vector<std::byte> bytes(2 * own.outputs * own.inputs);
  auto* const out = reinterpret_cast<std::uint16_t*>(bytes.data());
  const auto round = type_ == DType::kF16 ? kernels().float_to_half : kernels().float_to_bfloat16;
  parallel_ranges(own.outputs, kRows, [&](std::size_t begin, std::size_t end) {
    Tensor decoded(1, linear.inputs()), row(1, own.inputs);
    for (std::size_t r = begin; r < end; ++r) {
      const std::size_t from = rows.empty() ? r : rows[r];
      if (dense.rows == 0) linear.decode(from, decoded.view());
      const float* const values = dense.rows == 0 ? decoded.data() : dense.row(from);
      for (std::size_t c = 0; c < own.inputs; ++c)
        row.data()[c] = values[columns.empty() ? c : columns[c]];
      round(row.data(), out + r * own.inputs, own.inputs);
    }
  });
  return bytes;
}

std::span<const std::byte> SmallerParts::carried(const TensorInfo& info,
                                                 std::span<const std::byte> bytes) {
  if (const auto bias = biases_.find(info.name); bias != biases_.end()) {
    const auto& rows = rows_of(bias->second.layer, bias->second.role);
    if (rows.empty()) return bytes;
    const std::size_t each = bytes.size() / elements_of(info);
    room_.resize(rows.size() * each);
    for (std::size_t r = 0; r < rows.size(); ++r)
      std::memcpy(room_.data() + r * each, bytes.data() + rows[r] * each, each);
    return room_;
  }
  if (!becomes_short(info)) return bytes;
  const auto round = type_ == DType::kF16 ? kernels().float_to_half : kernels().float_to_bfloat16;
  std::vector<float> values(bytes.size() / sizeof(float));  // bytes may lie anywhere
  std::memcpy(values.data(), bytes.data(), bytes.size());
  room_.resize(2 * values.size());
  round(values.data(), reinterpret_cast<std::uint16_t*>(room_.data()), values.size());
  return room_;
}

}  // namespace nibble
