#include "quantize/recovery/recover_codes.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "quantize/recovery/exact_line.h"
#include "quantize/recovery/group_search.h"

namespace nibble {
namespace {

constexpr std::size_t kRows = 8;

enum class Zeros { kMiddle, kInteger, kAny };

// Groups of one matrix, one after another, with room that is used again.
class CodeSearch {
 public:
  CodeSearch(const DenseMatrix& matrix, const Storable& storable, Zeros zeros, Codes& codes)
      : matrix_(matrix),
        storable_(storable),
        zeros_(zeros),
        codes_(codes),
        highest_(static_cast<int>(codes.grid->levels()) - 1),
        middle_(codes.grid->uniform() ? static_cast<int>(codes.grid->levels() / 2) : 0),
        levels_(zeros == Zeros::kMiddle
                    ? Levels::fixed(*codes.grid, middle_)
                    : Levels::sliding(*codes.grid, static_cast<int>(storable.lowest_zero))),
        search_(levels_, matrix.type, storable.scale_type, zeros == Zeros::kMiddle) {}

  // Rows [begin, end) share their scales.
  std::optional<Misfit> rows(std::size_t begin, std::size_t end) {
    const std::size_t count = end - begin, columns = matrix_.columns;
    rows_.resize(count * columns);
    matrix_.read(begin, count, rows_.data());
    for (std::size_t g = 0; g < codes_.groups(); ++g) {
      const std::size_t first = g * codes_.group_size;
      const std::size_t width = std::min(codes_.group_size, columns - first);
      weights_.resize(count * width);
      for (std::size_t r = 0; r < count; ++r)
        std::copy_n(rows_.data() + r * columns + first, width, weights_.data() + r * width);
      if (!find()) return Misfit{begin, first};
      for (std::size_t r = 0; r < count; ++r) {
        codes_.set_params(begin + r, g, params_);
        for (std::size_t c = 0; c < width; ++c)
          codes_.set_code(begin + r, first + c, own_[r * width + c]);
      }
    }
    return std::nullopt;
  }

 private:
  bool find() {
    own_.resize(weights_.size());
    if (std::all_of(weights_.begin(), weights_.end(), [](float w) { return w == 0; }))
      return zeros_only();
    if (search_.find(weights_) && (zeros_ == Zeros::kMiddle ? on_middle() : on_integer()))
      return true;
    return zeros_ == Zeros::kAny && on_line();
  }

  // As rounding has them.
  bool zeros_only() {
    if (!levels_.has_zero()) return false;
    params_ = {storable_.nearest_scale(1), static_cast<float>(middle_)};
    for (std::size_t i = 0; i < weights_.size(); ++i)
      own_[i] =
          zeros_ == Zeros::kMiddle ? levels_.code(0, weights_[i]) : static_cast<Code>(middle_);
    return true;
  }

  bool on_middle() {
    params_ = {search_.scale(), static_cast<float>(middle_)};
    for (std::size_t i = 0; i < weights_.size(); ++i)
      own_[i] = levels_.code(search_.levels()[i], weights_[i]);
    return true;
  }

  // The zero is the middle where all levels allow it, else as near to it as they do.
  bool on_integer() {
    const auto [least, most] =
        std::minmax_element(search_.levels().begin(), search_.levels().end());
    const int low = levels_.code(*least) - highest_, high = levels_.code(*most) - highest_;
    const int lowest = std::max(-low, static_cast<int>(storable_.lowest_zero));
    const int zero = std::clamp(middle_, lowest, std::max(lowest, highest_ - high));
    if (zero > highest_ || zero + high > highest_) return false;
    params_ = {search_.scale(), static_cast<float>(zero)};
    for (std::size_t i = 0; i < weights_.size(); ++i)
      own_[i] = static_cast<Code>(levels_.code(search_.levels()[i]) - highest_ + zero);
    return true;
  }

  bool on_line() {
    const LineForm form = storable_.minimum ? LineForm::kMinimum : LineForm::kZero;
    const LineRules rules{form, highest_, matrix_.type, storable_.scale_type,
                          storable_.minimum ? storable_.scale_type : storable_.zero_type};
    if (!group_.gather(weights_, matrix_.type, codes_.grid->levels()) ||
        !find_line(group_, rules, line_) || line_.step == 0)
      return false;
    params_ = {line_.step, form == LineForm::kZero ? line_.offset : -line_.offset / line_.step};
    for (std::size_t i = 0; i < weights_.size(); ++i)
      own_[i] = static_cast<Code>(group_.of_weight(i) == GroupValues::kZero
                                      ? line_.codes.back()
                                      : line_.codes[group_.of_weight(i)]);
    return true;
  }

  const DenseMatrix& matrix_;
  const Storable& storable_;
  Zeros zeros_;
  Codes& codes_;
  int highest_, middle_;
  Levels levels_;
  std::vector<float> rows_, weights_;
  std::vector<Code> own_;
  GroupParams params_;
  GroupSearch search_;
  GroupValues group_;
  ExactLine line_;
};

// Which decoded weights differ once rounded: layouts may have rounded the scales once more.
std::optional<Misfit> difference(const DenseMatrix& matrix, const Codes& codes) {
  return first_misfit(matrix.rows, kRows,
                      [&](std::size_t begin, std::size_t end) -> std::optional<Misfit> {
                        std::vector<float> wanted(matrix.columns), got(matrix.columns);
                        for (std::size_t r = begin; r < end; ++r) {
                          matrix.read(r, 1, wanted.data());
                          decode_rows(codes, r, Matrix(got.data(), 1, codes.columns));
                          for (std::size_t c = 0; c < matrix.columns; ++c)
                            if (rounded_to(matrix.type, got[c]) != wanted[c]) return Misfit{r, c};
                        }
                        return std::nullopt;
                      });
}

std::optional<Misfit> recover_with(const DenseMatrix& matrix, const Storable& storable, Zeros zeros,
                                   Codes& codes) {
  const auto misfit =
      storable.scale_rows > 1
          ? first_misfit(matrix.rows, storable.scale_rows,
                         [&](std::size_t begin, std::size_t end) {
                           return CodeSearch(matrix, storable, zeros, codes).rows(begin, end);
                         })
          : first_misfit(matrix.rows, kRows,
                         [&](std::size_t begin, std::size_t end) -> std::optional<Misfit> {
                           CodeSearch search(matrix, storable, zeros, codes);
                           for (std::size_t r = begin; r < end; ++r)
                             if (const auto found = search.rows(r, r + 1)) return found;
                           return std::nullopt;
                         });
  if (misfit) return misfit;
  if (storable.together != nullptr) storable.together(codes);
  return difference(matrix, codes);
}

}  // namespace

std::optional<Misfit> recover_codes(const DenseMatrix& matrix, const CodeShape& shape,
                                    const Storable& storable, Codes& codes) {
  codes = make_codes(*shape.grid, shape.rows, shape.columns, shape.group_size);
  std::optional<Misfit> misfit = recover_with(matrix, storable, Zeros::kMiddle, codes);
  if (!misfit || !shape.grid->free_zeros() || !storable.free_zeros) return misfit;
  misfit = recover_with(matrix, storable, Zeros::kInteger, codes);
  if (!misfit || storable.integer_zeros) return misfit;
  return recover_with(matrix, storable, Zeros::kAny, codes);
}

}  // namespace nibble
