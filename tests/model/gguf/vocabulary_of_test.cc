#include "model/gguf/vocabulary_of.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "checkpoint/gguf_metadata.h"
#include "checkpoint/gguf_pairs.h"
#include "model/gguf/cut_rules.h"
#include "model/gguf/tokenizer.h"
#include "model/gguf/tokenizer_json.h"
#include "nibble/error.h"
#include "nibble/tokenizer.h"
#include "support/error_text.h"
#include "support/paths.h"
#include "support/temp_dir.h"
#include "tokenizer/golden.h"

namespace nibble {
namespace {

using Ids = std::vector<std::int32_t>;
using test::error_kind;
using test::error_text;
using test::TempDir;

constexpr std::int32_t kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5,
                       kByte = 6;

Json golden(const std::string& file, const std::string& name) {
  return Json::parse(test::golden_tokenizer_json(file, name));
}

// A model folder that holds a tokenizer and nothing else.
class Folder {
 public:
  explicit Folder(const Json& tokenizer, const Json& config = Json::object()) {
    write_file(dir_ / "tokenizer.json", tokenizer.dump());
    write_file(dir_ / "tokenizer_config.json", config.dump());
  }
  Folder& add(const std::string& name, std::string_view text) {
    write_file(dir_ / name, text);
    return *this;
  }
  const fs::path& path() const { return dir_.path(); }
  std::size_t size() const {
    return static_cast<std::size_t>(Tokenizer::open(path())->vocabulary_size());
  }
  GgufVocabulary vocabulary() const { return gguf_vocabulary_of(path(), size()); }
  std::string refusal() const {
    EXPECT_EQ(error_kind([&] { vocabulary(); }), ErrorKind::kUnsupported);
    const std::string text = error_text([&] { vocabulary(); });
    EXPECT_NE(text.find("tokenizer.json: "), std::string::npos) << text;
    EXPECT_NE(text.find("write a model folder"), std::string::npos) << text;
    return text;
  }

 private:
  TempDir dir_;
};

void expect_refused(const Json& tokenizer, const char* word) {
  const std::string text = Folder(tokenizer).refusal();
  EXPECT_NE(text.find(word), std::string::npos) << text;
}

std::vector<std::string> texts() {
  std::vector<std::string> all = test::read_golden("byte_level")["texts"];
  all.push_back(
      read_file(std::string(kSourceFolder) + "/assets/demo/sample.txt", 1 << 20).substr(0, 1000));
  return all;
}

void expect_same_tokens(const fs::path& folder, const GgufVocabulary& vocabulary) {
  const auto expected = Tokenizer::open(folder), written = tokenizer_from_gguf(vocabulary);
  std::vector<std::string> differences;
  const auto back = Tokenizer::parse(tokenizer_json_of(vocabulary, differences));
  EXPECT_TRUE(differences.empty()) << differences.front();
  for (const std::string& text : texts()) {
    const Ids ids = expected->encode(text);
    EXPECT_EQ(written->encode(text), ids) << text;
    EXPECT_EQ(back->encode(text), ids) << text;
    EXPECT_EQ(written->encode(text, {.add_special = false, .parse_special = false}),
              expected->encode(text, {.add_special = false, .parse_special = false}))
        << text;
    EXPECT_EQ(written->decode(ids), expected->decode(ids)) << text;
  }
}

Json split(std::string_view expression, const char* behavior = "Isolated", bool invert = false) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", expression}}},
          {"behavior", behavior},
          {"invert", invert}};
}

// A chain of cuts, then bytes.
Json byte_cuts(std::vector<Json> cuts) {
  cuts.push_back({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}});
  return {{"type", "Sequence"}, {"pretokenizers", cuts}};
}

Json byte_level(std::vector<Json> cuts, bool composed = false, bool whole_words = false) {
  Json tokenizer = golden("byte_level", "gpt2");
  tokenizer["pre_tokenizer"] = byte_cuts(std::move(cuts));
  if (composed) tokenizer["normalizer"] = {{"type", "NFC"}};
  tokenizer["model"]["ignore_merges"] = whole_words;
  return tokenizer;
}

