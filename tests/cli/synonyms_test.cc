#include "cli/synonyms.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cli/shell_completion.h"
#include "nibble/error.h"

namespace nibble::cli {
namespace {

const CommandRows* command_of(const std::vector<CommandRows>& commands, std::string_view name) {
  const auto found = std::find_if(commands.begin(), commands.end(),
                                  [&](const CommandRows& command) { return command.name == name; });
  return found == commands.end() ? nullptr : &*found;
}

bool has_option(const CommandRows& command, std::string_view name) {
  return std::any_of(command.options.begin(), command.options.end(), [&](const OptionRow& row) {
    return std::find(row.names.begin(), row.names.end(), name) != row.names.end();
  });
}

TEST(CommandSynonyms, NameCommandsThatExistAndNoneOfOurs) {
  const auto commands = command_rows();
  for (const CommandSynonym& row : command_synonyms()) {
    EXPECT_EQ(command_of(commands, row.word), nullptr) << row.word;
    EXPECT_TRUE(row.ours.empty() || command_of(commands, row.ours) != nullptr) << row.ours;
    EXPECT_EQ(row.ours.empty(), !row.why.empty() && !row.advice.empty()) << row.word;
  }
}

TEST(OptionSynonyms, NameOptionsThatExist) {
  const auto commands = command_rows();
  for (const OptionSynonym& row : option_synonyms()) {
    EXPECT_TRUE(row.command.empty() || command_of(commands, row.command) != nullptr) << row.command;
    EXPECT_NE(row.ours.empty(), row.advice.empty()) << row.word;
    if (row.ours.empty()) continue;
    EXPECT_TRUE(
        std::any_of(commands.begin(), commands.end(),
                    [&](const CommandRows& command) { return has_option(command, row.ours); }))
        << row.word << " stands for " << row.ours;
  }
}

class OurOptions : public ::testing::Test {
 protected:
  OurOptions() {
    app_.add_option("MODEL", text_);
    app_.add_option("--system", text_);
    app_.add_option("-p,--prompt", text_);
    app_.add_option("-t,--threads", number_);
    app_.add_flag("--json", flag_);
  }
  std::vector<std::string> ours(const std::vector<std::string>& arguments) {
    return with_our_options(arguments, app_, "chat");
  }
  std::string refusal(const std::vector<std::string>& arguments) {
    try {
      ours(arguments);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

 private:
  CLI::App app_;
  std::string text_;
  int number_ = 0;
  bool flag_ = false;
};

using Words = std::vector<std::string>;

TEST_F(OurOptions, SameMeaningIsTaken) {
  EXPECT_EQ(ours({"-p", "hi", "-m", "G"}), (Words{"G", "-p", "hi"}));
  EXPECT_EQ(ours({"--model=G", "-sys", "be brief"}), (Words{"G", "--system", "be brief"}));
  EXPECT_EQ(ours({"G", "--system-prompt=be brief"}), (Words{"G", "--system=be brief"}));
}

TEST_F(OurOptions, ValuesAreLeftAlone) {
  EXPECT_EQ(ours({"-p", "-ngl", "G"}), (Words{"-p", "-ngl", "G"}));
  EXPECT_EQ(ours({"G", "--", "-m", "x"}), (Words{"G", "--", "-m", "x"}));
  EXPECT_EQ(ours({"--json", "G", "-t4"}), (Words{"--json", "G", "-t4"}));
}

TEST_F(OurOptions, OtherMeaningIsRefusedWithOurWay) {
  EXPECT_NE(refusal({"G", "-ngl", "99"}).find("GPU"), std::string::npos);
  EXPECT_NE(refusal({"G", "-c", "2048"}).find("context"), std::string::npos);
  EXPECT_NE(refusal({"G", "-threads", "2"}).find("write --threads"), std::string::npos);
}

}  // namespace
}  // namespace nibble::cli
