// Texts as sequences of characters, the way Python's str sees them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::chat {

// White space as str.isspace and \s see it.
bool is_space(char32_t character);

// The character at text[position]; moves position behind it. Ill-formed bytes count one each.
char32_t next_character(std::string_view text, std::size_t& position);
void append_character(std::string& text, char32_t character);

std::size_t count_characters(std::string_view text);
std::vector<std::string_view> characters_of(std::string_view text);
// As str.splitlines: without their ends, of which Unicode has more than one; none after the last.
std::vector<std::string_view> lines_of(std::string_view text);

// Without white space, or without any of the characters in `chars`, at the chosen ends.
std::string_view strip(std::string_view text, bool left, bool right);
std::string_view strip(std::string_view text, std::string_view chars, bool left, bool right);

std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string capitalize(std::string_view text);  // "hELLO" -> "Hello"
std::string title(std::string_view text);       // every run of letters capitalized
bool is_letter(char32_t character);
// As str.isdecimal ("3", "٣"), str.isdigit ("²" too) and str.isnumeric ("½" too).
bool is_decimal(char32_t character);
bool is_digit(char32_t character);
bool is_numeric(char32_t character);
bool is_word_character(char32_t character);  // \w: letters, numbers, "_"
bool is_printable(char32_t character);       // else repr() writes an escape

}  // namespace nibble::chat
