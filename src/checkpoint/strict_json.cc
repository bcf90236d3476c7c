#include "checkpoint/strict_json.h"

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

bool is_structure(char c) {
  return c == '{' || c == '}' || c == '[' || c == ']' || c == ',' || c == ':' || c == ' ' ||
         c == '\n' || c == '\t' || c == '\r';
}

}  // namespace

void StrictJson::run(std::string_view text) {
  if (!is_valid_utf8(text)) fail("not valid UTF-8 (InvalidHeader)");
  bool quoted = false;
  std::size_t token = 0;  // where the current string or number began
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    // The parser below takes a zero byte for the end of its input.
    if (static_cast<unsigned char>(c) < 0x20 && (quoted || !is_structure(c)))
      fail(cat("control character at byte ", i));
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
      if (quoted) token = i;
    } else if (!quoted && is_structure(c)) {
      token = i;
    }
    if (i - token > kMaxToken)
      fail(cat("string or number at byte ", token, " is longer than ", kMaxToken, " bytes"));
  }
  nlohmann::json_sax<nlohmann::json>& events = *this;
  nlohmann::json::sax_parse(text, &events);
}

void StrictJson::fail(const std::string& why) const {
  throw Error(ErrorKind::kCorruptFile, refusal(why));
}

void StrictJson::unexpected(std::string_view what) const {
  fail(cat(what, " where the format has none"));
}

bool StrictJson::number_float(number_float_t, const string_t& text) {
  unexpected(cat("the number ", text.substr(0, 40)));
}

bool StrictJson::parse_error(std::size_t offset, const std::string&,
                             const nlohmann::detail::exception& error) {
  // Only the parser's reason: its own prefix names the library and an error number.
  const std::string text = error.what();
  const auto colon = text.find(": ");
  std::string why = colon == std::string::npos ? text : text.substr(colon + 2);
  if (why.size() > 300) why = why.substr(0, 300) + "…";
  fail(cat("bad JSON at byte ", offset, ": ", why));
}

}  // namespace nibble