TEST(GgufVocabularyOf, NamesEveryWayOfCuttingThatAReaderKnows) {
  for (const NamedCuts& known : gguf_cuts()) {
    std::vector<Json> cuts;
    for (const std::string_view expression : known.rules->expressions)
      if (!expression.empty()) cuts.push_back(split(expression));
    const Folder folder(byte_level(cuts, known.rules->composed, known.rules->whole_words_first));
    const GgufVocabulary vocabulary = folder.vocabulary();
    EXPECT_EQ(vocabulary.model, "gpt2");
    ASSERT_FALSE(vocabulary.pre.empty());
    const auto found =
        std::find_if(gguf_cuts().begin(), gguf_cuts().end(),
                     [&](const NamedCuts& entry) { return entry.name == vocabulary.pre; });
    ASSERT_NE(found, gguf_cuts().end()) << vocabulary.pre;
    EXPECT_EQ(found->rules, known.rules) << known.name;
    expect_same_tokens(folder.path(), vocabulary);
  }
}

TEST(GgufVocabularyOf, WritesTheNamesThatOtherProgramsWrite) {
  EXPECT_EQ(Folder(golden("byte_level", "gpt2")).vocabulary().pre, "gpt-2");
  EXPECT_EQ(Folder(golden("byte_level", "qwen")).vocabulary().pre, "qwen2");
  EXPECT_EQ(Folder(golden("byte_level", "llama3")).vocabulary().pre, "llama-bpe");
  EXPECT_EQ(Folder(golden("byte_level", "smollm2")).vocabulary().pre, "smollm");
}

TEST(GgufVocabularyOf, KnowsOtherSpellingsOfTheSameCuts) {
  const char* const spelled[] = {
      R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|)"
      R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
      R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|)"
      R"(\s*[\r\n]|\s+(?!\S)|\s+)",
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
      R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S))"};
  for (const char* expression : spelled)
    EXPECT_EQ(Folder(byte_level({split(expression)}, false, true)).vocabulary().pre, "llama-bpe")
        << expression;
  const char* const words =
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
  EXPECT_EQ(Folder(byte_level({split(words, "Removed", true)})).vocabulary().pre, "gpt-2");
}

// Cut as GPT-2 does, words that are tokens first.
Json golden_words() {
  Json tokenizer = golden("byte_level", "gpt2");
  tokenizer["model"]["ignore_merges"] = true;
  return tokenizer;
}

TEST(GgufVocabularyOf, TellsMergedWordsFromWholeOnesWhereItMatters) {
  const Json merged = golden_words();
  // Every token is what its own merges make of it: which of both comes first says nothing.
  EXPECT_EQ(Folder(merged).vocabulary().pre, "gpt-2");
  Json unreachable = merged;
  unreachable["model"]["vocab"]["qqqq"] = unreachable["model"]["vocab"].size();
  unreachable["added_tokens"] = Json::array();
  expect_refused(unreachable, R"("qqqq": it would give ["q", "q", "q", "q"])");
}

TEST(GgufVocabularyOf, RefusesCutsWithoutAName) {
  expect_refused(byte_level({split(R"(\p{L}{1,5}|\s+)")}), R"(\p{L}{1,5}|\s+)");
  expect_refused(byte_level({split(R"(\p{N})", "Removed", true)}), "Split");
  expect_refused(byte_level({split("", "Isolated")}), "Split");
  expect_refused(byte_level({}), "cutting text with nothing");
  expect_refused(golden("byte_level", "gpt2 with a blank in front"), "ByteLevel");
  expect_refused(golden("byte_level", "runs of digits"), R"(\p{N}+)");
  expect_refused(golden("byte_level", "bytes as a normalizer"), "ByteLevel");
  Json late = byte_level({});
  late["pre_tokenizer"]["pretokenizers"].push_back({{"type", "Digits"}});
  expect_refused(late, "after ByteLevel: Digits");
  Json metaspace = byte_level({Json{{"type", "Metaspace"}, {"replacement", "_"}}});
  expect_refused(metaspace, "Metaspace");
}

TEST(GgufVocabularyOf, RefusesNormalizersWithoutACounterpart) {
  Json tokenizer = golden("byte_level", "gpt2");
  tokenizer["normalizer"] = {{"type", "Lowercase"}};
  expect_refused(tokenizer, "normalizer Lowercase");
  tokenizer["normalizer"] = {{"type", "NFC"}};
  expect_refused(tokenizer, "after NFC");
  Json pieces = golden("sentencepiece", "gemma");
  pieces["normalizer"] = {{"type", "Sequence"},
                          {"normalizers", {{{"type", "NFKC"}}, pieces["normalizer"]}}};
  expect_refused(pieces, "normalizer NFKC");
}

