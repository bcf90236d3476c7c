#include "chat/chat_template.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/random.h"
#include "nibble/error.h"
#include "support/error_text.h"

namespace nibble {
namespace {

Conversation sample() {
  Conversation conversation;
  conversation.messages = Json::parse(
      R"([{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Größe 😀"}])");
  conversation.special_tokens = {{"bos_token", "<s>"}};
  return conversation;
}

std::string render(std::string_view text) { return ChatTemplate::parse(text).render(sample()); }

std::optional<ErrorKind> refusal(const std::string& text) {
  return test::error_kind([&] { render(text); });
}

TEST(ChatTemplate, WritesTheConversation) {
  EXPECT_EQ(render("{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m['content'] }}\n"
                   "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"),
            "<s>[system] Be kind.\n[user] Größe 😀\n[assistant]");
}

TEST(ChatTemplate, DropsBlanksAndLineEndsAroundStatements) {
  EXPECT_EQ(render("a\n  {% if true %}\n b \n  {%- endif +%}\nc\n"), "a\n b\nc");
  EXPECT_EQ(render("x {{- 1 -}} \n y {# note #}\nz"), "x1y z");
}

TEST(ChatTemplate, KeepsWhatALoopSetsInsideUnlessItIsANamespace) {
  EXPECT_EQ(render("{% set n = 0 %}{% set ns = namespace(n=0) %}{% for i in range(3) %}"
                   "{% set n = i %}{% set ns.n = ns.n + i %}{% endfor %}{{ n }} {{ ns.n }}"),
            "0 3");
}

TEST(ChatTemplate, CountsCharactersNotBytes) {
  EXPECT_EQ(render("{{ messages[1].content|length }} {{ messages[1].content[-1:] }}"
                   "{{ messages[1].content[::-1][2:4] }}"),
            "7 😀eß");
}

// Longer than a string keeps inside itself: its characters lie in memory that was given back once.
TEST(ChatTemplate, BeginsWordsWithCapitalLettersInLongTexts) {
  EXPECT_EQ(render("{{ 'it is a rather long (text) of many words'|title }}"),
            "It Is A Rather Long (Text) Of Many Words");
}

// Expected texts: transformers 5.24 with MarkupSafe 3.0.
TEST(ChatTemplate, EscapesWhatIsJoinedWithASafeText) {
  EXPECT_EQ(render("{{ '<a>'|safe + '<b>' + \"'\" }}"), "<a>&lt;b&gt;&#39;");
  EXPECT_EQ(render("{{ '<b>' + '<a>'|safe }}"), "&lt;b&gt;<a>");
  EXPECT_EQ(render("{{ '<a>'|safe ~ '<b>' }}{{ '<b>' + '<c>' }}"), "<a><b><b><c>");
  EXPECT_EQ(render("{{ '<b>'|e + '&' }} {{ '<b>'|e|e }} {{ '<b>'|e|forceescape }}"),
            "&lt;b&gt;&amp; &lt;b&gt; &amp;lt;b&amp;gt;");
  EXPECT_EQ(render("{{ '<a> %s'|safe % '<b>' }}"), "<a> &lt;b&gt;");
  EXPECT_EQ(render("{{ ('<a> {}'|safe).format('<b>') }}"), "<a> &lt;b&gt;");
}

TEST(ChatTemplate, KeepsASafeTextSafeThroughMethodsAndFilters) {
  EXPECT_EQ(render("{{ (' <a> '|safe).strip() + '<' }}{{ ' <a> '|safe|trim + '<' }}"),
            "<a>&lt;<a>&lt;");
  EXPECT_EQ(render("{{ ('a-b'|safe).replace('-', '<') }}{{ ('<'|safe).join(['<', 'b']) }}"),
            "a&lt;b&lt;<b");
  EXPECT_EQ(render("{{ ('a b'|safe).split()[1] + '<' }}{{ ('ab'|safe)[0] + '<' }}"), "b&lt;a&lt;");
  EXPECT_EQ(render("{{ '<a>'|safe|upper + '<' }}{{ '<a>'|safe|title + '<' }}"), "<A>&lt;<A><");
  EXPECT_EQ(render("{{ ['<a>'|safe] }}{{ '<a>'|safe|tojson + '<' }}"), "[Markup('<a>')]\"<a>\"<");
}

