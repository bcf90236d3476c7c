// Templates of one expression or statement, grouped as the sources of src/chat are, each byte for
// byte as transformers renders it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "chat/chat_template.h"
#include "nibble/error.h"
#include "support/paths.h"

namespace nibble {
namespace {

const Json& golden() {
  static const Json read =
      read_json(std::string(kSourceFolder) + "/tests/golden/chat/expressions.json");
  return read;
}

void expect_reference(const char* group) {
  for (const Json& row : golden()["groups"][group]) {
    const std::string text = row[0];
    Conversation conversation;
    conversation.messages = Json::array();
    conversation.extra = golden()["given"];
    const auto render = [&] { return ChatTemplate::parse(text).render(conversation); };
    if (row[1].is_null()) {
      EXPECT_THROW(render(), Error) << text;
      continue;
    }
    try {
      EXPECT_EQ(render(), row[1].get<std::string>()) << text;
    } catch (const Error& error) {
      ADD_FAILURE() << text << ": " << error.what();
    }
  }
}

TEST(Expressions, OperatorsGiveWhatPythonGives) { expect_reference("operators"); }
TEST(Expressions, ItemsAndSlicesGiveWhatPythonGives) { expect_reference("items"); }
TEST(Expressions, TextFiltersGiveWhatJinjaGives) { expect_reference("text filters"); }
TEST(Expressions, SequenceFiltersGiveWhatJinjaGives) { expect_reference("sequence filters"); }
TEST(Expressions, TestsAnswerAsJinjaDoes) { expect_reference("tests"); }
TEST(Expressions, MethodsGiveWhatPythonGives) { expect_reference("methods"); }
TEST(Expressions, FunctionsGiveWhatJinjaGives) { expect_reference("functions"); }
TEST(Expressions, StatementsDoWhatJinjaDoes) { expect_reference("statements"); }

TEST(Expressions, WhatIsNotReadIsRefused) { expect_reference("not read"); }

}  // namespace
}  // namespace nibble