TEST(GgufVocabularyOf, RefusesOtherModelsByName) {
  for (const char* type : {"Unigram", "WordPiece", "WordLevel"}) {
    TempDir dir;
    write_file(dir / "tokenizer.json", Json{{"model", {{"type", type}, {"vocab", {}}}}}.dump());
    const auto write = [&] { gguf_vocabulary_of(dir.path(), 10); };
    EXPECT_EQ(error_kind(write), ErrorKind::kUnsupported);
    EXPECT_NE(error_text(write).find(type), std::string::npos);
    EXPECT_NE(error_text(write).find("write a model folder"), std::string::npos);
  }
  Json affixed = golden("byte_level", "gpt2");
  affixed["model"]["end_of_word_suffix"] = "</w>";
  expect_refused(affixed, "end_of_word_suffix");
  expect_refused(golden("sentencepiece", "unknown"), "byte_fallback");
}

TEST(GgufVocabularyOf, NeedsATokenizerFile) {
  const TempDir dir;
  EXPECT_EQ(error_kind([&] { gguf_vocabulary_of(dir.path(), 10); }), ErrorKind::kNotFound);
}

TEST(GgufVocabularyOf, CallsDamagedFilesCorrupt) {
  for (const char* text : {"[]", "{}", R"({"model": {"type": "BPE"}, "pre_tokenizer": 5})",
                           R"({"model": {"type": "BPE"}, "normalizer": {"type": "Sequence"}})"}) {
    const TempDir dir;
    write_file(dir / "tokenizer.json", text);
    EXPECT_EQ(error_kind([&] { gguf_vocabulary_of(dir.path(), 10); }), ErrorKind::kCorruptFile)
        << text;
  }
}

TEST(GgufVocabularyOf, WritesPiecesWithAndWithoutABlankInFront) {
  for (const auto& [name, blank] : {std::pair{"llama legacy", true}, {"gemma", false}}) {
    const Folder folder(golden("sentencepiece", name));
    const GgufVocabulary vocabulary = folder.vocabulary();
    EXPECT_EQ(vocabulary.model, "llama");
    EXPECT_EQ(vocabulary.pre, "default");
    EXPECT_EQ(vocabulary.add_space_prefix, blank);
    EXPECT_TRUE(vocabulary.merges.empty());
    ASSERT_EQ(vocabulary.scores.size(), vocabulary.tokens.size());
    expect_same_tokens(folder.path(), vocabulary);
  }
}