TEST(ChatTemplate, KnowsOnlyTheSpecialTokensThatThereAre) {
  EXPECT_EQ(render("{{ bos_token is defined }} {{ pad_token is defined }} [{{ pad_token }}]"),
            "True False []");
  Conversation conversation = sample();
  conversation.special_tokens["image_token"] = "<image>";
  conversation.extra = {{"bos_token", "<own>"}, {"messages", "never"}};
  EXPECT_EQ(ChatTemplate::parse("{{ bos_token }}{{ image_token }}{{ messages|length }}")
                .render(conversation),
            "<own><image>2");
}

TEST(ChatTemplate, DoesNotSeeKeysOfAMessageThatAreNull) {
  Conversation conversation;
  conversation.messages =
      Json::parse(R"([{"role": "assistant", "content": null, "tool_calls": [{"id": null}]}])");
  EXPECT_EQ(ChatTemplate::parse("{% set m = messages[0] %}{{ m.content is defined }} "
                                "{{ m.tool_calls[0].id is none }}")
                .render(conversation),
            "False True");
}

TEST(ChatTemplate, FindsWhatTheModelThoughtUnderAnyName) {
  for (const char* name : {"reasoning", "thinking", "reasoning_content"}) {
    Conversation conversation;
    conversation.messages = {{{"role", "assistant"}, {"content", "Yes."}, {name, "Hm."}}};
    EXPECT_EQ(ChatTemplate::parse("{{ messages[0].thinking }}{{ messages[0].reasoning_content }}")
                  .render(conversation),
              "Hm.Hm.");
  }
}

TEST(ChatTemplate, RefusesMessagesThatAreNoObjects) {
  Conversation conversation;
  conversation.messages = Json::parse("[\"Hi\"]");
  EXPECT_EQ(test::error_kind([&] { ChatTemplate::parse("x").render(conversation); }),
            ErrorKind::kInvalidArgument);
}

TEST(ChatTemplate, CountsWordsAsRunsOfLettersAndNumbers) {
  EXPECT_EQ(render("{{ \"what's a_b, ½ größe - 日本\"|wordcount }}"), "6");
}

TEST(ChatTemplate, SaysWhichLineAndWhatWasExpected) {
  EXPECT_NE(test::error_text([] { render("a\n{% if x %}\nb"); }).find("endif"), std::string::npos);
  EXPECT_NE(test::error_text([] { render("a\n{{ 1 + }}"); }).find("line 2: expected a value"),
            std::string::npos);
  EXPECT_NE(test::error_text([] { render("{{ raise_exception('no tools') }}"); }).find("no tools"),
            std::string::npos);
}

TEST(ChatTemplate, RefusesWhatIsWrittenWrongly) {
  for (const char* text : {"{{",
                           "{%",
                           "{#",
                           "{{ 'a",
                           "{{ (1 }}",
                           "{{ 1) }}",
                           "{% if %}",
                           "{% for %}",
                           "{% endif %}",
                           "{% break %}",
                           "{% raw %}",
                           "{% set %}",
                           "{{ nothing.x }}",
                           "{{ 1 / 0 }}",
                           "{{ 'a' + 1 }}",
                           "{{ messages.append(1) }}",
                           "{{ messages[0].update({}) }}",
                           "{% for a, b in [1] %}{% endfor %}",
                           "{{ 9223372036854775807 + 1 }}",
                           "{{ -9223372036854775807 - 2 }}",
                           "{{ (-9223372036854775807 - 1) // -1 }}",
                           "\xFF"})
    EXPECT_EQ(refusal(text), ErrorKind::kCorruptFile) << text;
  for (const char* text : {"{% include 'x' %}", "{{ 1|nofilter }}", "{{ 1 is notest }}"})
    EXPECT_EQ(refusal(text), ErrorKind::kUnsupported) << text;
}

std::string many(const std::string& text, std::size_t count) {
  std::string result;
  for (std::size_t i = 0; i < count; ++i) result += text;
  return result;
}

