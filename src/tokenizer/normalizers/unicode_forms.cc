// NFC, NFD, NFKC, NFKD: the normal forms of Unicode.
#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/unicode.h"

namespace nibble::tokenizer::normalizers {
namespace {

template <Normalization kForm>
class Form : public Normalizer {
 public:
  std::string apply(std::string text, std::size_t) const override {
    for (const char byte : text)  // ASCII is its own normal form
      if (static_cast<unsigned char>(byte) >= 0x80) return normalize(text, kForm);
    return text;
  }
};

template <Normalization kForm>
std::unique_ptr<Normalizer> read_form(const Json&) {
  return std::make_unique<Form<kForm>>();
}

}  // namespace

extern const Kind<Normalizer> nfc{"NFC", read_form<Normalization::kNfc>};
extern const Kind<Normalizer> nfd{"NFD", read_form<Normalization::kNfd>};
extern const Kind<Normalizer> nfkc{"NFKC", read_form<Normalization::kNfkc>};
extern const Kind<Normalizer> nfkd{"NFKD", read_form<Normalization::kNfkd>};

}  // namespace nibble::tokenizer::normalizers
