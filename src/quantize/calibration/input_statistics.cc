#include "quantize/calibration/input_statistics.h"

#include <cmath>
#include <cstring>

#include "base/text.h"
#include "model/gguf/names.h"
#include "nibble/error.h"
#include "quantize/calibration/measured_sums.h"

namespace nibble {

std::string matrix_name(std::size_t layer, Role role) {
  return gguf_tensor_name(cat("model.layers.", layer, ".", module_name(role), ".weight"), false);
}

std::string products_name(std::size_t layer, Stage stage) {
  return matrix_name(layer, roles_of(stage).front()) + ".in_products";
}

std::string peaks_name(std::size_t layer, Stage stage) {
  return matrix_name(layer, roles_of(stage).front()) + ".in_peak";
}

std::vector<float> lower_triangle(ConstMatrix products) {
  std::vector<float> values;
  values.reserve(products.rows * (products.rows + 1) / 2);
  for (std::size_t r = 0; r < products.rows; ++r)
    values.insert(values.end(), products.row(r), products.row(r) + r + 1);
  return values;
}

InputStatistics::InputStatistics(const std::filesystem::path& file)
    : path_(file), reader_(open_checkpoint(file)) {
  const auto refuse = [&] {
    throw Error(ErrorKind::kInvalidArgument,
                cat(path_.string(), ": holds no statistics of inputs that quantize could use"),
                "nibble calibrate makes them; an imatrix alone has too little");
  };
  with_context(path_.string(), [&] {
    passport_ = measured_passport(*reader_);
    if (passport_.is_null() || json_string(passport_, "schema", "") != kStatisticsSchema) refuse();
    const Json& calibration = passport_.at("calibration");
    calibration_.samples =
        static_cast<std::size_t>(json_int(calibration, "samples", 0, 1, 1 << 30));
    calibration_.length = static_cast<std::size_t>(json_int(calibration, "seq_len", 0, 1, 1 << 30));
    calibration_.hash = json_string(calibration, "tokens_sha256", "");
    calibration_.description = json_string(calibration, "source", "");
    calibration_.statistics = json_string(passport_, "tensors_sha256", "");
  });
  require_sums(path_, *reader_, passport_);
}

void InputStatistics::require_model(const Json& files) const {
  const Json& own = passport_.at("base");
  for (const auto& [name, sum] : files.items()) {
    if (own.contains(name) && own[name] == sum) continue;
    throw Error(ErrorKind::kInvalidArgument,
                cat(path_.string(), ": is of another model: its ", name,
                    own.contains(name) ? " has another sum" : " is unknown to it"),
                "nibble calibrate this model");
  }
}

const TensorInfo& InputStatistics::floats(const std::string& name, std::size_t count,
                                          std::size_t columns) const {
  const TensorInfo* info = reader_->find(name);
  if (info == nullptr || info->dtype != DType::kF32 || info->blocks != nullptr ||
      info->bytes != count * sizeof(float))
    throw Error(ErrorKind::kCorruptFile,
                cat(path_.string(), ": ", name,
                    info == nullptr ? " is missing" : cat(" is not of ", columns, " inputs")));
  return *info;
}

std::vector<float> InputStatistics::peaks(std::size_t layer, Stage stage,
                                          std::size_t columns) const {
  const std::string name = peaks_name(layer, stage);
  std::vector<float> values(columns);
  std::memcpy(values.data(), reader_->bytes(floats(name, columns, columns)).data(),
              columns * sizeof(float));
  for (const float value : values)
    if (!std::isfinite(value))
      throw Error(ErrorKind::kCorruptFile,
                  cat(path_.string(), ": ", name, " holds a non-finite value"));
  return values;
}

Tensor InputStatistics::products(std::size_t layer, Stage stage, std::size_t columns) const {
  const std::string name = products_name(layer, stage);
  const TensorInfo& info = floats(name, columns * (columns + 1) / 2, columns);
  const std::byte* from = reader_->bytes(info).data();
  Tensor out(columns, columns);
  const Matrix matrix = out.view();
  for (std::size_t r = 0; r < columns; ++r) {
    std::memcpy(matrix.row(r), from, (r + 1) * sizeof(float));
    from += (r + 1) * sizeof(float);
    for (std::size_t c = 0; c <= r; ++c) {
      if (!std::isfinite(matrix(r, c)))
        throw Error(ErrorKind::kCorruptFile,
                    cat(path_.string(), ": ", name, " holds a non-finite value"));
      matrix(c, r) = matrix(r, c);
    }
  }
  reader_->drop(info);
  return out;
}

}  // namespace nibble
