// Filters on texts and numbers.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "chat/builtins/builtins.h"
#include "chat/characters.h"

namespace nibble::chat {
namespace {

using Run = Interpreter;

constexpr std::int64_t kMaxIndent = 64;

Value trim(Run& run, const Value& v, const Arguments& given) {
  const std::string text = run.shown(v);
  const Value* chars = given.find(0, "chars");
  return run.text_like(v, std::string(chars && !chars->is_none()
                                          ? strip(text, need_text(run, *chars, "trim"), true, true)
                                          : strip(text, true, true)));
}

Value replace(Run& run, const Value& v, const Arguments& given) {
  return run.text(replace_all(run, run.shown(v), text_argument(run, given, 0, "old", ""),
                              text_argument(run, given, 1, "new", ""),
                              integer_argument(run, given, 2, "count", -1)));
}

Value or_default(Run& run, const Value& v, const Arguments& given) {
  const bool absent =
      v.is_undefined() || (truth_argument(given, 1, "boolean", false) && !v.truth());
  const Value* otherwise = given.find(0, "default_value");
  return !absent ? v : otherwise ? *otherwise : run.text("");
}

Value tojson(Run& run, const Value& v, const Arguments& given) {
  // transformers' order of arguments: ensure_ascii, indent, separators, sort_keys.
  const Value* indent = given.find(1, "indent");
  int width = -1;
  if (indent && !indent->is_none()) {
    const auto number = indent->integer();
    if (!number) run.fail("tojson: indent must be an integer");
    width = static_cast<int>(std::clamp<std::int64_t>(*number, 0, kMaxIndent));
  }
  std::string item = width >= 0 ? "," : ", ", key = ": ";
  if (const Value* separators = given.find(2, "separators"); separators && !separators->is_none()) {
    const std::vector<Value> two = run.items_of(*separators);
    if (two.size() != 2) run.fail("tojson: separators must be two strings");
    item = need_text(run, two[0], "tojson");
    key = need_text(run, two[1], "tojson");
  }
  return run.text(json_text(run, v, width, truth_argument(given, 3, "sort_keys", false),
                            truth_argument(given, 0, "ensure_ascii", false), item, key));
}

Value to_int(Run& run, const Value& v, const Arguments& given) {
  const std::int64_t otherwise = integer_argument(run, given, 0, "default", 0);
  if (v.integer()) return *v.integer();
  double number = 0;
  if (v.is_float()) {
    number = *v.number();
  } else if (const std::string* text = v.text()) {
    std::string_view digits = strip(*text, true, true);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    const char* end = digits.data() + digits.size();
    std::int64_t whole = 0;
    const int base = static_cast<int>(
        std::clamp<std::int64_t>(integer_argument(run, given, 1, "base", 10), 2, 36));
    if (const char letter = base == 16  ? 'x'
                            : base == 8 ? 'o'
                            : base == 2 ? 'b'
                                        : '\0';
        letter != '\0' && digits.size() > 2 && digits[0] == '0' && (digits[1] | 0x20) == letter)
      digits.remove_prefix(2);
    const auto read = std::from_chars(digits.data(), end, whole, base);
    if (read.ec == std::errc() && read.ptr == end) return whole;
    const auto real = std::from_chars(digits.data(), end, number);
    if (real.ec != std::errc() || real.ptr != end) return otherwise;
  } else {
    return otherwise;
  }
  if (!(std::fabs(number) < 9.2e18)) return otherwise;
  return static_cast<std::int64_t>(number);
}

Value to_float(Run& run, const Value& v, const Arguments& given) {
  const Value* otherwise = given.find(0, "default");
  if (v.number()) return *v.number();
  if (const std::string* text = v.text()) {
    const std::string_view digits = strip(*text, true, true);
    double number = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (read.ec == std::errc() && read.ptr == digits.data() + digits.size()) return number;
  }
  return otherwise ? *otherwise : run.arithmetic("+", 0.0, std::int64_t{0});
}

Value absolute(Run& run, const Value& v, const Arguments&) {
  if (!v.number()) run.fail(cat("abs: expected a number, found ", v.type()));
  if (v.integer())
    return *v.integer() < 0 ? run.arithmetic("-", std::int64_t{0}, v) : Value(*v.integer());
  return std::fabs(*v.number());
}

Value round_number(Run& run, const Value& v, const Arguments& given) {
  if (!v.number()) run.fail(cat("round: expected a number, found ", v.type()));
  const auto digits =
      std::clamp<std::int64_t>(integer_argument(run, given, 0, "precision", 0), -300, 300);
  const std::string method = text_argument(run, given, 1, "method", "common");
  const double number = *v.number();
  if (method == "common") {
    if (v.integer() && digits >= 0) return v.is_bool() ? Value(*v.integer()) : v;
    if (digits < 0) {
      const double scale = std::pow(10.0, static_cast<double>(-digits));
      const double rounded = std::nearbyint(number / scale) * scale;
      // An integer stays one: of at most 19 digits, so that the scale is exact or the result is 0.
      if (v.integer() && std::fabs(rounded) < 9.2e18) return static_cast<std::int64_t>(rounded);
      return rounded;
    }
    // Through decimal digits, as Python does it: 2.675 is a little less than it looks.
    const std::string text = fmt::format("{:.{}f}", number, static_cast<int>(digits));
    double result = 0;
    std::from_chars(text.data(), text.data() + text.size(), result);
    return result;
  }
  const double scale = std::pow(10.0, static_cast<double>(digits));
  if (method == "ceil") return std::ceil(number * scale) / scale;
  if (method == "floor") return std::floor(number * scale) / scale;
  run.fail(cat("round: unknown method \"", method, "\"; common, ceil and floor are known"));
}

Value indent(Run& run, const Value& v, const Arguments& given) {
  const Value* width = given.find(0, "width");
  std::string margin(4, ' ');
  if (width && width->text())
    margin = *width->text();
  else if (width)
    margin.assign(static_cast<std::size_t>(std::clamp<std::int64_t>(
                      integer_argument(run, given, 0, "width", 4), 0, kMaxIndent)),
                  ' ');
  const bool first = truth_argument(given, 1, "first", false);
  const bool blank = truth_argument(given, 2, "blank", false);
  const std::string text = run.shown(v) + "\n";
  std::string result = first ? margin : "";
  bool begun = false;
  for (const std::string_view line : lines_of(text)) {
    if (begun) result += '\n';
    if (begun && (!line.empty() || blank)) result += margin;
    begun = true;
    result += line;
    if (result.size() > kMaxOutputBytes) run.fail("an indented text becomes too long");
  }
  return run.text_like(v, std::move(result));
}

// Words begin at the text's start and behind white space, -, (, {, [ and <.
Value title_filter(Run& run, const Value& v, const Arguments&) {
  const std::string text = run.shown(v);
  std::string result;
  bool starts = true;
  for (const std::string_view c : characters_of(text)) {
    result += starts ? upper(c) : lower(c);
    std::size_t i = 0;
    const char32_t code = next_character(c, i);
    starts =
        is_space(code) || std::u32string_view(U"-({[<").find(code) != std::u32string_view::npos;
  }
  return run.text(std::move(result));
}

Value safe(Run& run, const Value& v, const Arguments&) { return Value::safe(run.shown(v)); }

Value force_escape(Run& run, const Value& v, const Arguments&) {
  return Value::safe(*run.text(escaped(run.shown(v))).text());
}

Value escape(Run& run, const Value& v, const Arguments& given) {
  return v.is_safe() ? v : force_escape(run, v, given);
}

Value format(Run& run, const Value& v, const Arguments& given) {
  std::vector<std::pair<Value, Value>> named;
  for (const auto& [key, value] : given.named) named.emplace_back(Value(key), value);
  const Value values =
      named.empty() ? run.list(given.positional, ListKind::kTuple) : run.mapping(std::move(named));
  const Value format = v.text() ? v : run.text(run.shown(v));
  return run.text_like(v, percent_format(run, format, values));
}

Value word_count(Run& run, const Value& v, const Arguments&) {
  std::int64_t words = 0;
  bool inside = false;
  const std::string text = run.shown(v);
  for (std::size_t i = 0; i < text.size();) {
    const bool word = is_word_character(next_character(text, i));
    if (word && !inside) ++words;
    inside = word;
  }
  return words;
}

constexpr std::array<NamedBuiltin, 21> kFilters = {{
    {"trim", trim},
    {"replace", replace},
    {"default", or_default},
    {"d", or_default},
    {"tojson", tojson},
    {"int", to_int},
    {"float", to_float},
    {"abs", absolute},
    {"round", round_number},
    {"indent", indent},
    {"title", title_filter},
    {"escape", escape},
    {"e", escape},
    {"format", format},
    {"wordcount", word_count},
    {"upper", [](Run& run, const Value& v,
                 const Arguments&) { return run.text_like(v, upper(run.shown(v))); }},
    {"lower", [](Run& run, const Value& v,
                 const Arguments&) { return run.text_like(v, lower(run.shown(v))); }},
    {"capitalize", [](Run& run, const Value& v,
                      const Arguments&) { return run.text_like(v, capitalize(run.shown(v))); }},
    {"string",
     [](Run& run, const Value& v, const Arguments&) { return run.text_like(v, run.shown(v)); }},
    {"safe", safe},
    {"forceescape", force_escape},
}};

}  // namespace

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const std::string_view code = c == '&'    ? "&amp;"
                                  : c == '<'  ? "&lt;"
                                  : c == '>'  ? "&gt;"
                                  : c == '"'  ? "&#34;"
                                  : c == '\'' ? "&#39;"
                                              : "";
    if (code.empty())
      result += c;
    else
      result += code;
  }
  return result;
}

std::string part_of(const Value& whole, const Value& part) {
  return whole.is_safe() && !part.is_safe() ? escaped(*part.text()) : *part.text();
}

std::string replace_all(Interpreter& run, const std::string& text, const std::string& from,
                        const std::string& to, std::int64_t count) {
  std::string result;
  std::size_t begin = 0;
  const auto grown = [&] {
    run.charge(1);
    if (result.size() > kMaxOutputBytes) run.fail("a text with replacements becomes too long");
  };
  if (from.empty()) {  // between all characters
    for (const std::string_view c : characters_of(text)) {
      if (count != 0) result += to, --count;
      result += c;
      grown();
    }
    return count != 0 ? result + to : result;
  }
  for (std::size_t at; count != 0 && (at = text.find(from, begin)) != text.npos; --count) {
    result.append(text, begin, at - begin).append(to);
    begin = at + from.size();
    grown();
  }
  return result.append(text, begin);
}

std::span<const NamedBuiltin> text_filters() { return kFilters; }

}  // namespace nibble::chat
