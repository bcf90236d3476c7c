// How much of a matrix is taken out, as it is asked and as methods read it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "quantize/method.h"

namespace nibble {

// Of every `of` neighbouring inputs of a row, `stay` stay: 2:4 keeps two of four.
struct Pattern {
  std::size_t stay = 0, of = 0;
};
// "2:4". Throws kInvalidArgument: two whole numbers with 0 < N < M.
Pattern parse_pattern(std::string_view text);

// A share of the weights, or a pattern.
struct Amount {
  double sparsity = 0;
  std::optional<Pattern> pattern = {};
};

extern const OptionSpec kSparsityOption;  // share of the weights that goes
extern const OptionSpec kStayOption;      // of a pattern; 0: there is none
extern const OptionSpec kOfOption;
extern const OptionSpec kTypeOption;  // of the weights as they are written: bf16, f16, or f32
// What every method that zeroes single weights reads.
inline constexpr std::array kAmountOptions = {&kSparsityOption, &kStayOption, &kOfOption,
                                              &kTypeOption};

void set_amount(const Amount& amount, Options& options);
Amount amount_of(const Options& options);

// 1 where one of the `count` lowest scores is, else 0; of equal scores the first are the lowest.
std::vector<std::uint8_t> lowest(std::span<const float> scores, std::size_t count);

// How many of `weights` a share is: rounded down, as the papers' programs do.
std::size_t share_of(double sparsity, std::size_t weights);

// Marks what goes of rows [first, first + scores.rows) when each row is judged by itself.
void mark_rows(ConstMatrix scores, const Amount& amount, MatrixView<std::uint8_t> mask);

// Rounds the weights to the type that the options name, as their readers will have them, and
// measures what they lost. Throws kNumeric for one that is not finite then.
Outcome finished(const Task& task, Tensor weight);

}  // namespace nibble
