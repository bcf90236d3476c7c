#include "cli/progress_line.h"

#include <gtest/gtest.h>

#include "cli/terminal/columns.h"

namespace nibble::cli {
namespace {

ProgressFigures figures() {
  return {.job = "Perplexity",
          .share = 0.125,
          .remaining = "01:53",
          .memory = "1.2 GiB",
          .label = "window 1/8"};
}

TEST(ProgressLine, ShowsEverythingWhereThereIsRoom) {
  EXPECT_EQ(progress_line(figures(), 79),
            "Perplexity [###.....................] 12% 01:53 left  1.2 GiB  window 1/8");
}

TEST(ProgressLine, KeepsPercentageAndTimeAtEveryWidth) {
  for (std::size_t columns = 9; columns < 100; ++columns) {
    const std::string line = progress_line(figures(), columns);
    EXPECT_LE(columns_of(line), columns) << line;
    EXPECT_NE(line.find("12% 01:53"), std::string::npos) << columns << ": " << line;
  }
}

TEST(ProgressLine, ShrinksTheBarBeforeTheName) {
  EXPECT_EQ(progress_line(figures(), 39), "Perplexity [##..............] 12% 01:53");
  EXPECT_EQ(progress_line(figures(), 20), "Perplexity 12% 01:53");
  EXPECT_EQ(progress_line(figures(), 19), "Perplexi… 12% 01:53");
  EXPECT_EQ(progress_line(figures(), 12), "12% 01:53");
}

TEST(ProgressLine, SaysWhatRunsWhileNothingIsDone) {
  EXPECT_EQ(progress_line({.job = "Perplexity",
                           .share = 0,
                           .remaining = "",
                           .memory = "9 MiB",
                           .label = "loading…"},
                          39),
            "Perplexity [.......................] 0%");
  EXPECT_EQ(progress_line({.job = "Perplexity",
                           .share = 0,
                           .remaining = "",
                           .memory = "9 MiB",
                           .label = "loading…"},
                          60),
            "Perplexity [........................] 0%  loading…  9 MiB");
}

TEST(EraseLine, TakesTheRowsThatANarrowerWindowMadeOfIt) {
  EXPECT_EQ(erase_line(0, 80), "");
  EXPECT_EQ(erase_line(79, 80), "\r\33[K");
  EXPECT_EQ(erase_line(40, 40), "\r\33[K");
  EXPECT_EQ(erase_line(79, 40), "\r\33[1A\33[J");
  EXPECT_EQ(erase_line(79, 20), "\r\33[3A\33[J");
}

}  // namespace
}  // namespace nibble::cli
