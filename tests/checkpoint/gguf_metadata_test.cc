// Typed getters, and the vocabulary made with them.
#include "checkpoint/gguf_metadata.h"

#include <gtest/gtest.h>

#include <cmath>

#include "checkpoint/gguf_header.h"
#include "checkpoint/gguf_pairs.h"
#include "checkpoint/gguf_vocabulary.h"
#include "nibble/error.h"
#include "support/error_text.h"
#include "support/gguf_file.h"

namespace nibble {
namespace {

using test::error_kind;
using test::GgufFile;
using test::packed;

// Metadata with the bytes it looks into.
struct Opened {
  std::string file;
  GgufMetadata metadata;
  explicit Opened(const GgufFile& source)
      : file(source.bytes()), metadata(read_gguf_header(std::as_bytes(std::span(file))).metadata) {}
};

template <typename Action>
void expect_corrupt(Action&& action) {
  EXPECT_EQ(error_kind(action), ErrorKind::kCorruptFile);
}

TEST(GgufMetadata, GivesWhatIsThere) {
  const Opened opened(test::sample_gguf());
  const GgufMetadata& metadata = opened.metadata;
  EXPECT_EQ(metadata.integer("sample.block_count", 1, 4096), 2);
  EXPECT_EQ(metadata.integer("sample.wide", 0, 10), 7);
  EXPECT_EQ(metadata.integer("sample.low", -5, 5), -1);
  EXPECT_FLOAT_EQ(static_cast<float>(*metadata.number("sample.epsilon", 0, 1)), 1e-5f);
  EXPECT_EQ(metadata.text("general.architecture"), "sample");
  EXPECT_EQ(metadata.flag("tokenizer.ggml.add_bos_token"), true);
  EXPECT_FALSE(metadata.integer("absent", 0, 1));
  EXPECT_FALSE(metadata.texts("absent", 1));
}

TEST(GgufMetadata, GivesItsPairsAsTheyLieInTheFile) {
  const Opened opened(test::sample_gguf());
  const auto records = opened.metadata.records();
  ASSERT_EQ(records.size(), 12u);
  EXPECT_EQ(records[0].key, "general.architecture");
  EXPECT_EQ(records[4].key, "sample.wide");
  EXPECT_EQ(records.back().key, "tokenizer.ggml.bos_token_id");
  // One behind the other they are the whole part of the file.
  GgufPairs pairs;
  for (const auto& record : records) pairs.copy(record.bytes);
  EXPECT_EQ(pairs.count(), 12u);
  EXPECT_EQ(opened.file.substr(GgufFile::kFirstPair, pairs.bytes().size()), pairs.bytes());
}

TEST(GgufMetadata, RefusesValuesOutOfRangeAndOtherTypes) {
  GgufFile file = test::sample_gguf();
  file.f32("nan", std::nanf("")).pair("huge", 10, packed(~0ull));
  const Opened opened(file);
  const GgufMetadata& metadata = opened.metadata;
  expect_corrupt([&] { metadata.integer("sample.block_count", 3, 4096); });
  expect_corrupt([&] { metadata.integer("sample.epsilon", 0, 1); });
  expect_corrupt([&] { metadata.integer("huge", 0, INT64_MAX); });
  expect_corrupt([&] { metadata.number("sample.block_count", 0, 10); });
  expect_corrupt([&] { metadata.number("nan", 0, 10); });
  expect_corrupt([&] { metadata.flag("sample.low"); });
  expect_corrupt([&] { metadata.text("sample.low"); });
  expect_corrupt([&] { metadata.text("general.architecture", 3); });
  expect_corrupt([&] { metadata.texts("tokenizer.ggml.scores", 9); });
  expect_corrupt([&] { metadata.texts("tokenizer.ggml.tokens", 3); });
  expect_corrupt([&] { metadata.floats("tokenizer.ggml.token_type", 9); });
  expect_corrupt([&] { metadata.integers("tokenizer.ggml.scores", 9); });
  expect_corrupt([&] { metadata.integers("sample.low", 9); });
}

TEST(GgufVocabulary, HoldsWhatTheFileSays) {
  const Opened opened(test::sample_gguf());
  const GgufVocabulary vocabulary = read_gguf_vocabulary(opened.metadata);
  EXPECT_EQ(vocabulary.model, "gpt2");
  EXPECT_EQ(vocabulary.tokens, (std::vector<std::string>{"<s>", "a", "b", "ab"}));
  EXPECT_EQ(vocabulary.merges, std::vector<std::string>{"a b"});
  EXPECT_EQ(vocabulary.scores.size(), 4u);
  EXPECT_EQ(vocabulary.token_types[0], 3);
  EXPECT_EQ(vocabulary.bos, 0);
  EXPECT_FALSE(vocabulary.eos);
  EXPECT_EQ(vocabulary.add_bos, true);
  EXPECT_FALSE(vocabulary.add_eos);
}

TEST(GgufVocabulary, RefusesListsThatDisagree) {
  GgufFile file;
  file.text("tokenizer.ggml.model", "gpt2").texts("tokenizer.ggml.tokens", {"a", "b"});
  EXPECT_EQ(read_gguf_vocabulary(Opened(file).metadata).tokens.size(), 2u);
  for (const auto& damage : std::vector<std::function<void(GgufFile&)>>{
           [](GgufFile& f) { f.numbers<float>("tokenizer.ggml.scores", 6, {1}); },
           [](GgufFile& f) {
             f.numbers<std::int8_t>("tokenizer.ggml.scores", 1, {1, 1});
           },
           [](GgufFile& f) { f.numbers<std::int32_t>("tokenizer.ggml.token_type", 5, {1}); },
           [](GgufFile& f) { f.u32("tokenizer.ggml.eos_token_id", 2); }}) {
    GgufFile damaged = file;
    damage(damaged);
    const Opened opened(damaged);
    expect_corrupt([&] { read_gguf_vocabulary(opened.metadata); });
  }
  const Opened none{GgufFile()};
  EXPECT_EQ(error_kind([&] { read_gguf_vocabulary(none.metadata); }), ErrorKind::kNotFound);
}

}  // namespace
}  // namespace nibble
