// Values as text: printed, as Python's repr, as JSON.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "chat/builtins/builtins.h"
#include "chat/characters.h"
#include "nibble/error.h"

namespace nibble::chat {
namespace {

// Python's repr of a string.
std::string quoted(std::string_view text) {
  const bool has_single = text.find('\'') != text.npos;
  const char quote = has_single && text.find('"') == text.npos ? '"' : '\'';
  std::string result(1, quote);
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t begin = i;
    const char32_t c = next_character(text, i);
    if (c == '\n')
      result += "\\n";
    else if (c == '\r')
      result += "\\r";
    else if (c == '\t')
      result += "\\t";
    else if (c == '\\' || c == static_cast<char32_t>(quote))
      (result += '\\') += static_cast<char>(c);
    else if (is_printable(c))
      result += text.substr(begin, i - begin);
    else if (c < 0x100)
      result += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    else if (c < 0x10000)
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      result += fmt::format("\\U{:08x}", static_cast<unsigned>(c));
  }
  return result + quote;
}

std::string json_string(std::string_view text, bool ascii) {
  std::string result = "\"";
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t begin = i;
    const char32_t c = next_character(text, i);
    if (c == '"' || c == '\\')
      (result += '\\') += static_cast<char>(c);
    else if (c == '\n')
      result += "\\n";
    else if (c == '\r')
      result += "\\r";
    else if (c == '\t')
      result += "\\t";
    else if (c == '\b')
      result += "\\b";
    else if (c == '\f')
      result += "\\f";
    else if (c < 0x20 || (ascii && c >= 0x7F && c < 0x10000))
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else if (ascii && c >= 0x10000)
      result +=
          fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + static_cast<unsigned>((c - 0x10000) >> 10),
                      0xDC00 + static_cast<unsigned>((c - 0x10000) & 0x3FF));
    else
      result += text.substr(begin, i - begin);
  }
  return result + '"';
}

class JsonWriter {
 public:
  JsonWriter(Interpreter& run, int indent, bool sorted, bool ascii, std::string_view item,
             std::string_view key)
      : run_(run), indent_(indent), sorted_(sorted), ascii_(ascii), item_(item), key_(key) {}

  std::string result;

  void write(const Value& value, int depth) {
    run_.charge(1);
    if (result.size() > kMaxOutputBytes) run_.fail("the JSON text becomes too long");
    if (value.is_none())
      result += "null";
    else if (value.is_bool())
      result += value.truth() ? "true" : "false";
    else if (value.is_integer())
      result += cat(*value.integer());
    else if (value.is_float())
      result += json_float(*value.number());
    else if (const std::string* text = value.text())
      result += json_string(*text, ascii_);
    else if (const List* list = value.list(); list && list->kind <= ListKind::kTuple)
      write_list(*list, depth);
    else if (const Mapping* mapping = value.mapping())
      write_mapping(*mapping, depth);
    else if (value.is_undefined())
      run_.fail(cat("tojson: ", value.undefined_text(), " is undefined"));
    else
      run_.fail(cat("tojson: ", value.type(), " has no JSON form"));
  }

 private:
  static std::string json_float(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    return float_text(value);
  }
  void line(int depth) {
    if (indent_ < 0) return;
    result += '\n';
    result.append(static_cast<std::size_t>(indent_) * static_cast<std::size_t>(depth), ' ');
  }
  void write_list(const List& list, int depth) {
    if (list.items.empty()) {
      result += "[]";
      return;
    }
    result += '[';
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) result += item_;
      line(depth + 1);
      write(list.items[i], depth + 1);
    }
    line(depth);
    result += ']';
  }
  std::string key_text(const Value& key) {
    if (const std::string* text = key.text()) return *text;
    if (key.is_none()) return "null";
    if (key.is_bool()) return key.truth() ? "true" : "false";
    if (key.is_integer()) return cat(*key.integer());
    if (key.is_float()) return json_float(*key.number());
    run_.fail(cat("tojson: ", key.type(), " cannot be a key"));
  }
  void write_mapping(const Mapping& mapping, int depth) {
    if (mapping.entries.empty()) {
      result += "{}";
      return;
    }
    auto entries = mapping.entries;
    if (sorted_)
      std::stable_sort(entries.begin(), entries.end(),
                       [&](const auto& a, const auto& b) { return run_.less(a.first, b.first); });
    result += '{';
    bool first = true;
    for (const auto& [key, value] : entries) {
      if (!std::exchange(first, false)) result += item_;
      line(depth + 1);
      result += json_string(key_text(key), ascii_);
      result += key_;
      write(value, depth + 1);
    }
    line(depth);
    result += '}';
  }

  Interpreter& run_;
  int indent_;
  bool sorted_, ascii_;
  std::string_view item_, key_;
};

}  // namespace

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[64];
  const double size = std::fabs(value);
  const bool scientific = size != 0 && (size < 1e-4 || size >= 1e16);
  const auto end =
      std::to_chars(buffer, buffer + sizeof(buffer), value,
                    scientific ? std::chars_format::scientific : std::chars_format::fixed);
  std::string text(buffer, end.ptr);
  if (!scientific && text.find('.') == text.npos) text += ".0";
  return text;
}

std::string json_text(Interpreter& run, const Value& value, int indent, bool sorted, bool ascii,
                      std::string_view item_separator, std::string_view key_separator) {
  JsonWriter writer(run, indent, sorted, ascii, item_separator, key_separator);
  writer.write(value, 0);
  return writer.result;
}

std::string Interpreter::represented(const Value& value) {
  charge(1);
  if (const std::string* held = value.text()) {
    charge(held->size() / 32);
    return value.is_safe() ? cat("Markup(", quoted(*held), ")") : quoted(*held);
  }
  if (value.is_undefined()) return "Undefined";
  std::string result;
  const auto grown = [&](const std::string& part) {
    if (!result.empty()) result += ", ";
    result += part;
    charge(part.size() / 64);
    if (result.size() > kMaxOutputBytes) fail("the text of a list becomes too long");
  };
  if (const List* held = value.list()) {
    if (held->kind == ListKind::kGenerator) return "<generator object>";
    if (held->kind == ListKind::kRange) return cat("range(0, ", held->items.size(), ")");
    for (const Value& each : held->items) grown(represented(each));
    if (held->kind == ListKind::kTuple)
      return cat("(", result, held->items.size() == 1 ? ",)" : ")");
    const std::string_view view = held->kind == ListKind::kItems    ? "dict_items("
                                  : held->kind == ListKind::kKeys   ? "dict_keys("
                                  : held->kind == ListKind::kValues ? "dict_values("
                                                                    : "";
    return cat(view, "[", result, view.empty() ? "]" : "])");
  }
  if (const Mapping* held = value.mapping()) {
    for (const auto& [key, part] : held->entries)
      grown(cat(represented(key), ": ", represented(part)));
    return cat("{", result, "}");
  }
  if (value.function())
    return cat("<", value.function()->macro ? "Macro '" : "built-in '", value.function()->name,
               "'>");
  if (value.loop())
    return cat("<LoopContext ", value.loop()->index + 1, "/", value.loop()->items->items.size(),
               ">");
  if (value.names()) return "<Namespace>";
  return shown(value);
}

std::string Interpreter::shown(const Value& value) {
  if (const std::string* held = value.text()) return *held;
  if (value.is_undefined()) return {};
  if (value.is_none()) return "None";
  if (value.is_bool()) return value.truth() ? "True" : "False";
  if (value.is_integer()) return cat(*value.integer());
  if (value.is_float()) return float_text(*value.number());
  return represented(value);
}

}  // namespace nibble::chat
