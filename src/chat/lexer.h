// Cuts a template into literal text and the tokens between {{ }} and {% %}.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "chat/value.h"

namespace nibble::chat {

enum class TokenKind {
  kText,
  kOutputBegin,     // {{
  kOutputEnd,       // }}
  kStatementBegin,  // {%
  kStatementEnd,    // %}
  kName,
  kString,
  kNumber,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;  // a string without quotes and with its escapes resolved
  Value number;
  int line = 0;
};

// White space around tags is dropped as the tags say; besides, the line end after a statement and
// the blanks before it on its line (trim_blocks and lstrip_blocks). One line end at the very end
// goes too. Throws kCorruptFile naming the line.
std::vector<Token> tokenize_template(std::string_view source);

// "chat template, line 3: expected …"
[[noreturn]] void fail_at(int line, const std::string& problem);

}  // namespace nibble::chat
