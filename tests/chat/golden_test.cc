// Templates in the manner of many families of models, byte for byte as transformers renders them.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "chat/chat_template.h"
#include "nibble/error.h"
#include "support/paths.h"

namespace nibble {
namespace {

const fs::path kGolden = std::string(kSourceFolder) + "/tests/golden/chat";
constexpr std::uint64_t kMaxBytes = 1 << 20;

std::vector<std::string> template_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kGolden))
    if (entry.path().extension() == ".jinja") names.push_back(entry.path().stem());
  std::sort(names.begin(), names.end());
  return names;
}

Conversation conversation_of(Json json, std::int64_t now) {
  Conversation conversation;
  conversation.now = now;
  conversation.messages = json["messages"];
  conversation.tools = json.value("tools", Json());
  conversation.add_generation_prompt = json.value("add_generation_prompt", true);
  for (const char* known : {"name", "messages", "tools", "add_generation_prompt"})
    json.erase(known);
  conversation.extra = std::move(json);
  return conversation;
}

class GoldenTemplate : public testing::TestWithParam<std::string> {};

TEST_P(GoldenTemplate, RendersAsTheReference) {
  const auto chat = ChatTemplate::parse(read_file(kGolden / (GetParam() + ".jinja"), kMaxBytes));
  const Json conversations = read_json(kGolden / "conversations.json");
  const Json golden = read_json(kGolden / (GetParam() + ".json"));
  for (const Json& json : conversations["cases"]) {
    const auto conversation = conversation_of(json, conversations["now"]);
    const Json& prompt = golden["prompts"][json["name"].get<std::string>()];
    if (prompt.is_null())
      EXPECT_THROW(chat.render(conversation), Error) << json["name"];
    else
      EXPECT_EQ(chat.render(conversation), prompt.get<std::string>()) << json["name"];
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenTemplate, testing::ValuesIn(template_names()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace nibble
