#include "checkpoint/gguf_vocabulary.h"

#include "base/text.h"
#include "checkpoint/gguf_metadata.h"
#include "checkpoint/gguf_pairs.h"
#include "nibble/error.h"

namespace nibble {
namespace {

// Both well above what models have, and small enough that a file of empty strings stays harmless.
constexpr std::size_t kMaxTokens = 1u << 20;
constexpr std::size_t kMaxMerges = 1u << 21;

template <typename Value>
void expect_one_each(const std::vector<Value>& values, std::size_t tokens, std::string_view what) {
  if (!values.empty() && values.size() != tokens)
    throw Error(ErrorKind::kCorruptFile,
                cat("the vocabulary has ", tokens, " tokens and ", values.size(), " ", what));
}

}  // namespace

GgufVocabulary read_gguf_vocabulary(const GgufMetadata& metadata) {
  GgufVocabulary vocabulary;
  auto tokens = metadata.texts("tokenizer.ggml.tokens", kMaxTokens);
  const auto model = metadata.text("tokenizer.ggml.model", 256);
  if (!tokens || !model || tokens->empty())
    throw Error(ErrorKind::kNotFound, "the GGUF file has no tokenizer",
                "put the model's tokenizer.json beside it");
  vocabulary.tokens = std::move(*tokens);
  const std::size_t count = vocabulary.tokens.size();
  vocabulary.model = *model;
  vocabulary.pre = metadata.text("tokenizer.ggml.pre", 256).value_or("");
  vocabulary.chat_template = metadata.text("tokenizer.chat_template").value_or("");
  vocabulary.merges =
      metadata.texts("tokenizer.ggml.merges", kMaxMerges).value_or(std::vector<std::string>());
  vocabulary.scores =
      metadata.floats("tokenizer.ggml.scores", kMaxTokens).value_or(std::vector<float>());
  vocabulary.token_types = metadata.integers("tokenizer.ggml.token_type", kMaxTokens)
                               .value_or(std::vector<std::int32_t>());
  expect_one_each(vocabulary.scores, count, "scores");
  expect_one_each(vocabulary.token_types, count, "token types");

  const auto id = [&](std::string_view name) -> std::optional<std::int32_t> {
    const auto value = metadata.integer(cat("tokenizer.ggml.", name, "_token_id"), 0,
                                        static_cast<std::int64_t>(count) - 1);
    if (!value) return std::nullopt;
    return static_cast<std::int32_t>(*value);
  };
  vocabulary.bos = id("bos");
  vocabulary.eos = id("eos");
  vocabulary.unk = id("unknown");
  vocabulary.eot = id("eot");
  if (const auto pad = metadata.integer("tokenizer.ggml.padding_token_id", INT64_MIN, INT64_MAX))
    if (*pad >= 0 && *pad < static_cast<std::int64_t>(count))
      vocabulary.pad = static_cast<std::int32_t>(*pad);
  vocabulary.add_bos = metadata.flag("tokenizer.ggml.add_bos_token");
  vocabulary.add_eos = metadata.flag("tokenizer.ggml.add_eos_token");
  vocabulary.add_space_prefix = metadata.flag("tokenizer.ggml.add_space_prefix");
  return vocabulary;
}

void put_gguf_vocabulary(const GgufVocabulary& vocabulary, GgufPairs& pairs) {
  pairs.text("tokenizer.ggml.model", vocabulary.model);
  if (!vocabulary.pre.empty()) pairs.text("tokenizer.ggml.pre", vocabulary.pre);
  pairs.texts("tokenizer.ggml.tokens", vocabulary.tokens);
  if (!vocabulary.scores.empty()) pairs.floats("tokenizer.ggml.scores", vocabulary.scores);
  if (!vocabulary.token_types.empty())
    pairs.integers("tokenizer.ggml.token_type", vocabulary.token_types);
  if (!vocabulary.merges.empty()) pairs.texts("tokenizer.ggml.merges", vocabulary.merges);
  const auto id = [&](std::string_view name, std::optional<std::int32_t> value) {
    if (value)
      pairs.u32(cat("tokenizer.ggml.", name, "_token_id"), static_cast<std::uint32_t>(*value));
  };
  id("bos", vocabulary.bos);
  id("eos", vocabulary.eos);
  id("unknown", vocabulary.unk);
  id("eot", vocabulary.eot);
  id("padding", vocabulary.pad);
  const auto flag = [&](std::string_view name, std::optional<bool> value) {
    if (value) pairs.flag(cat("tokenizer.ggml.", name), *value);
  };
  flag("add_bos_token", vocabulary.add_bos);
  flag("add_eos_token", vocabulary.add_eos);
  flag("add_space_prefix", vocabulary.add_space_prefix);
  if (!vocabulary.chat_template.empty())
    pairs.text("tokenizer.chat_template", vocabulary.chat_template);
}

}  // namespace nibble
