// Letter, number, blank or sign: the four classes that the well-known patterns are made of, exactly
// as the regular expression engine sees them.
#pragma once

#include <cstdint>
#include <vector>

namespace nibble::tokenizer {

enum class CharacterClass : std::uint8_t { kSign, kLetter, kNumber, kBlank };

class CharacterClasses {
 public:
  static const CharacterClasses& instance();
  CharacterClass operator[](char32_t c) const { return class_of_[c]; }

 private:
  CharacterClasses();
  std::vector<CharacterClass> class_of_;  // for each code point
};

}  // namespace nibble::tokenizer
