// Every command's --json has the keys that docs/cli.md lists for it, no fewer and no more.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "base/files.h"
#include "base/json.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace nibble::test {
namespace {

using Keys = std::set<std::string>;

struct Documented {
  std::string schema;
  Keys keys;
};

// By command: headings "### quantize: `nibble.quantize/1`", rows "| `a`, `b.c`, `d[].e` | … |".
std::map<std::string, Documented> documented_keys() {
  static const std::regex heading("### (.+): `(nibble\\.\\w+/\\d+)`");
  static const std::regex key("`([^`]+)`");
  std::map<std::string, Documented> commands;
  std::istringstream lines(read_file(fs::path(kSourceFolder) / "docs/cli.md", 1 << 20));
  Documented* current = nullptr;
  for (std::string line; std::getline(lines, line);) {
    if (std::smatch parts; std::regex_match(line, parts, heading)) {
      current = &commands[parts[1]];
      current->schema = parts[2];
      current->keys = {"schema", "version"};
    } else if (line.starts_with("## ")) {
      current = nullptr;
    } else if (current != nullptr && line.starts_with("| `")) {
      const std::string first = line.substr(0, line.find('|', 1));
      for (std::sregex_iterator k(first.begin(), first.end(), key), end; k != end; ++k)
        current->keys.insert((*k)[1]);
    }
  }
  return commands;
}

bool any_begins_with(const Keys& keys, const std::string& prefix) {
  const auto found = keys.lower_bound(prefix);
  return found != keys.end() && found->starts_with(prefix);
}

// The paths of `json`, going into an object or a list only where the documents do.
void collect(const Json& json, const std::string& prefix, const Keys& documented, Keys& found) {
  for (const auto& [name, value] : json.items()) {
    const std::string path = prefix + name;
    if (value.is_object() && any_begins_with(documented, path + ".")) {
      collect(value, path + ".", documented, found);
    } else if (value.is_array() && any_begins_with(documented, path + "[].")) {
      for (const Json& item : value) collect(item, path + "[].", documented, found);
    } else {
      found.insert(path);
    }
  }
}

// Runs command lines in one folder, $MODEL is the demo model.
class JsonKeys : public testing::Test {
 protected:
  std::string printed(const std::string& command) {
    const fs::path program = fs::weakly_canonical(kProgram);
    const std::string line = "cd '" + folder_.path().string() + "' && export PATH='" +
                             program.parent_path().string() + "':\"$PATH\" MODEL='" +
                             kSourceFolder + "/assets/demo' && " + command + " > printed 2> notes";
    last_exit_ = std::system(line.c_str());
    return read_file(folder_ / "printed", 1 << 26);
  }

  void expect_keys(const std::string& name, const std::string& command) {
    const Documented& documented = all_.at(name);
    const std::string text = printed(command);
    ASSERT_TRUE(text.find('\n') == text.size() - 1) << name << ": not one line:\n" << text;
    const Json json = parse_json(text);
    EXPECT_EQ(json.at("schema"), documented.schema);
    Keys found;
    collect(json, "", documented.keys, found);
    for (const std::string& key : documented.keys)
      EXPECT_TRUE(found.contains(key)) << name << " lacks " << key;
    for (const std::string& key : found)
      EXPECT_TRUE(documented.keys.contains(key)) << name << ": " << key << " is not documented";
  }

