#include "train/samples.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "model/open_tokenizer.h"
#include "session/demo_copy.h"
#include "support/error_text.h"

namespace nibble {
namespace {

// Turns end with a token of the demo's tokenizer.
constexpr const char* kTemplate =
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}<|endoftext|>\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}";

class Samples : public testing::Test {
 protected:
  Samples() : source_(folder_.path()), tokenizer_(open_tokenizer(folder_.path())) {}

  SampleFile read(const std::string& text, std::size_t length = 64) {
    write_file(folder_ / "data", text);
    return read_samples(folder_ / "data", source_, *tokenizer_, length);
  }
  // The tokens that are learnt, as a text.
  std::string learnt(const Sample& sample) const {
    std::vector<std::int32_t> ids;
    for (std::size_t i = 0; i < sample.ids.size(); ++i)
      if (sample.learnt[i] != 0) ids.push_back(sample.ids[i]);
    return tokenizer_->decode(ids, false);
  }
  std::string all(const Sample& sample) const { return tokenizer_->decode(sample.ids, false); }

  test::DemoCopy folder_;
  ModelSource source_;
  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_F(Samples, OfACompletionLearnItAndTheEnd) {
  const SampleFile file = read("{\"prompt\": \"Two and two is\", \"completion\": \" four.\"}\n");
  ASSERT_EQ(file.samples.size(), 1u);
  const Sample& sample = file.samples[0];
  EXPECT_EQ(sample.learnt.size(), sample.ids.size());
  ASSERT_TRUE(tokenizer_->eos().has_value());
  EXPECT_EQ(sample.ids.back(), *tokenizer_->eos());
  EXPECT_EQ(sample.learnt.back(), 1);
  EXPECT_NE(learnt(sample).find("four."), std::string::npos);
  EXPECT_EQ(learnt(sample).find("Two"), std::string::npos);
}

TEST_F(Samples, OfATextLearnAllButTheFirstToken) {
  const SampleFile file = read("{\"text\": \"Once upon a time.\"}\n");
  ASSERT_EQ(file.samples.size(), 1u);
  EXPECT_EQ(file.samples[0].trained_tokens(), file.samples[0].ids.size() - 1);
  EXPECT_EQ(file.samples[0].learnt.front(), 0);
}

TEST_F(Samples, OfProseAreWindowsOneBehindTheOther) {
  std::string prose;
  for (int i = 0; i < 60; ++i) prose += "The ship sailed on. ";
  const SampleFile file = read(prose, 32);
  ASSERT_GT(file.samples.size(), 3u);
  std::vector<std::int32_t> ids;
  for (const Sample& sample : file.samples) {
    EXPECT_LE(sample.ids.size(), 32u);
    ids.insert(ids.end(), sample.ids.begin(), sample.ids.end());
  }
  EXPECT_EQ(ids, tokenizer_->encode(prose));
}

TEST_F(Samples, OfAConversationLearnWhatTheAssistantSays) {
  write_file(folder_ / "chat_template.jinja", kTemplate);
  const SampleFile file = read(
      "{\"messages\": [{\"role\": \"user\", \"content\": \"Who?\"}, {\"role\": \"assistant\", "
      "\"content\": \"Me.\"}, {\"role\": \"user\", \"content\": \"Why?\"}, {\"role\": "
      "\"assistant\", \"content\": \"So.\"}]}\n");
  ASSERT_EQ(file.samples.size(), 1u);
  const std::string answers = learnt(file.samples[0]);
  for (const char* said : {"Me.", "So."})
    EXPECT_NE(answers.find(said), std::string::npos) << answers;
  for (const char* other : {"Who", "Why", "user", "assistant"})
    EXPECT_EQ(answers.find(other), std::string::npos) << answers;
  EXPECT_NE(all(file.samples[0]).find("Why?"), std::string::npos);
}

TEST_F(Samples, NameTheLinesThatCannotBeUsed) {
  const SampleFile file =
      read("{\"text\": \"Good and long enough.\"}\n{\"body\": 1}\n{\"text\": 3}\n");
  ASSERT_EQ(file.notes.size(), 1u);
  EXPECT_NE(file.notes[0].find("2 of 3 rows"), std::string::npos) << file.notes[0];
  EXPECT_NE(file.notes[0].find("line 2"), std::string::npos) << file.notes[0];
  EXPECT_NE(test::error_text([&] { read("{\"body\": 1}\n"); }).find("line 1"), std::string::npos);
}

TEST_F(Samples, CutOffWhatIsTooLongAndSaySo) {
  std::string answer;
  for (int i = 0; i < 100; ++i) answer += " word";
  const SampleFile file = read(
      "{\"prompt\": \"Say\", \"completion\": \"" + answer + "\"}\n{\"text\": \"Short one.\"}\n",
      16);
  ASSERT_EQ(file.samples.size(), 2u);
  EXPECT_EQ(file.samples[0].ids.size(), 16u);
  EXPECT_NE(file.notes.at(0).find("cut off"), std::string::npos);
}

TEST_F(Samples, HashesWhatIsLearnt) {
  const std::string row = "{\"prompt\": \"A b c\", \"completion\": \" d e\"}\n";
  const std::string hash = read(row).hash;
  EXPECT_EQ(read(row).hash, hash);
  EXPECT_NE(read("{\"text\": \"A b c d e\"}\n").hash, hash);
}

}  // namespace
}  // namespace nibble
