// Oniguruma's own tables, unfolded, so that no version of Unicode stands between it and us.
#include "tokenizer/character_class.h"

#include <oniguruma.h>

#include <algorithm>
#include <string_view>

#include "base/check.h"

namespace nibble::tokenizer {
namespace {

constexpr std::size_t kCodePoints = 0x110000;

void mark(std::vector<CharacterClass>& class_of, int type, CharacterClass as) {
  OnigCodePoint single_byte_limit = 0;
  const OnigCodePoint* ranges = nullptr;
  const int code = ONIG_ENCODING_UTF8->get_ctype_code_range(type, &single_byte_limit, &ranges);
  NIBBLE_ASSERT(code == 0 && ranges != nullptr);
  if (code != 0 || ranges == nullptr) return;
  for (OnigCodePoint i = 0; i < ranges[0]; ++i) {
    const std::size_t first = ranges[1 + 2 * i];
    const std::size_t last = std::min<std::size_t>(ranges[2 + 2 * i], kCodePoints - 1);
    for (std::size_t c = first; c <= last; ++c) class_of[c] = as;
  }
}

int property(std::string_view name) {
  auto* begin = reinterpret_cast<OnigUChar*>(const_cast<char*>(name.data()));
  return ONIG_ENCODING_UTF8->property_name_to_ctype(ONIG_ENCODING_UTF8, begin, begin + name.size());
}

}  // namespace

CharacterClasses::CharacterClasses() : class_of_(kCodePoints, CharacterClass::kSign) {
  mark(class_of_, property("L"), CharacterClass::kLetter);
  mark(class_of_, property("N"), CharacterClass::kNumber);
  mark(class_of_, ONIGENC_CTYPE_SPACE, CharacterClass::kBlank);
}

const CharacterClasses& CharacterClasses::instance() {
  static const CharacterClasses classes;
  return classes;
}

}  // namespace nibble::tokenizer
