// The index of a sharded checkpoint is as untrusted as any file.
#include "checkpoint/shard_index.h"

#include <gtest/gtest.h>

#include <chrono>

#include "nibble/error.h"
#include "support/allocation.h"
#include "support/error_text.h"
#include "support/mutate.h"

namespace nibble {
namespace {

using test::error_kind;

constexpr std::string_view kIndex =
    R"({"metadata":{"total_size":96,"total_parameters":24,"x":{"y":[1,null]}},"weight_map":{)"
    R"("t0":"model-00001-of-00002.safetensors","t1":"model-00001-of-00002.safetensors",)"
    R"("t2":"model-00002-of-00002.safetensors"}})";

TEST(ShardIndex, ListsShardsInOrderOfUse) {
  const ShardIndex index = parse_shard_index(kIndex);
  EXPECT_EQ(index.shards.size(), 2u);
  EXPECT_EQ(index.tensors[2], (std::pair<std::string, std::uint32_t>{"t2", 1}));
  EXPECT_EQ(index.total_size, 96u);
}

TEST(ShardIndex, RefusesShardsOutsideTheFolder) {
  for (const char* shard : {"../a.safetensors", "/etc/passwd", "x/a.safetensors", "", ".", "..",
                            "a\\\\b", "a\\u0000"}) {
    const std::string text = std::string(R"({"weight_map":{"t":")") + shard + "\"}}";
    EXPECT_EQ(error_kind([&] { parse_shard_index(text); }), ErrorKind::kCorruptFile) << shard;
  }
}

TEST(ShardIndex, RefusesWhatIsNoIndex) {
  for (const char* text :
       {"", "[]", "{}", "1", R"({"weight_map":[]})", R"({"weight_map":{"a":1}})",
        R"({"weight_map":{"a":["b"]}})", R"({"weight_map":{"a":"x","a":"y"}})",
        R"({"weight_map":{},"weight_map":{}})", R"({"weight_map":null})", R"({"weight_map":"x"})"})
    EXPECT_EQ(error_kind([&] { parse_shard_index(text); }), ErrorKind::kCorruptFile) << text;
}

TEST(ShardIndex, Survives2000Mutations) {
  Random random(7);
  const auto start = std::chrono::steady_clock::now();
  int accepted = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string text = test::mutated_json(kIndex, random);
    const test::AllocationPeak peak;
    if (!error_kind([&] { parse_shard_index(text); })) ++accepted;
    ASSERT_LE(peak.bytes(), 2 * text.size() + (64u << 20)) << i;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  EXPECT_LT(accepted, 1500);
}

TEST(ShardIndex, NeverTakesAMultipleOfTheFileInMemory) {
  std::string text = R"({"metadata":[)";
  while (text.size() < 20'000'000) text += "0,";
  text += "0]}";
  const test::AllocationPeak peak;
  EXPECT_TRUE(error_kind([&] { parse_shard_index(text); }));
  EXPECT_LE(peak.bytes(), 2 * text.size() + (64u << 20));
}

}  // namespace
}  // namespace nibble