// What a Metaspace does, a GGUF file can say where it never puts a blank in front, and not where
// that depends on what the text begins with.
TEST(GgufVocabularyOf, RefusesABlankThatIsOnlySometimesPutInFront) {
  expect_refused(golden("sentencepiece", "llama"), R"(encode " ": it would give ["▁", "▁"])");
  Json never = golden("sentencepiece", "gemma");
  never["normalizer"] = nullptr;
  never["pre_tokenizer"] = {
      {"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "never"}, {"split", false}};
  const Folder folder(never);
  EXPECT_EQ(folder.vocabulary().add_space_prefix, false);
  expect_same_tokens(folder.path(), folder.vocabulary());
}

TEST(GgufVocabularyOf, RefusesDecodersThatWriteOtherText) {
  Json tokenizer = golden("byte_level", "gpt2");
  tokenizer["decoder"] = nullptr;
  expect_refused(tokenizer, "decoder");
  expect_refused(golden("sentencepiece", "strip both ends"), "decoder");
}

TEST(GgufVocabularyOf, ScoresPiecesInTheOrderOfTheirMerges) {
  const Json tokenizer = golden("sentencepiece", "gemma");
  const GgufVocabulary vocabulary = Folder(tokenizer).vocabulary();
  const auto id = [&](const std::string& token) -> std::size_t {
    return tokenizer["model"]["vocab"][token];
  };
  EXPECT_EQ(vocabulary.scores[id("he")], 0);   // the first merge makes it
  EXPECT_EQ(vocabulary.scores[id("▁t")], -1);  // and the second this
  EXPECT_LE(vocabulary.scores[id("▁")], -static_cast<float>(tokenizer["model"]["merges"].size()));
  EXPECT_EQ(vocabulary.token_types[id("he")], kNormal);
  EXPECT_EQ(vocabulary.token_types[id("<unk>")], kUnknown);
  EXPECT_EQ(vocabulary.token_types[id("<s>")], kControl);
  EXPECT_EQ(vocabulary.token_types[id("<0x0A>")], kByte);
}

TEST(GgufVocabularyOf, RefusesMergesThatScoresCannotTell) {
  Json tokenizer = golden("sentencepiece", "gemma");
  // No merge makes it, but two of its parts are pieces: by scores they would be joined.
  tokenizer["model"]["vocab"]["hehe"] = tokenizer["model"]["vocab"].size();
  expect_refused(tokenizer, R"("hehe"] where tokenizer.json gives)");
}

TEST(GgufVocabularyOf, RefusesPiecesWithoutAllBytes) {
  Json tokenizer = golden("sentencepiece", "gemma");
  Json& vocabulary = tokenizer["model"]["vocab"];
  const Json id = vocabulary["<0x7F>"];
  vocabulary.erase("<0x7F>");
  vocabulary["<none>"] = id;
  expect_refused(tokenizer, "<0x7F>");
}

TEST(GgufVocabularyOf, RefusesAnUnknownTokenForBytes) {
  Json tokenizer = golden("byte_level", "gpt2");
  Json& model = tokenizer["model"];
  model["unk_token"] = "!";
  Folder(tokenizer).vocabulary();  // all bytes are there
  const Json id = model["vocab"]["~"];
  model["vocab"].erase("~");
  model["vocab"]["~~"] = id;
  expect_refused(tokenizer, "byte 126");
}

TEST(GgufVocabularyOf, LetsMergesFindBlanksThatAreAddedTokensToo) {
  Json tokenizer = golden("sentencepiece", "gemma");
  Json& model = tokenizer["model"];
  if (!model["vocab"].contains("▁▁")) {
    model["vocab"]["▁▁"] = model["vocab"].size();
    model["merges"].push_back("▁ ▁");
  }
  tokenizer["added_tokens"].push_back({{"content", "▁▁"}, {"special", false}});
  tokenizer["added_tokens"].back()["normalized"] = false;
  const Folder folder(tokenizer);
  const GgufVocabulary vocabulary = folder.vocabulary();
  EXPECT_EQ(vocabulary.token_types[model["vocab"]["▁▁"].get<std::size_t>()], kNormal);
  expect_same_tokens(folder.path(), vocabulary);
}

TEST(GgufVocabularyOf, TypesAddedTokens) {
  Json tokenizer = golden("byte_level", "gpt2");  // <|begin|> <|end|> special, <s> not
  const Folder folder(tokenizer);
  const GgufVocabulary vocabulary = folder.vocabulary();
  const std::size_t first = tokenizer["model"]["vocab"].size();
  EXPECT_EQ(vocabulary.tokens[first], "<|begin|>");
  EXPECT_EQ(vocabulary.token_types[first], kControl);
  EXPECT_EQ(vocabulary.tokens[first + 2], "<s>");
  EXPECT_EQ(vocabulary.token_types[first + 2], kUserDefined);
  EXPECT_EQ(vocabulary.token_types[0], kNormal);
  for (const char* key : {"lstrip", "rstrip", "single_word"}) {
    Json stripping = tokenizer;
    stripping["added_tokens"][0][key] = true;
    expect_refused(stripping, key);
  }
}

TEST(GgufVocabularyOf, RefusesAddedTokensThatAreFoundInOtherText) {
  Json tokenizer = golden("sentencepiece", "llama legacy");
  tokenizer["added_tokens"][1]["normalized"] = true;  // "▁<s>": found at the start alone
  expect_refused(tokenizer, "<s>");
}

TEST(GgufVocabularyOf, FillsUpToTheRowsOfTheEmbedding) {
  for (const char* file : {"byte_level", "sentencepiece"}) {
    const Folder folder(golden(file, *file == 'b' ? "gpt2" : "gemma"));
    const std::size_t size = folder.size();
    const GgufVocabulary vocabulary = gguf_vocabulary_of(folder.path(), size + 3);
    ASSERT_EQ(vocabulary.tokens.size(), size + 3);
    EXPECT_EQ(vocabulary.tokens.back(), "[PAD" + std::to_string(size + 2) + "]");
    EXPECT_EQ(vocabulary.token_types.back(), kUnused);
    EXPECT_EQ(vocabulary.token_types.size(), size + 3);
    expect_same_tokens(folder.path(), vocabulary);
    EXPECT_EQ(error_kind([&] { gguf_vocabulary_of(folder.path(), size - 1); }),
              ErrorKind::kUnsupported);
  }
}

TEST(GgufVocabularyOf, AddsWhatTheTokenizerAddsWhateverTheFlagsSay) {
  const Json flags = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                      {"bos_token", "<|begin|>"},
                      {"eos_token", "<|end|>"},
                      {"add_bos_token", false},
                      {"add_eos_token", true}};
  const Folder begins(golden("byte_level", "llama3"), flags);
  EXPECT_EQ(begins.vocabulary().add_bos, true);
  EXPECT_EQ(begins.vocabulary().add_eos, false);
  expect_same_tokens(begins.path(), begins.vocabulary());
  const Folder both(golden("byte_level", "opt"));  // roles that no file names
  const GgufVocabulary vocabulary = both.vocabulary();
  EXPECT_EQ(vocabulary.add_bos, true);
  EXPECT_EQ(vocabulary.add_eos, true);
  EXPECT_EQ(vocabulary.tokens[static_cast<std::size_t>(*vocabulary.bos)], "<|begin|>");
  EXPECT_EQ(vocabulary.tokens[static_cast<std::size_t>(*vocabulary.eos)], "<|end|>");
  expect_same_tokens(both.path(), vocabulary);
}

TEST(GgufVocabularyOf, RefusesOtherTokensAroundTheText) {
  const Json config = {{"bos_token", "<s>"}};
  const std::string text = Folder(golden("byte_level", "llama3"), config).refusal();
  EXPECT_NE(text.find("<|begin|>"), std::string::npos) << text;
}

TEST(GgufVocabularyOf, TakesRolesFromTheModelWhereTheTokenizerNamesNone) {
  const Json tokenizer = golden("byte_level", "gpt2");
  Folder folder(tokenizer, {{"pad_token", "<|begin|>"}, {"unk_token", "<s>"}});
  EXPECT_FALSE(folder.vocabulary().bos);
  folder.add("generation_config.json", R"({"bos_token_id": 1, "eos_token_id": [407, 406]})");
  folder.add("config.json", R"({"bos_token_id": 406, "eos_token_id": null})");
  const GgufVocabulary vocabulary = folder.vocabulary();
  EXPECT_EQ(vocabulary.bos, 406);
  EXPECT_EQ(vocabulary.eos, 407);
  EXPECT_EQ(vocabulary.pad, 406);
  EXPECT_EQ(vocabulary.unk, 408);
  EXPECT_EQ(vocabulary.add_bos, false);
}

TEST(GgufVocabularyOf, KeepsTheChatTemplateAndItsEndOfTurn) {
  Json tokenizer = golden("byte_level", "gpt2");
  tokenizer["added_tokens"].push_back({{"content", "<|im_end|>"}, {"special", true}});
  const std::string text = "{{ messages[0].content }}<|im_end|>\n";
  const Json config = {{"eos_token", "<|end|>"}, {"chat_template", text}};
  EXPECT_EQ(Folder(tokenizer, config).vocabulary().chat_template, text);
  EXPECT_EQ(Folder(tokenizer, config).vocabulary().eot, 409);
  // It ends the text already; or the template does not write it.
  EXPECT_FALSE(
      Folder(tokenizer, {{"eos_token", "<|im_end|>"}, {"chat_template", text}}).vocabulary().eot);
  EXPECT_FALSE(Folder(tokenizer, {{"chat_template", "x"}}).vocabulary().eot);
  // What this program cannot render, others may.
  Folder odd(tokenizer);
  odd.add("chat_template.jinja", "{% no such tag %}");
  EXPECT_EQ(odd.vocabulary().chat_template, "{% no such tag %}");
}

// The demo model cuts numbers at three digits and keeps the blank in front of them: no name does.
TEST(GgufVocabularyOf, RefusesTheDemoModelForItsNumbersAlone) {
  const fs::path demo = std::string(kSourceFolder) + "/assets/demo";
  const auto write = [&] { gguf_vocabulary_of(demo, 4096); };
  EXPECT_EQ(error_kind(write), ErrorKind::kUnsupported);
  EXPECT_NE(error_text(write).find(R"(\p{N}{1,3})"), std::string::npos);
  Json tokenizer = Json::parse(read_file(demo / "tokenizer.json", 1 << 20));
  tokenizer["pre_tokenizer"] = golden("byte_level", "gpt2")["pre_tokenizer"];
  const Folder folder(tokenizer, Json::parse(read_file(demo / "tokenizer_config.json", 1 << 20)));
  const GgufVocabulary vocabulary = gguf_vocabulary_of(folder.path(), 4096);
  EXPECT_EQ(vocabulary.pre, "gpt-2");
  EXPECT_EQ(vocabulary.bos, 4093);
  EXPECT_EQ(vocabulary.add_bos, false);
  expect_same_tokens(folder.path(), vocabulary);
}

TEST(GgufVocabularyOf, TakesTheNearestCutsWhereDifferencesAreCollected) {
  const fs::path demo = std::string(kSourceFolder) + "/assets/demo";
  std::vector<std::string> differences;
  const GgufVocabulary vocabulary = gguf_vocabulary_of(demo, 4096, &differences);
  // The name has none, and the lists are then told by a text with long numbers.
  ASSERT_EQ(differences.size(), 2u);
  EXPECT_NE(differences[0].find(R"(\p{N}{1,3})"), std::string::npos) << differences[0];
  EXPECT_EQ(differences[0].find("write a model folder"), std::string::npos);
  EXPECT_EQ(vocabulary.bos, 4093);
  const auto expected = Tokenizer::open(demo), written = tokenizer_from_gguf(vocabulary);
  for (const std::string text : {"Once upon a time, it's true.", "\n\n  def f(x):"})
    EXPECT_EQ(written->encode(text), expected->encode(text)) << text;
}

TEST(GgufVocabularyOf, CollectsNothingWhereNothingDiffers) {
  const Folder folder(golden("byte_level", "qwen"));
  std::vector<std::string> differences;
  gguf_vocabulary_of(folder.path(), folder.size(), &differences);
  EXPECT_TRUE(differences.empty()) << differences.front();
}

TEST(GgufVocabularyOf, StaysStrictAboutTheModel) {
  std::vector<std::string> differences;
  Json tokenizer = golden("byte_level", "gpt2");
  tokenizer["model"]["type"] = "Unigram";
  const Folder folder(tokenizer);
  EXPECT_EQ(error_kind([&] { gguf_vocabulary_of(folder.path(), 100, &differences); }),
            ErrorKind::kUnsupported);
}

TEST(GgufVocabularyOf, NeverFailsOtherThanWithAnErrorOnAnyGoldenTokenizer) {
  for (const test::GoldenTokenizer& tokenizer : test::golden_tokenizers()) {
    const Folder folder(Json::parse(tokenizer.tokenizer_json));
    GgufVocabulary vocabulary;
    const auto kind = error_kind([&] { vocabulary = folder.vocabulary(); });
    if (kind)
      EXPECT_EQ(kind, ErrorKind::kUnsupported) << tokenizer.name;
    else
      expect_same_tokens(folder.path(), vocabulary);
  }
}

TEST(PutGgufVocabulary, WritesWhatTheReaderReads) {
  GgufVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.pre = "default";
  vocabulary.chat_template = "{{ messages }}\n";
  vocabulary.tokens = {"<unk>", "▁a", ""};
  vocabulary.merges = {"a b", "ab c"};
  vocabulary.scores = {0, -1.5f, -1e30f};
  vocabulary.token_types = {kUnknown, kNormal, kUnused};
  vocabulary.bos = 0;
  vocabulary.eos = 1;
  vocabulary.unk = 2;
  vocabulary.eot = 1;
  vocabulary.pad = 0;
  vocabulary.add_bos = true;
  vocabulary.add_eos = false;
  vocabulary.add_space_prefix = false;
  GgufVocabulary least;
  least.model = "gpt2";
  least.tokens = {"a"};
  for (const GgufVocabulary& wanted : {vocabulary, least}) {
    GgufPairs pairs;
    put_gguf_vocabulary(wanted, pairs);
    ByteReader reader(std::as_bytes(std::span(pairs.bytes())));
    const GgufVocabulary read = read_gguf_vocabulary(GgufMetadata::read(reader, pairs.count()));
    EXPECT_EQ(read.model, wanted.model);
    EXPECT_EQ(read.pre, wanted.pre);
    EXPECT_EQ(read.chat_template, wanted.chat_template);
    EXPECT_EQ(read.tokens, wanted.tokens);
    EXPECT_EQ(read.merges, wanted.merges);
    EXPECT_EQ(read.scores, wanted.scores);
    EXPECT_EQ(read.token_types, wanted.token_types);
    EXPECT_EQ(read.bos, wanted.bos);
    EXPECT_EQ(read.eos, wanted.eos);
    EXPECT_EQ(read.unk, wanted.unk);
    EXPECT_EQ(read.eot, wanted.eot);
    EXPECT_EQ(read.pad, wanted.pad);
    EXPECT_EQ(read.add_bos, wanted.add_bos);
    EXPECT_EQ(read.add_eos, wanted.add_eos);
    EXPECT_EQ(read.add_space_prefix, wanted.add_space_prefix);
  }
}

}  // namespace
}  // namespace nibble
