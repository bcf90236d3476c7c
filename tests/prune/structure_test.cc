#include "prune/structure.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "support/error_text.h"

namespace nibble {
namespace {

HyperParams shape(std::size_t heads, std::size_t kv_heads, std::size_t channels) {
  HyperParams hyper;
  hyper.hidden = 64;
  hyper.heads = heads;
  hyper.kv_heads = kv_heads;
  hyper.head_dim = 16;
  hyper.mlp_hidden = channels;
  return hyper;
}

struct Heads {
  std::size_t heads, kv_heads;
  double share;
  std::size_t left, kv_left;
};

TEST(Structure, TakesWholeGroupsUnlessAsManyOfEachComeCloser) {
  for (const Heads& c : {Heads{32, 8, 0.25, 24, 6}, Heads{32, 8, 0.3, 24, 6},
                         Heads{8, 2, 0.25, 6, 2}, Heads{8, 2, 0.5, 4, 1}, Heads{8, 1, 0.5, 4, 1},
                         Heads{4, 4, 0.3, 3, 3}, Heads{14, 2, 0.3, 10, 2}}) {
    const Structure found = structure_of(shape(c.heads, c.kv_heads, 64), c.share, 0);
    EXPECT_EQ(found.query_heads, c.left) << c.heads << ' ' << c.kv_heads << ' ' << c.share;
    EXPECT_EQ(found.kv_heads, c.kv_left) << c.heads << ' ' << c.kv_heads << ' ' << c.share;
    EXPECT_EQ(found.heads->sections * found.heads->kept * found.heads->unit, 16 * c.left);
    EXPECT_FALSE(found.channels);
  }
}

TEST(Structure, ChannelsThatStayFillWholeRunsWhereTheyCan) {
  const auto kept = [](std::size_t channels, double share) {
    return structure_of(shape(4, 2, channels), 0, share).mlp_hidden;
  };
  EXPECT_EQ(kept(768, 0.2), 608u);  // 614 asked
  EXPECT_EQ(kept(768, 0.25), 576u);
  EXPECT_EQ(kept(64, 0.2), 48u);  // runs of 32 would keep all
  EXPECT_EQ(kept(10, 0.1), 8u);
  EXPECT_EQ(kept(10, 0.9), 2u);
  EXPECT_EQ(kept(96, 0.99), 2u);
}

TEST(Structure, RefusesWhatTakesNothingOrAll) {
  const auto text = [](std::size_t heads, std::size_t kv_heads, double share) {
    return test::error_text([&] { structure_of(shape(heads, kv_heads, 64), share, 0); });
  };
  EXPECT_NE(text(4, 2, 0.1).find("smallest share is 0.5"), std::string::npos) << text(4, 2, 0.1);
  EXPECT_NE(text(4, 2, 0.9).find("none stay"), std::string::npos);
  EXPECT_NE(text(1, 1, 0.5).find("one head keeps it"), std::string::npos) << text(1, 1, 0.5);
  EXPECT_NE(test::error_text([] { structure_of(shape(4, 2, 64), 0, 0.001); }).find("none would go"),
            std::string::npos);
}

TEST(Structure, ConfigsSayTheSizeOfAHead) {
  const HyperParams hyper = shape(4, 2, 64);
  const Json config = smaller_config({{"hidden_size", 64}, {"intermediate_size", 64}}, hyper,
                                     structure_of(hyper, 0.5, 0.5));
  EXPECT_EQ(config["head_dim"], 16);
  EXPECT_EQ(config["num_attention_heads"], 2);
  EXPECT_EQ(config["num_key_value_heads"], 1);
  EXPECT_EQ(config["intermediate_size"], 32);
  EXPECT_EQ(config["hidden_size"], 64);
}

}  // namespace
}  // namespace nibble
