#include "prune/amount.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "support/error_text.h"

namespace nibble {
namespace {

TEST(Amount, TheLowestGoAndOfEqualOnesTheFirst) {
  const std::vector<float> scores = {3, 1, 2, 1, 0, 1, 3, NAN};
  const auto marked = [&](std::size_t count) {
    std::string text;
    for (const std::uint8_t mark : lowest(scores, count)) text += mark != 0 ? '1' : '0';
    return text;
  };
  EXPECT_EQ(marked(0), "00000000");
  EXPECT_EQ(marked(1), "00001000");
  EXPECT_EQ(marked(3), "01011000");
  EXPECT_EQ(marked(5), "01111100");
  EXPECT_EQ(marked(6), "11111100");
}

TEST(Amount, SharesAreRoundedDown) {
  EXPECT_EQ(share_of(0.5, 7), 3u);
  EXPECT_EQ(share_of(0.3, 10), 3u);  // 0.3 as a double is less than it says
  EXPECT_EQ(share_of(0.999, 10), 9u);
}

TEST(Amount, PatternsSayHowManyStay) {
  EXPECT_EQ(parse_pattern("2:4").stay, 2u);
  EXPECT_EQ(parse_pattern("1:8").of, 8u);
  for (const char* wrong :
       {"", "2", "2:", ":4", "4:4", "0:4", "5:4", "2:4:8", "-2:4", "2.0:4", "2:99999"}) {
    const std::string text = test::error_text([&] { parse_pattern(wrong); });
    EXPECT_NE(text.find("of every M weights N stay"), std::string::npos) << wrong << text;
  }
  Options options(kAmountOptions);
  set_amount({0, Pattern{2, 4}}, options);
  EXPECT_EQ(amount_of(options).pattern->of, 4u);
  set_amount({0.25, {}}, options);
  EXPECT_FALSE(amount_of(options).pattern);
  EXPECT_EQ(amount_of(options).sparsity, 0.25);
}

TEST(Amount, RowsAreJudgedByThemselves) {
  const std::vector<float> scores = {1, 2, 3, 4, 9, 8, 7, 6};
  std::vector<std::uint8_t> mask(8);
  mark_rows({scores.data(), 2, 4}, {0.5, {}}, {mask.data(), 2, 4});
  EXPECT_EQ(mask, (std::vector<std::uint8_t>{1, 1, 0, 0, 0, 0, 1, 1}));
  mark_rows({scores.data(), 2, 4}, {0, Pattern{1, 2}}, {mask.data(), 2, 4});
  EXPECT_EQ(mask, (std::vector<std::uint8_t>{1, 0, 1, 0, 0, 1, 0, 1}));
}

TEST(Amount, WhatIsWrittenIsWhatIsMeasured) {
  Tensor weight(1, 2), pruned(1, 2);
  weight.data()[0] = 1;
  weight.data()[1] = 1.001f;
  pruned.data()[0] = 0;
  pruned.data()[1] = 1.001f;
  Task task;
  task.weight = weight.view();
  task.options = Options(kAmountOptions);
  const Outcome outcome = finished(task, pruned.clone());
  EXPECT_EQ(outcome.dense.data()[1], 1.0f);  // bfloat16 keeps 8 bits
  EXPECT_NEAR(outcome.weight_error, (1 + 1e-6) / (1 + 1.001 * 1.001), 1e-6);
  task.options.set(kTypeOption, "f16");
  pruned.data()[1] = 1e6f;
  EXPECT_NE(test::error_text([&] { finished(task, pruned.clone()); }).find("becomes inf as f16"),
            std::string::npos);
}

}  // namespace
}  // namespace nibble
