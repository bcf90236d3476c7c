#include "model/data_row.h"

#include <gtest/gtest.h>

#include "support/error_text.h"

namespace nibble {
namespace {

TEST(DataRow, TellsWhatIsGivenFromWhatAnswersIt) {
  const DataRow text = read_data_row(Json{{"text", "All of it."}});
  EXPECT_EQ(text.text, "All of it.");
  EXPECT_TRUE(text.prompt.empty());
  EXPECT_TRUE(text.messages.is_null());

  const DataRow completed = read_data_row(Json{{"prompt", "2 + 2 ="}, {"completion", " 4"}});
  EXPECT_EQ(completed.prompt, "2 + 2 =");
  EXPECT_EQ(completed.text, " 4");
  EXPECT_EQ(joined_text(completed), "2 + 2 = 4");

  const DataRow asked = read_data_row(Json{{"question", "Why?"}, {"answer", "So."}});
  ASSERT_EQ(asked.messages.size(), 2u);
  EXPECT_EQ(asked.messages[0]["role"], "user");
  EXPECT_EQ(asked.messages[1]["content"], "So.");
  EXPECT_EQ(joined_text(asked), "Why?\n\nSo.");

  const DataRow shared = read_data_row(
      Json{{"conversations",
            {{{"from", "human"}, {"value", "Hi"}}, {{"from", "gpt"}, {"value", "Hello"}}}},
           {"tools", Json::array({"clock"})}});
  EXPECT_EQ(shared.messages[1]["role"], "assistant");
  EXPECT_EQ(shared.tools.size(), 1u);
}

TEST(DataRow, SaysWhyARowIsNone) {
  const auto why = [](const Json& row) { return test::error_text([&] { read_data_row(row); }); };
  EXPECT_NE(why(Json(7)).find("a row of type number"), std::string::npos);
  EXPECT_NE(why(Json{{"body", "x"}}).find("\"body\""), std::string::npos);
  EXPECT_NE(why(Json{{"text", 3}}).find("no text"), std::string::npos);
  EXPECT_NE(why(Json{{"messages", "x"}}).find("no list of messages"), std::string::npos);
}

}  // namespace
}  // namespace nibble
