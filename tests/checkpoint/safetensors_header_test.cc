// Every rule of the format is refused with the reference's name for it.
#include "checkpoint/safetensors_header.h"

#include <gtest/gtest.h>

#include <chrono>

#include "checkpoint/sample_files.h"
#include "nibble/error.h"
#include "support/allocation.h"
#include "support/error_text.h"
#include "support/mutate.h"

namespace nibble {
namespace {

using test::error_kind;
using test::error_text;
using test::with_header;

SafetensorsHeader read(std::string_view file) {
  return read_safetensors_header(std::as_bytes(std::span(file)));
}

void expect_refused(std::string_view file, std::string_view rule) {
  EXPECT_EQ(error_kind([&] { read(file); }), ErrorKind::kCorruptFile) << file;
  const std::string text = error_text([&] { read(file); });
  EXPECT_NE(text.find(std::string("(") + std::string(rule) + ")"), std::string::npos)
      << rule << " / " << text;
}

void expect_header_refused(std::string_view header, std::size_t data, std::string_view rule) {
  expect_refused(with_header(header, data), rule);
}

TEST(SafetensorsHeader, ListsTensorsByNameWithTheirPlaces) {
  const auto header = read(test::valid_file());
  ASSERT_EQ(header.tensors.size(), 5u);
  EXPECT_EQ(header.tensors[0].name, "a.bias");
  EXPECT_EQ(header.tensors[1].shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(header.tensors[3].bytes, 0u);
  EXPECT_EQ(header.offsets[0], 8 + test::kValidHeader.size() + 24);
}

TEST(SafetensorsHeader, AcceptsAFileWithoutTensors) {
  EXPECT_TRUE(read(with_header("{}", 0)).tensors.empty());
}

TEST(SafetensorsHeader, RefusesWrongLengths) {
  expect_refused("", "HeaderTooSmall");
  expect_refused("1234567", "HeaderTooSmall");
  expect_refused(std::string(8, '\xFF') + "{}", "HeaderTooLarge");
  expect_refused(std::string("\x03\0\0\0\0\0\0\0{}", 10), "InvalidHeaderLength");
  // 100,000,001
  expect_refused(std::string("\x01\xE1\xF5\x05\0\0\0\0{}", 10), "HeaderTooLarge");
}

TEST(SafetensorsHeader, RefusesTextThatIsNoHeader) {
  expect_header_refused("", 0, "InvalidHeaderStart");
  expect_header_refused(" {}", 0, "InvalidHeaderStart");
  expect_header_refused("[]", 0, "InvalidHeaderStart");
  expect_header_refused("{\"\xFF\":1}", 0, "InvalidHeader");
  expect_header_refused("{", 0, "InvalidHeaderDeserialization");
  expect_header_refused("{}{}", 0, "InvalidHeaderDeserialization");
  expect_header_refused(std::string_view("{}\0", 3), 0, "InvalidHeaderDeserialization");
  expect_header_refused(R"({"a":1})", 0, "InvalidHeaderDeserialization");
  expect_header_refused(R"({"a":{"shape":[],"data_offsets":[0,0]}})", 0,
                        "InvalidHeaderDeserialization");
}

TEST(SafetensorsHeader, RefusesKeysGivenTwice) {
  constexpr std::string_view kEmpty = R"("a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  const auto twice = "{" + std::string(kEmpty) + "," + std::string(kEmpty) + "}";
  expect_header_refused(twice, 0, "InvalidHeaderDeserialization");
  EXPECT_NE(error_text([&] { read(with_header(twice, 0)); }).find("given twice"),
            std::string::npos);
  for (const char* header :
       {R"({"__metadata__":{},"__metadata__":{}})", R"({"__metadata__":{"a":"1","a":"2"}})",
        R"({"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})"})
    expect_header_refused(header, 0, "InvalidHeaderDeserialization");
}

TEST(SafetensorsHeader, TakesOnlyTextAsMetadata) {
  for (const char* header :
       {R"({"__metadata__":{"a":1}})", R"({"__metadata__":{"a":{}}})", R"({"__metadata__":"a"})",
        R"({"__metadata__":{"a":null}})", R"({"__metadata__":["a"]})"})
    expect_header_refused(header, 0, "InvalidHeaderDeserialization");
}

TEST(SafetensorsHeader, RefusesFieldsOfTheWrongKind) {
  for (const char* fields : {R"("dtype":"F33","shape":[1],"data_offsets":[0,4])",
                             R"("dtype":"f32","shape":[1],"data_offsets":[0,4])",
                             R"("dtype":7,"shape":[1],"data_offsets":[0,4])",
                             R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])",
                             R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])",
                             R"("dtype":"F32","shape":[[1]],"data_offsets":[0,4])",
                             R"("dtype":"F32","shape":["1"],"data_offsets":[0,4])",
                             R"("dtype":"F32","shape":1,"data_offsets":[0,4])",
                             R"("dtype":"F32","shape":[1],"data_offsets":[0])",
                             R"("dtype":"F32","shape":[1],"data_offsets":[0,4,4])",
                             R"("dtype":"F32","shape":[1],"data_offsets":[0,-4])",
                             R"("dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551616])",
                             R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4])"})
    expect_header_refused("{\"a\":{" + std::string(fields) + "}}", 4,
                          "InvalidHeaderDeserialization");
}

std::string pair_of(std::string_view first, std::string_view second) {
  return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + std::string(first) +
         R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + std::string(second) + "}}";
}