  TempDir folder_;
  std::map<std::string, Documented> all_ = documented_keys();
  int last_exit_ = 0;
};

TEST_F(JsonKeys, AreDocumentedForEveryCommand) {
  for (std::string name : {
#define COMMAND(name) #name,
#include "cli/list.def"
#undef COMMAND
       }) {
    std::replace(name.begin(), name.end(), '_', '-');
    EXPECT_TRUE(all_.contains(name)) << name << " has no table in docs/cli.md";
  }
}

TEST_F(JsonKeys, OfQuantizedFolders) {
  expect_keys("quantize",
              "nibble quantize $MODEL out --bits 3 --calib $MODEL/README.md --samples 2 "
              "--seq-len 64 --json");
  expect_keys("verify", "nibble verify out --json");
  expect_keys("show", "nibble show out --json");
}

TEST_F(JsonKeys, OfPrunedFolders) {
  expect_keys("prune",
              "nibble prune $MODEL out --sparsity 0.5 --calib $MODEL/README.md --samples 2 "
              "--seq-len 64 --json");
}

TEST_F(JsonKeys, OfTrainedModels) {
  const std::string training =
      "--data $MODEL/README.md --steps 1 --batch-size 1 --seq-len 32 --json";
  expect_keys("qat", "nibble qat $MODEL out --method rtn --bits 3 " + training);
  expect_keys(
      "pretrain",
      "nibble pretrain new --tokenizer $MODEL --hidden 32 --layers 1 --heads 2 " + training);
  expect_keys("distill", "nibble distill new small --teacher $MODEL " + training);
}

TEST_F(JsonKeys, OfCalibration) {
  const std::string windows = "--calib $MODEL/README.md --samples 2 --seq-len 32 --json";
  expect_keys("calibrate", "nibble calibrate $MODEL s.gguf " + windows);
  expect_keys("imatrix", "nibble imatrix $MODEL im.gguf " + windows);
  expect_keys("calibrate --own", "nibble calibrate $MODEL --own $MODEL/sample.txt " + windows);
}

TEST_F(JsonKeys, OfMeasurements) {
  expect_keys("perplexity",
              "nibble perplexity $MODEL -f $MODEL/README.md --protocol gptq-64 --windows 1 --json");
  expect_keys("compare",
              "nibble compare $MODEL $MODEL -f $MODEL/README.md --protocol gptq-64 --windows 1 "
              "-p The -n 2 --json");
  expect_keys("bench", "nibble bench $MODEL -p 4 -n 2 -r 1 --json");
}

TEST_F(JsonKeys, OfWrittenText) {
  expect_keys("generate", "nibble generate $MODEL -p Once -n 2 --json");
  write_file(folder_ / "plain.jinja", "{{ messages[0].content }}");
  expect_keys("chat", "nibble chat $MODEL --template plain.jinja -p Once -n 2 --json");
  write_file(folder_ / "hi.json", "[{\"role\": \"user\", \"content\": \"Hi\"}]");
  expect_keys("template", "nibble template plain.jinja --messages hi.json --json");
}

TEST_F(JsonKeys, OfTokensAndLists) {
  expect_keys("tokenize", "nibble tokenize $MODEL --text Once --json");
  expect_keys("train-tokenizer",
              "nibble train-tokenizer $MODEL/sample.txt --out t --vocab-size 300 --json");
  expect_keys("detokenize", "nibble detokenize $MODEL --ids 46 --json");
  expect_keys("formats", "nibble formats --json");
  expect_keys("methods", "nibble methods --json");
  expect_keys("completion", "nibble completion bash --json");
  expect_keys("man", "nibble man --json");
  expect_keys("completion", "nibble completion bash --json");
  expect_keys("man", "nibble man --json");
}

TEST_F(JsonKeys, OfErrorsWithTheFixInItsOwnPlace) {
  expect_keys("an error", "nibble perplexity $MODEL -f $MODEL/README.md -c 512 --json");
  EXPECT_NE(last_exit_, 0);
  const Json error = parse_json(read_file(folder_ / "printed", 1 << 16)).at("error");
  EXPECT_EQ(error.at("fix"), "write --protocol gptq-512");
  EXPECT_EQ(error.at("message").get<std::string>().find("fix"), std::string::npos);
  EXPECT_EQ(error.at("exit_code"), 2);
}

TEST_F(JsonKeys, OfTheDemoSlow) { expect_keys("demo", "nibble demo --json"); }

TEST_F(JsonKeys, OfTheChatDemoSlow) {
  printed("cp -r $MODEL m && printf '{{ messages[0].content }}' | tee m/chat_template.jinja");
  expect_keys("demo --chat", "nibble demo --chat m --json");
}

}  // namespace
}  // namespace nibble::test
