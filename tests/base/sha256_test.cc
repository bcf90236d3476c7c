#include "base/sha256.h"

#include <gtest/gtest.h>

#include <string>

#include "base/files.h"
#include "support/error_text.h"
#include "support/temp_dir.h"

namespace nibble {
namespace {

std::string hash(std::string_view text) { return sha256(std::as_bytes(std::span(text))); }

// FIPS 180-2, appendix B; the empty text is of NIST's test vectors.
TEST(Sha256, AgreesWithThePublishedVectors) {
  EXPECT_EQ(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hash(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, IsTheSameHoweverTheBytesAreCut) {
  const std::string text = "the quick brown fox jumps over the lazy dog";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Sha256 parts;
    parts.add(std::as_bytes(std::span(text).first(cut)));
    parts.add(std::as_bytes(std::span(text).subspan(cut)));
    EXPECT_EQ(parts.finish(), hash(text)) << cut;
  }
}

TEST(Sha256, OfAFileIsThatOfItsBytes) {
  const test::TempDir dir;
  write_file(dir / "full", "abc");
  write_file(dir / "empty", "");
  EXPECT_EQ(sha256_of_file(dir / "full"), hash("abc"));
  EXPECT_EQ(sha256_of_file(dir / "empty"), hash(""));
  EXPECT_EQ(test::error_kind([&] { sha256_of_file(dir / "none"); }), ErrorKind::kNotFound);
}

}  // namespace
}  // namespace nibble