TEST(SafetensorsHeader, RefusesHolesOverlapsAndReversedRanges) {
  EXPECT_EQ(read(with_header(pair_of("[4,8]", "[0,4]"), 8)).tensors.size(), 2u);
  expect_header_refused(pair_of("[0,4]", "[5,9]"), 9, "InvalidOffset");
  expect_header_refused(pair_of("[0,4]", "[3,7]"), 7, "InvalidOffset");
  expect_header_refused(pair_of("[0,4]", "[0,4]"), 4, "InvalidOffset");
  expect_header_refused(pair_of("[1,5]", "[5,9]"), 9, "InvalidOffset");
  expect_header_refused(pair_of("[0,4]", "[8,4]"), 8, "InvalidOffset");
}

TEST(SafetensorsHeader, RefusesAnEmptyTensorInsideAnother) {
  expect_header_refused(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                        R"("z":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}})",
                        4, "InvalidOffset");
}

TEST(SafetensorsHeader, RefusesSizesThatDoNotFitTheShape) {
  expect_header_refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4,
                        "TensorInvalidInfo");
  expect_header_refused(R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})", 1,
                        "MisalignedSlice");
}

TEST(SafetensorsHeader, RefusesProductsThatWrapAround) {
  expect_header_refused(
      R"({"a":{"dtype":"F32","shape":[4194305,4194305,211106198978564],"data_offsets":[0,16]}})",
      16, "ValidationOverflow");
  expect_header_refused(
      R"({"a":{"dtype":"F64","shape":[4611686018427387904],"data_offsets":[0,0]}})", 0,
      "ValidationOverflow");
  expect_header_refused(
      R"({"a":{"dtype":"F64","shape":[18446744073709551615],"data_offsets":[0,0]}})", 0,
      "ValidationOverflow");
}

TEST(SafetensorsHeader, RefusesTrailingBytes) {
  expect_refused(test::valid_file() + "x", "MetadataIncompleteBuffer");
}

TEST(SafetensorsHeader, SaysHowMuchOfATruncatedFileIsThere) {
  const std::string file =
      with_header(R"({"w":{"dtype":"U8","shape":[1000],"data_offsets":[0,1000]}})", 873);
  expect_refused(file, "MetadataIncompleteBuffer");
  const std::string text = error_text([&] { read(file); });
  EXPECT_NE(text.find("\"w\" ends at byte 1067 but the file has only 940 bytes"), std::string::npos)
      << text;
  EXPECT_NE(text.find("probably interrupted (88% present)"), std::string::npos) << text;
}

TEST(SafetensorsHeader, RefusesEveryPrefixOfAValidFile) {
  const std::string file = test::valid_file();
  for (std::size_t length = 0; length < file.size(); ++length)
    EXPECT_TRUE(error_kind([&] { read(std::string_view(file).substr(0, length)); })) << length;
}

TEST(SafetensorsHeader, ReadsWhatTheWriterMakes) {
  const std::vector<TensorInfo> tensors = {{"w\"\n", DType::kF16, {3}, 6},
                                           {"a", DType::kU8, {}, 1}};
  const std::string header = write_safetensors_header(tensors);
  EXPECT_EQ(header.size() % 8, 0u);
  const auto back = read(header + "1234567");
  EXPECT_EQ(back.tensors[1].name, "w\"\n");
  EXPECT_EQ(back.offsets[1], header.size());
  EXPECT_EQ(back.offsets[0], header.size() + 6);
}

// A header of `pieces` repeated up to about 20 MB takes no more memory than twice the file + 64
// MiB.
void expect_modest(const std::string& begin, const std::string& piece, const std::string& end) {
  std::string text = begin;
  while (text.size() < 20'000'000) text += piece;
  const std::string file = with_header(text + end, 0);
  const test::AllocationPeak peak;
  EXPECT_TRUE(error_kind([&] { read(file); }));
  EXPECT_LE(peak.bytes(), 2 * file.size() + (64u << 20)) << piece;
}

TEST(SafetensorsHeader, NeverTakesAMultipleOfTheFileInMemory) {
  expect_modest("{\"a\":{\"shape\":[", "0,", "0]}}");
  expect_modest("{\"a\":", "[", "");
  expect_modest("{", "\"a\":{},", "\"b\":{}}");
  expect_modest("{\"__metadata__\":{", "\"a\":\"\",", "\"a\":\"\"}}");
  expect_modest("{\"", "aaaaaaaa", "\":{}}");
  expect_modest("{\"a\":", "99999999", "}");
  std::string many = "{";
  for (int i = 0; i < 300'000; ++i)
    many += "\"" + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)";
  expect_modest(many, "\"a\":{\"k\":1},", "\"b\":{}}");
}

TEST(SafetensorsHeader, Survives2000Mutations) {
  Random random(20240501);
  const auto start = std::chrono::steady_clock::now();
  int opened = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string file = test::valid_file();
    if (i % 4 == 0)
      test::mutation::flip_bit(file, random);
    else
      file = with_header(test::mutated_json(test::kValidHeader, random), test::kValidData);
    const test::AllocationPeak peak;
    if (!error_kind([&] { read(file); })) ++opened;
    ASSERT_LE(peak.bytes(), 2 * file.size() + (64u << 20)) << i;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  EXPECT_GT(opened, 0);     // flips in the data harm nothing
  EXPECT_LT(opened, 1000);  // most mutations are refused
}

}  // namespace
}  // namespace nibble
