// Every rule of the format is refused with the place and the reason.
#include "checkpoint/gguf_header.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "formats/block_format.h"
#include "nibble/error.h"
#include "support/allocation.h"
#include "support/error_text.h"
#include "support/gguf_file.h"
#include "support/mutate.h"

namespace nibble {
namespace {

using test::error_kind;
using test::error_text;
using test::GgufFile;
using test::packed;
using test::sample_gguf;

GgufHeader read(std::string_view file) { return read_gguf_header(std::as_bytes(std::span(file))); }

void expect_refused(const std::string& file, std::string_view reason,
                    ErrorKind kind = ErrorKind::kCorruptFile) {
  EXPECT_EQ(error_kind([&] { read(file); }), kind) << reason;
  const std::string text = error_text([&] { read(file); });
  EXPECT_NE(text.find(reason), std::string::npos) << reason << " / " << text;
}

TEST(GgufHeader, ListsTensorsByNameInHuggingFacesOrder) {
  const std::string file = sample_gguf().bytes();
  const GgufHeader header = read(file);
  ASSERT_EQ(header.tensors.size(), 3u);
  EXPECT_EQ(header.tensors[0].name, "blocks.weight");
  EXPECT_EQ(header.tensors[0].blocks->name, "Q8_0");
  EXPECT_EQ(header.tensors[0].bytes, 204u);
  EXPECT_EQ(file[header.offsets[0]], 'q');
  EXPECT_EQ(header.tensors[1].dtype, DType::kF16);
  EXPECT_EQ(header.tensors[1].shape, (std::vector<std::int64_t>{2, 2, 3}));
  EXPECT_EQ(file[header.offsets[2]], 'n');
  EXPECT_EQ(header.tensors[2].blocks, nullptr);
}

TEST(GgufHeader, ReadsVersions2And3) {
  GgufFile file = sample_gguf();
  file.version = 2;
  EXPECT_EQ(read(file.bytes()).tensors.size(), 3u);
  for (const std::uint32_t version : {0u, 1u, 4u}) {
    file.version = version;
    expect_refused(file.bytes(), "version", ErrorKind::kUnsupported);
  }
  file.version = 0x03000000;
  expect_refused(file.bytes(), "most significant byte first", ErrorKind::kUnsupported);
}

TEST(GgufHeader, RefusesCountsThatTheFileCannotHold) {
  const std::string begin = "GGUF" + packed<std::uint32_t>(3);
  for (const std::uint64_t count : {1ull << 20, 1ull << 32, ~0ull}) {
    expect_refused(begin + packed(count) + packed<std::uint64_t>(0), "tensors");
    expect_refused(begin + packed<std::uint64_t>(0) + packed(count), "key/value pairs");
  }
}

TEST(GgufHeader, RefusesLongTextsAndArrays) {
  expect_refused(GgufFile().pair("a", 8, packed<std::uint64_t>(1 << 30)).bytes(), "at most");
  expect_refused(GgufFile().pair("a", 8, packed<std::uint64_t>(60)).bytes(), "the file has");
  for (const std::uint32_t type : {0u, 6u, 8u, 12u})
    expect_refused(
        GgufFile().pair("a", 9, packed(type) + packed<std::uint64_t>(1ull << 61)).bytes(),
        "array elements");
  expect_refused(GgufFile().pair("a", 9, packed(9) + packed<std::uint64_t>(0)).bytes(),
                 "array of arrays");
}

TEST(GgufHeader, RefusesBadPairs) {
  expect_refused(GgufFile().pair("a", 13, "xxxx").bytes(), "type number 13");
  expect_refused(GgufFile().pair("a", 7, "\2").bytes(), "expected 0 or 1");
  expect_refused(GgufFile().u32("a", 1).u32("b", 1).u32("a", 1).bytes(), "given twice");
  expect_refused(GgufFile().u32("", 1).bytes(), "empty");
  expect_refused(GgufFile().u32("\xFF", 1).bytes(), "UTF-8");
}

TEST(GgufHeader, RefusesAlignmentsThatAreNone) {
  for (const std::uint32_t alignment : {0u, 1u, 4u, 24u, 1u << 21, 1u << 30, 1u << 31}) {
    const std::string file = GgufFile().u32("general.alignment", alignment).bytes();
    expect_refused(file, "general.alignment");
  }
  GgufFile file;
  file.alignment = 64;
  file.u32("general.alignment", 64).tensor("a", {4}, 0, "0123456789abcdef");
  file.tensor("b", {1}, 0, "wxyz");
  const std::string bytes = file.bytes();
  EXPECT_EQ(bytes[read(bytes).offsets[1]], 'w');
}

TEST(GgufHeader, RefusesBadInfos) {
  const std::vector<std::int64_t> two = {2};
  expect_refused(GgufFile().info("", two, 0, 0).bytes(), "empty");
  expect_refused(GgufFile().info(std::string(257, 'n'), two, 0, 0).bytes(), "at most 256");
  expect_refused(GgufFile().info("a", {1, 1, 1, 1, 1}, 0, 0).bytes(), "5 dimensions");
  expect_refused(GgufFile().info("a", {-1}, 0, 0).bytes(), "size of -1");
  expect_refused(GgufFile().info("a", two, 4, 0).bytes(), "nobody uses");
  expect_refused(GgufFile().info("a", two, 0xFFFFFFFF, 0).bytes(), "nobody uses");
  expect_refused(GgufFile().info("a", two, 16, 0).bytes(), "IQ2_XXS", ErrorKind::kUnsupported);
  expect_refused(GgufFile().info("a", {33}, 2, 0).bytes(), "no multiple of the 32");
  expect_refused(GgufFile().info("a", {}, 2, 0).bytes(), "no multiple of the 32");
  expect_refused(GgufFile().tensor("a", {1}, 0, "1234").tensor("a", {1}, 0, "1234").bytes(),
                 "given twice");
}

TEST(GgufHeader, RefusesSizesThatWrapAround) {
  for (const std::vector<std::int64_t>& sizes :
       {std::vector<std::int64_t>{INT64_MAX}, {1ll << 62, 4}, {1ll << 32, 1ll << 32, 4}})
    expect_refused(GgufFile().info("a", sizes, 0, 0).bytes(), "more bytes than can be counted");
  expect_refused(GgufFile().info("a", {1ll << 40}, 0, 0).bytes(), "only");
}

TEST(GgufHeader, RefusesRangesOutsideTheDataOrInEachOther) {
  GgufFile file;
  file.tensor("a", {16}, 0, std::string(64, 'a'));
  expect_refused(GgufFile(file).info("b", {8}, 0, 32).bytes(), "\"b\" overlaps tensor \"a\"");
  expect_refused(GgufFile(file).info("b", {16}, 0, 0).bytes(), "overlaps");
  expect_refused(GgufFile(file).info("b", {1}, 0, 4).bytes(), "no multiple of the alignment");
  expect_refused(GgufFile(file).info("b", {16}, 0, 64).bytes(), "probably interrupted");
  expect_refused(GgufFile(file).info("b", {16}, 0, ~0ull - 31).bytes(), "no file has");
  EXPECT_EQ(read(GgufFile(file).info("b", {0}, 0, 32).bytes()).tensors.size(), 2u);
}

TEST(GgufHeader, WarnsOfNamesThatOthersRefuse) {
  EXPECT_TRUE(read(sample_gguf().bytes()).warnings.empty());
  const auto header = read(GgufFile().tensor(std::string(64, 'n'), {1}, 0, "1234").bytes());
  EXPECT_EQ(header.warnings.size(), 1u);
}

TEST(GgufHeader, RefusesEveryPrefixOfAValidFile) {
  const std::string file = sample_gguf().bytes();
  const std::size_t needed = file.size() - 8;  // the padding behind the last tensor
  for (std::size_t length = 0; length < needed; ++length)
    EXPECT_TRUE(error_kind([&] { read(std::string_view(file).substr(0, length)); })) << length;
}

// Overwrites four or eight bytes anywhere with a number that breaks arithmetic.
void damage_number(std::string& file, Random& random) {
  static constexpr std::uint64_t kExtremes[] = {
      0, 1, 9, 64, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1ull << 32, 1ull << 62, 1ull << 63, ~0ull};
  const std::string number = packed(kExtremes[random.below(std::size(kExtremes))]);
  const std::size_t width = random.below(2) ? 4 : 8;
  file.replace(test::mutation::any_position(file, random), width, number.substr(0, width));
}

TEST(GgufHeader, Survives2000Mutations) {
  using namespace test::mutation;
  static constexpr std::array kMutations = {flip_bit,      cut_short,     remove_range,
                                            damage_number, damage_number, damage_number};
  Random random(20250301);
  int opened = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string file = sample_gguf().bytes();
    for (std::uint64_t left = 1 + random.below(2); left > 0; --left)
      kMutations[random.below(kMutations.size())](file, random);
    const test::AllocationPeak peak;
    if (!error_kind([&] { read(file); })) ++opened;
    ASSERT_LE(peak.bytes(), 2 * file.size() + (64u << 20)) << i;
  }
  EXPECT_GT(opened, 0);     // changed data harms nothing
  EXPECT_LT(opened, 1500);  // most mutations are refused
}

TEST(GgufHeader, NeverTakesAMultipleOfTheFileInMemory) {
  GgufFile many;
  for (int i = 0; i < 400'000; ++i) many.info("t" + std::to_string(i), {}, 0, 0);
  const std::string file = many.bytes();
  const test::AllocationPeak peak;
  EXPECT_TRUE(error_kind([&] { read(file); }));
  EXPECT_LE(peak.bytes(), 2 * file.size() + (64u << 20));
}

}  // namespace
}  // namespace nibble
