#include "checkpoint/onnx/onnx_writer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json.h"
#include "support/error_text.h"
#include "support/protobuf_reader.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

using test::read_fields;

template <typename Value>
std::vector<std::byte> bytes_of(const std::vector<Value>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

class OnnxWriting : public testing::Test {
 protected:
  void SetUp() override {
    config_ = {{"model_type", "llama"}, {"quantization_config", {{"quant_method", "gptq"}}}};
    model_.config = &config_;
    model_.tensors = {{"codes", DType::kU8, {3}, 3},
                      {"norm", DType::kBF16, {2}, 4},
                      {"head", DType::kF32, {1}, 4}};
    graph_.nodes.push_back({"Mul", "", {"a", "b"}, {"c"}});
    graph_.as_float32["norm"] = 1;
    graph_.left_out = {"head"};
    graph_.own.push_back({{"table", DType::kF32, {2}, 8}, bytes_of<float>({7, 8})});
    graph_.files.emplace_back("beside.json", "{}");
  }
  std::unique_ptr<ModelWriter> open() { return create_onnx_folder(out_, model_, graph_, {}); }
  static void fill(ModelWriter& writer) {
    writer.add("norm", bytes_of<std::uint16_t>({0x3F80, 0xC000}));  // 1, -2
    writer.add("head", bytes_of<float>({5}));
    writer.add("codes", bytes_of<std::uint8_t>({1, 2, 3}));
  }
  // Offset and length in the data file, by name.
  std::map<std::string, std::pair<std::size_t, std::size_t>> places() const {
    std::map<std::string, std::pair<std::size_t, std::size_t>> found;
    const auto file = read_fields(read_file(out_ / "model.onnx", 1 << 20));
    for (const std::string& text : read_fields(file.text(7)).texts(5)) {
      const auto tensor = read_fields(text);
      const auto entries = tensor.texts(13);
      found[tensor.text(8)] = {std::stoul(read_fields(entries.at(1)).text(2)),
                               std::stoul(read_fields(entries.at(2)).text(2))};
    }
    return found;
  }

  test::TempDir dir_;
  fs::path out_ = dir_ / "out";
  Json config_;
  OutputModel model_;
  OnnxModel graph_;
};

TEST_F(OnnxWriting, PutsEveryTensorWhereTheGraphSays) {
  const auto writer = open();
  fill(*writer);
  EXPECT_FALSE(fs::exists(out_));
  writer->finish({{"schema", "x"}});
  const auto found = places();
  ASSERT_EQ(found.size(), 3u);
  const std::string data = read_file(out_ / "model.onnx.data", 1 << 20);
  const auto at = [&](const char* name) {
    const auto [offset, length] = found.at(name);
    EXPECT_EQ(offset % 4096, 0u);
    const auto part = std::as_bytes(std::span(data)).subspan(offset, length);
    return std::vector<std::byte>(part.begin(), part.end());
  };
  EXPECT_EQ(at("codes"), bytes_of<std::uint8_t>({1, 2, 3}));
  EXPECT_EQ(at("norm"), bytes_of<float>({2, -1}));
  EXPECT_EQ(at("table"), bytes_of<float>({7, 8}));
}

TEST_F(OnnxWriting, LeavesTheOriginalsQuantizationOutOfTheConfig) {
  const auto writer = open();
  fill(*writer);
  writer->finish({{"schema", "x"}});
  EXPECT_EQ(read_json(out_ / "config.json"), (Json{{"model_type", "llama"}}));
  EXPECT_EQ(read_json(out_ / "nibble.json"), (Json{{"schema", "x"}}));
  EXPECT_TRUE(fs::exists(out_ / "beside.json"));
  EXPECT_TRUE(fs::exists(out_ / "SHA256SUMS"));
}

TEST_F(OnnxWriting, WithoutFinishNothingIsLeft) {
  fill(*open());
  EXPECT_TRUE(fs::is_empty(dir_.path()));
}

TEST_F(OnnxWriting, TakesEachAnnouncedTensorOnce) {
  const auto writer = open();
  EXPECT_NE(test::error_text([&] { writer->add("other", {}); }).find("not announced"),
            std::string::npos);
  EXPECT_NE(test::error_text([&] { writer->add("codes", {}); }).find("announced were 3"),
            std::string::npos);
  EXPECT_NE(test::error_text([&] { writer->finish(Json::object()); }).find("never added"),
            std::string::npos);
  fill(*writer);
  EXPECT_NE(test::error_text([&] {
              writer->add("codes", bytes_of<std::uint8_t>({1, 2, 3}));
            }).find("added twice"),
            std::string::npos);
}

TEST_F(OnnxWriting, RefusesANormThatIsNoFloat) {
  model_.tensors[1].dtype = DType::kI32;
  EXPECT_NE(test::error_text([&] { open(); }).find("\"norm\" is I32"), std::string::npos);
}

}  // namespace
}  // namespace nibble
