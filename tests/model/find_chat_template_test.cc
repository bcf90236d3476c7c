#include "model/find_chat_template.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "nibble/error.h"
#include "support/error_text.h"
#include "support/gguf_file.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::error_kind;
using test::error_text;
using test::TempDir;

std::string rendered(const fs::path& model) {
  const FoundChatTemplate found = find_chat_template(model);
  Conversation conversation;
  conversation.messages = Json::parse(R"([{"role": "user", "content": "Hi"}])");
  conversation.special_tokens = found.special_tokens;
  return found.chat.render(conversation);
}

void write_gguf(const fs::path& file, const std::string& chat_template) {
  test::GgufFile gguf = test::sample_gguf();
  gguf.u32("tokenizer.ggml.eos_token_id", 3);
  if (!chat_template.empty()) gguf.text("tokenizer.chat_template", chat_template);
  write_file(file, gguf.bytes());
}

TEST(FindChatTemplate, TakesTheTextInTokenizerConfig) {
  const TempDir dir;
  write_file(dir / "tokenizer_config.json",
             R"({"bos_token": "<s>", "eos_token": {"content": "</s>"},
                 "chat_template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"})");
  EXPECT_EQ(rendered(dir.path()), "<s>Hi</s>");
}

TEST(FindChatTemplate, TakesTheDefaultOfAList) {
  const TempDir dir;
  write_file(dir / "tokenizer_config.json", R"({"chat_template": [
      {"name": "tools", "template": "tools"}, {"name": "default", "template": "default"}]})");
  EXPECT_EQ(rendered(dir.path()), "default");
}

TEST(FindChatTemplate, NamesTheTemplatesWhenNoneIsTheDefault) {
  const TempDir dir;
  write_file(dir / "tokenizer_config.json",
             R"({"chat_template": [{"name": "rag", "template": "x"}]})");
  EXPECT_NE(error_text([&] { find_chat_template(dir.path()); }).find("rag"), std::string::npos);
}

TEST(FindChatTemplate, PrefersTheFileOfItsOwn) {
  const TempDir dir;
  write_file(dir / "tokenizer_config.json", R"({"bos_token": "<s>", "chat_template": "config"})");
  write_file(dir / "chat_template.jinja", "{{ bos_token }}file");
  EXPECT_EQ(rendered(dir.path()), "<s>file");
}

TEST(FindChatTemplate, FindsNamesOfTokensInTheSpecialTokensMap) {
  const TempDir dir;
  write_file(dir / "special_tokens_map.json", R"({"bos_token": "<s>", "eos_token": "</s>"})");
  write_file(dir / "chat_template.jinja", "{{ bos_token }}{{ eos_token }}");
  EXPECT_EQ(rendered(dir.path()), "<s></s>");
}

TEST(FindChatTemplate, GivesTheTemplateEverySpecialToken) {
  const TempDir dir;
  write_file(dir / "tokenizer_config.json",
             R"({"unk_token": "<unk>", "pad_token": "<pad>", "bos_token": null,
                 "extra_special_tokens": {"image_token": "<image>"}})");
  write_file(dir / "chat_template.jinja",
             "{{ unk_token }}{{ pad_token }}{{ image_token }}{{ bos_token is defined }}");
  EXPECT_EQ(rendered(dir.path()), "<unk><pad><image>False");
}

TEST(FindChatTemplate, ReadsGgufFiles) {
  const TempDir dir;
  write_gguf(dir / "model.gguf", "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}");
  EXPECT_EQ(rendered(dir.path()), "<s>Hiab");
  // The file's own comes first when it is named, the folder's when the folder is.
  write_file(dir / "chat_template.jinja", "folder");
  EXPECT_EQ(rendered(dir / "model.gguf"), "<s>Hiab");
  EXPECT_EQ(rendered(dir.path()), "folder");
}

TEST(FindChatTemplate, LooksBesideAGgufFileThatHasNone) {
  const TempDir dir;
  write_gguf(dir / "model.gguf", "");
  EXPECT_EQ(error_kind([&] { find_chat_template(dir / "model.gguf"); }), ErrorKind::kNotFound);
  write_file(dir / "chat_template.jinja", "folder");
  EXPECT_EQ(rendered(dir / "model.gguf"), "folder");
}

TEST(FindChatTemplate, SaysWhatToDoWhenThereIsNone) {
  const TempDir dir;
  write_file(dir / "tokenizer_config.json", R"({"bos_token": "<s>"})");
  EXPECT_EQ(error_kind([&] { find_chat_template(dir.path()); }), ErrorKind::kNotFound);
  EXPECT_NE(error_text([&] { find_chat_template(dir.path()); }).find("fix: "), std::string::npos);
}

TEST(FindChatTemplate, SaysWhereABrokenTemplateStands) {
  const TempDir dir;
  write_file(dir / "chat_template.jinja", "{% if x %}");
  EXPECT_EQ(error_kind([&] { find_chat_template(dir.path()); }), ErrorKind::kCorruptFile);
  EXPECT_NE(error_text([&] { find_chat_template(dir.path()); }).find("chat_template.jinja"),
            std::string::npos);
  write_file(dir / "chat_template.jinja", "x");
  write_file(dir / "tokenizer_config.json", "[1]");
  EXPECT_EQ(error_kind([&] { find_chat_template(dir.path()); }), ErrorKind::kCorruptFile);
}

}  // namespace
}  // namespace nibble
