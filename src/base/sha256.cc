#include "base/sha256.h"

#include <openssl/evp.h>

#include <algorithm>
#include <iterator>

#include "base/files.h"
#include "base/progress.h"
#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

constexpr std::size_t kStep = 64u << 20;  // bytes of a file in memory at once

}  // namespace

Sha256::Sha256() : state_(EVP_MD_CTX_new()) {
  if (state_ == nullptr ||
      EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(state_), EVP_sha256(), nullptr) != 1)
    throw Error(ErrorKind::kResource, "the cryptographic library gives no SHA-256");
}

Sha256::~Sha256() { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(state_)); }

void Sha256::add(std::span<const std::byte> bytes) {
  if (EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(state_), bytes.data(), bytes.size()) != 1)
    throw Error(ErrorKind::kResource, "SHA-256 failed in the cryptographic library");
}

std::string Sha256::finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int count = 0;
  if (EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(state_), digest, &count) != 1)
    throw Error(ErrorKind::kResource, "SHA-256 failed in the cryptographic library");
  std::string text;
  for (unsigned int i = 0; i < count; ++i)
    fmt::format_to(std::back_inserter(text), "{:02x}", digest[i]);
  return text;
}

std::string sha256(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.finish();
}

std::string sha256_of_file(const std::filesystem::path& path, const std::stop_token& stop) {
  const MappedFile file(path);
  Sha256 hash;
  for (auto rest = file.bytes(); !rest.empty();) {
    throw_if_stopped();
    if (stop.stop_requested())
      throw Error(ErrorKind::kInterrupted, "the sum of a file is no longer wanted");
    const auto part = rest.first(std::min(rest.size(), kStep));
    hash.add(part);
    file.drop(part);
    rest = rest.subspan(part.size());
  }
  return hash.finish();
}

}  // namespace nibble
