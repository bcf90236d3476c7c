#include "session/chat_session.h"

#include <gtest/gtest.h>

#include "nibble/error.h"
#include "session/demo_copy.h"
#include "support/error_text.h"

namespace nibble {
namespace {

constexpr std::string_view kPlain = "{% for m in messages %}{{ m.content }}{% endfor %}";

class Chat : public testing::Test {
 protected:
  ChatSession session(std::string_view text = kPlain, ChatSession::Clock clock = local_time) {
    GenerateOptions options;
    options.max_tokens = 4;
    options.sampler.temperature = 0;
    return {model, use_chat_template(text, "a test", folder.path()), options, StopStrings({}),
            clock};
  }
  test::DemoCopy folder;
  RunningModel model{folder.path()};
};

TEST_F(Chat, AnswersWhatTheTemplateMakesOfTheQuestion) {
  EXPECT_EQ(session().ask("Once upon a time").written.text, ", and the next");
}

TEST_F(Chat, ComputesOnlyWhatATurnAdds) {
  ChatSession chat = session();
  EXPECT_EQ(chat.ask("Once upon a time").reused_tokens, 0u);
  const ChatAnswer second = chat.ask(" and then");
  EXPECT_EQ(second.reused_tokens, 8u);
  EXPECT_EQ(second.written.prompt_tokens, 3u);
}

TEST_F(Chat, AnswersANewConversationAsItAnsweredTheFirst) {
  ChatSession chat = session();
  const std::string first = chat.ask("Once upon a time").written.text;
  chat.ask(" and then");
  chat.clear();
  EXPECT_EQ(chat.ask("Once upon a time").written.text, first);
}

TEST_F(Chat, KeepsTheSystemMessageInANewConversation) {
  ChatSession chat = session();
  chat.set_system("Once upon");
  EXPECT_EQ(chat.ask(" a time").written.text, ", and the next");
  chat.clear();
  EXPECT_EQ(chat.ask(" a time").written.text, ", and the next");
}

TEST_F(Chat, AsksItsClockForTheTimeInAPrompt) {
  const auto of_1970 = [] { return std::int64_t{0}; };
  const auto dated = "{{ strftime_now('%Y') }}{{ messages[-1].content }}";
  const auto plain = "1970{{ messages[-1].content }}";
  EXPECT_EQ(session(dated, of_1970).ask(" and then").written.text,
            session(plain).ask(" and then").written.text);
}

TEST_F(Chat, ForgetsAQuestionThatCouldNotBeAnswered) {
  ChatSession chat = session();
  std::string long_question;
  for (int i = 0; i < 600; ++i) long_question += " word";
  EXPECT_EQ(test::error_kind([&] { chat.ask(long_question); }), ErrorKind::kInvalidArgument);
  EXPECT_EQ(chat.ask("Once upon a time").written.text, ", and the next");
}

TEST_F(Chat, RemembersWhatCameOfAnInterruptedAnswer) {
  ChatSession chat = session(), whole = session();
  const auto interrupt = [](std::string_view piece) {
    if (piece.find("and") != piece.npos) throw Error(ErrorKind::kInterrupted, "stopped");
  };
  EXPECT_EQ(test::error_kind([&] { chat.ask("Once upon a time", interrupt); }),
            ErrorKind::kInterrupted);
  // The conversation goes on as if the model had said ", and" and nothing more.
  whole.set_system("Once upon a time, and");
  EXPECT_EQ(chat.ask(" the next").written.text, whole.ask(" the next").written.text);
}

}  // namespace
}  // namespace nibble
