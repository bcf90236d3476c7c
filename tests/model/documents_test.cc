#include "model/documents.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "base/text.h"
#include "nibble/error.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_text;
using test::TempDir;

// A model that writes "<user>…</s>" for each message, and refuses tools' answers.
class DocumentsOfRows : public testing::Test {
 protected:
  DocumentsOfRows() {
    write_file(dir_ / "tokenizer_config.json", R"({"eos_token": "</s>"})");
    write_file(dir_ / "chat_template.jinja",
               "{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no tools') }}"
               "{% endif %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}");
  }
  std::string text(std::string_view rows) { return read_documents(rows, dir_.path()).text; }

  TempDir dir_;
};

TEST_F(DocumentsOfRows, HaveABlankLineBetweenThem) {
  EXPECT_EQ(text(R"({"text": "One"} {"text": ""} {"text": "Two"})"), "One\n\n\n\nTwo");
  EXPECT_EQ(text(R"(["One", "Two"])"), "One\n\nTwo");
}

TEST_F(DocumentsOfRows, WriteConversationsAsTheModelDoes) {
  const std::string expected = "<user>Who?</s><assistant>I.</s>";
  const std::string ask = R"({"role": "user", "content": "Who?"})";
  const std::string answer = R"({"role": "assistant", "content": "I."})";
  const std::vector<std::string> rows = {
      cat("{\"messages\": [", ask, ", ", answer, "]}"),
      cat("{\"conversation\": [", ask, ", ", answer, "]}"),
      cat("{\"prompt\": [", ask, "], \"completion\": [", answer, "]}"),
      R"({"conversations": [{"from": "human", "value": "Who?"}, {"from": "gpt", "value": "I."}]})",
      R"({"instruction": "Who?", "input": "", "output": "I."})",
      R"({"question": "Who?", "answer": "I."})",
  };
  for (const std::string& row : rows) EXPECT_EQ(text(row), expected) << row;
  EXPECT_EQ(text(R"({"instruction": "Add.", "input": "1 1", "output": "2"})"),
            "<user>Add.\n\n1 1</s><assistant>2</s>");
}

TEST_F(DocumentsOfRows, JoinTheTextsOfConversationsWhenThereIsNoTemplate) {
  const TempDir bare;
  const Documents documents = read_documents(
      R"({"messages": [{"role":"user","content":"Who?"},
          {"role":"assistant","content":[{"type":"text","text":"I."}]}]})",
      bare.path());
  EXPECT_EQ(documents.text, "Who?\n\nI.");
  ASSERT_EQ(documents.notes.size(), 1u);
  EXPECT_NE(documents.notes[0].find("joined as plain text"), std::string::npos);
}

TEST_F(DocumentsOfRows, PutPromptAndCompletionTogether) {
  EXPECT_EQ(text(R"({"prompt": "Who", "completion": " came?"})"), "Who came?");
  EXPECT_EQ(text(R"({"prompt": "Who came?", "score": 3})"), "Who came?");
}

TEST_F(DocumentsOfRows, CountAndNameTheRowsWithoutAText) {
  const Documents documents = read_documents(
      "{\"text\": \"One\"}\n{\"id\": 1, \"url\": \"x\"}\n{\"text\": null}\n"
      "{\"messages\": [{\"role\": \"tool\", \"content\": \"5\"}]}\n{\"prompt\": \"a\", \"chosen\": "
      "\"b\"}\n"
      "{\"text\": \"Two\"}",
      dir_.path());
  EXPECT_EQ(documents.text, "One\n\nTwo");
  ASSERT_EQ(documents.notes.size(), 1u);
  const std::string& note = documents.notes[0];
  for (const char* part :
       {"4 of 6 rows", "line 2: a row with the keys \"id\", \"url\"", "line 3: \"text\"",
        "line 4: the chat template refuses the row", "no tools", "; …"})
    EXPECT_NE(note.find(part), std::string::npos) << part << " in " << note;
}

TEST_F(DocumentsOfRows, AreRefusedWithTheLineWhenNoneHasAText) {
  const auto refusal = [&](std::string_view rows) { return error_text([&] { text(rows); }); };
  EXPECT_NE(refusal("\n{\"content\": \"x\"}").find("line 2: a row with the keys \"content\""),
            std::string::npos);
  EXPECT_NE(refusal("[1, 2, 3]").find("a row of type number"), std::string::npos);
  EXPECT_NE(refusal("[]").find("holds no rows"), std::string::npos);
  EXPECT_NE(refusal("{\"question\": \"x\", \"choices\": []}").find("\"choices\""),
            std::string::npos);
  EXPECT_NE(
      refusal("{\"conversations\": [{\"from\": \"moon\", \"value\": \"x\"}]}").find("\"moon\""),
      std::string::npos);
}

TEST_F(DocumentsOfRows, MayBeATable) {
  const std::string_view table = "id,prompt,completion\n1,\"Say, \",yes\n2,No,\n";
  EXPECT_TRUE(holds_documents(table));
  EXPECT_FALSE(holds_documents("Yes, a prompt,\nand prose\n"));
  const Documents documents = read_documents(table, dir_.path());
  EXPECT_EQ(documents.text, "Say, yes");
  ASSERT_EQ(documents.notes.size(), 1u);
  EXPECT_NE(documents.notes[0].find("1 of 2 rows"), std::string::npos) << documents.notes[0];
}

TEST_F(DocumentsOfRows, AreReadUntilThereIsEnough) {
  EXPECT_EQ(read_documents("{\"text\": \"long enough\"}\n{broken", dir_.path(), 5).text,
            "long enough");
}

}  // namespace
}  // namespace nibble