// Small text, large work: each ends soon with an error, not with a full stack or memory.
TEST(ChatTemplate, BoundsTheWorkOfHostileTemplates) {
  const std::vector<std::string> hostile = {
      "{{ " + many("(", 60'000) + "1" + many(")", 60'000) + " }}",
      "{{ " + many("[", 60'000) + many("]", 60'000) + " }}",
      "{{ " + many("not ", 60'000) + "1 }}",
      "{{ " + many("-", 60'000) + "1 }}",
      "{{ 1" + many("+1", 60'000) + " }}",
      "{{ x" + many(".a", 60'000) + " }}",
      "{{ 1" + many("|abs", 60'000) + " }}",
      "{{ 1" + many(" if 1 else 1", 60'000) + " }}",
      many("{% if 1 %}", 20'000) + many("{% endif %}", 20'000),
      many("{% for i in [1] %}", 20'000) + many("{% endfor %}", 20'000),
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{% macro m(x) %}{{ caller() }}{% call m(1) %}{{ m(2) }}{% endcall %}{% endmacro %}{{ m(1) "
      "}}",
      "{% for i in range(1000000000) %}{% endfor %}",
      "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
      "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}"
      "{% endfor %}",
      "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}"
      "{% endfor %}{{ ns.x|tojson }}",
      "{% set ns = namespace(x=[1]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor "
      "%}",
      "{% set ns = namespace(x=1) %}{% for i in range(9999) %}{% for j in [ns.x] %}"
      "{% set ns.x = loop %}{% endfor %}{% endfor %}",
      "{{ 'a' * 1000000000 }}",
      "{{ [1] * 1000000000 }}",
      "{{ '%999999999d' % 1 }}",
      "{{ '{:999999999}'.format(1) }}",
      "{% set a = 'a' * 1000000 %}{{ a.replace('a', a) }}",
      "{% set a = 'a' * 1000000 %}{{ a.replace('', a) }}",
      "{% set a = 'a' * 1000000 %}{{ (range(9999)|list)|join(a) }}",
      "{% set a = 'a' * 1000000 %}{% for i in range(99) %}{{ a }}{% endfor %}",
      std::string(2 << 20, 'a'),
  };
  for (const std::string& text : hostile)
    EXPECT_NO_FATAL_FAILURE(EXPECT_THROW(render(text), Error)) << text.substr(0, 100);
}

TEST(ChatTemplate, SurvivesMutations) {
  const std::string seed =
      "{%- set ns = namespace(a=[1, 2.5, 'x'], f=false) -%}{% macro m(a, b='é') %}{{ a ~ b|upper }}"
      "{% endmacro %}{% for k, v in {'a': 1, 'b': [1, (2, 3)]}.items() if v is defined %}"
      "{{ loop.index }}{{ m(k, b=v) }}{{ v|tojson(indent=2) }}{% else %}none{% endfor %}"
      "{% for m in messages %}{% if m.role == 'user' and not loop.first %}{{ m['content'][1:-1:2] "
      "}}"
      "{% elif m.content is string %}{{ m.content.split(' ')[-1].strip() }}{% break %}{% endif %}"
      "{% endfor %}{% set x %}{% filter trim %} {{ '%05.1f' % 3.14 }} {% endfilter %}{% endset %}"
      "{{ x if x else 'y' }}{{ messages|selectattr('role', 'equalto', "
      "'user')|map(attribute='content')|join(', ') }}"
      "{% call(q) m(1) %}{{ q }}{% endcall %}{{ '{:>5}|{}'.format(1, none) }}{{ 7 // -2 % 3 ** 2 "
      "}}";
  EXPECT_NO_THROW(render(seed));
  Random random(7);
  const std::string alphabet = "{}%#-+'\"()[]|.,:~= \n09azé\\*/<>!_";
  int rendered = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string text = seed;
    for (std::uint64_t edits = 1 + random.below(4); edits > 0; --edits) {
      const std::size_t at = random.below(text.size());
      const std::size_t from = random.below(text.size());
      const std::size_t length = 1 + random.below(20);
      switch (random.below(4)) {
        case 0:
          text[at] = alphabet[random.below(alphabet.size())];
          break;
        case 1:
          text.erase(at, length);
          break;
        case 2:
          text.insert(at, text.substr(from, length));
          break;
        default:
          text.insert(at, 1, alphabet[random.below(alphabet.size())]);
      }
    }
    try {
      render(text);
      ++rendered;
    } catch (const Error&) {
    }
  }
  EXPECT_GT(rendered, 100);
}

}  // namespace
}  // namespace nibble
