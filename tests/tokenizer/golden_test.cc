// Every shape of tokenizer against the answers of the reference, text by text.
#include "tokenizer/golden.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "nibble/tokenizer.h"

namespace nibble {
namespace {

using Ids = std::vector<std::int32_t>;

class Golden : public testing::TestWithParam<test::GoldenTokenizer> {
 protected:
  std::unique_ptr<Tokenizer> tokenizer_ = Tokenizer::parse(GetParam().tokenizer_json);
};

TEST_P(Golden, EncodesAsTheReference) {
  for (std::size_t i = 0; i < GetParam().texts.size(); ++i) {
    const std::string& text = GetParam().texts[i];
    const Json& result = GetParam().results[i];
    EXPECT_EQ(tokenizer_->encode(text), result[0].get<Ids>()) << '"' << text << '"';
    EXPECT_EQ(tokenizer_->encode(text, {.add_special = false}), result[1].get<Ids>())
        << '"' << text << '"';
  }
}

TEST_P(Golden, DecodesAsTheReference) {
  for (const Json& result : GetParam().results) {
    EXPECT_EQ(tokenizer_->decode(result[0].get<Ids>()), result[2].get<std::string>());
    EXPECT_EQ(tokenizer_->decode(result[0].get<Ids>(), false), result[3].get<std::string>());
  }
}

TEST_P(Golden, StreamsWholeCharactersThatAddUpToTheText) {
  for (const Json& result : GetParam().results) {
    const auto stream = tokenizer_->stream(false);
    std::string text;
    for (const std::int32_t id : result[0].get<Ids>()) {
      const std::string part = stream->add(id);
      EXPECT_TRUE(is_valid_utf8(part));
      text += part;
    }
    EXPECT_EQ(text + stream->finish(), result[3].get<std::string>());
  }
}

std::string variant_name(const testing::TestParamInfo<test::GoldenTokenizer>& variant) {
  std::string name = variant.param.file + "_" + variant.param.name;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, Golden, testing::ValuesIn(test::golden_tokenizers()), variant_name);

}  // namespace
}  // namespace nibble
