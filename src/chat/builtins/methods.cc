// "value.method(…)" of texts, mappings and loops. Nothing here changes a value.
#include <array>

#include "base/text.h"
#include "chat/builtins/builtins.h"
#include "chat/characters.h"

namespace nibble::chat {
namespace {

using Run = Interpreter;

Value stripped(Run& run, const Value& v, const Arguments& given, bool left, bool right) {
  const Value* chars = given.find(0, "chars");
  return run.text_like(
      v, std::string(chars && !chars->is_none()
                         ? strip(*v.text(), need_text(run, *chars, "strip"), left, right)
                         : strip(*v.text(), left, right)));
}

Value split(Run& run, const Value& v, const Arguments& given) {
  const std::string_view text = *v.text();
  const Value* separator = given.find(0, "sep");
  std::int64_t left = integer_argument(run, given, 1, "maxsplit", -1);
  std::vector<Value> parts;
  if (separator && !separator->is_none()) {
    const std::string& between = need_text(run, *separator, "split");
    if (between.empty()) run.fail("split: the separator is empty");
    std::size_t begin = 0;
    for (std::size_t at; left != 0 && (at = text.find(between, begin)) != text.npos; --left) {
      parts.push_back(run.text_like(v, std::string(text.substr(begin, at - begin))));
      begin = at + between.size();
      run.charge(1);
    }
    parts.push_back(run.text_like(v, std::string(text.substr(begin))));
    return run.list(std::move(parts));
  }
  std::string_view rest = strip(text, true, false);
  while (!rest.empty()) {
    run.charge(1);
    std::size_t end = 0;
    while (end < rest.size()) {
      std::size_t after = end;
      if (is_space(next_character(rest, after))) break;
      end = after;
    }
    if (left-- == 0) end = rest.size();
    parts.push_back(
        run.text_like(v, std::string(left == -1 && end == rest.size() ? strip(rest, false, true)
                                                                      : rest.substr(0, end))));
    rest = strip(rest.substr(end), true, false);
  }
  return run.list(std::move(parts));
}

Value rsplit(Run& run, const Value& v, const Arguments& given) {
  std::int64_t left = integer_argument(run, given, 1, "maxsplit", -1);
  const Value* separator = given.find(0, "sep");
  if (left < 0 || !separator || separator->is_none()) return split(run, v, given);
  const std::string& between = need_text(run, *separator, "rsplit");
  if (between.empty()) run.fail("rsplit: the separator is empty");
  std::string_view rest = *v.text();
  std::vector<Value> parts;
  for (std::size_t at; left > 0 && (at = rest.rfind(between)) != rest.npos; --left) {
    parts.insert(parts.begin(), run.text_like(v, std::string(rest.substr(at + between.size()))));
    run.charge(1 + parts.size() / 4);
    rest = rest.substr(0, at);
  }
  parts.insert(parts.begin(), run.text_like(v, std::string(rest)));
  return run.list(std::move(parts));
}

Value splitlines(Run& run, const Value& v, const Arguments& given) {
  auto parts = lines_of(*v.text());
  run.charge(parts.size());
  if (truth_argument(given, 0, "keepends", false))
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const char* end =
          i + 1 < parts.size() ? parts[i + 1].data() : v.text()->data() + v.text()->size();
      parts[i] = {parts[i].data(), static_cast<std::size_t>(end - parts[i].data())};
    }
  std::vector<Value> lines;
  for (const std::string_view part : parts) lines.push_back(run.text_like(v, std::string(part)));
  return run.list(std::move(lines));
}

Value affix(Run& run, const Value& v, const Arguments& given, bool at_start) {
  const Value* wanted = given.find(0, "prefix");
  if (!wanted) run.fail("startswith and endswith need an argument");
  const auto matches = [&](const Value& part) {
    const std::string& text = need_text(run, part, "startswith");
    return at_start ? v.text()->starts_with(text) : v.text()->ends_with(text);
  };
  if (!wanted->list()) return matches(*wanted);
  for (const Value& part : wanted->list()->items)
    if (matches(part)) return true;
  return false;
}

Value replace(Run& run, const Value& v, const Arguments& given) {
  const Value* with = given.find(1, "new");
  if (with) need_text(run, *with, "new");
  return run.text_like(v, replace_all(run, *v.text(), text_argument(run, given, 0, "old", ""),
                                      with ? part_of(v, *with) : std::string(),
                                      integer_argument(run, given, 2, "count", -1)));
}

Value find(Run& run, const Value& v, const Arguments& given, bool from_end) {
  const std::string wanted = text_argument(run, given, 0, "sub", "");
  const std::size_t at = from_end ? v.text()->rfind(wanted) : v.text()->find(wanted);
  if (at == std::string::npos) return std::int64_t{-1};
  return static_cast<std::int64_t>(count_characters(std::string_view(*v.text()).substr(0, at)));
}

Value count(Run& run, const Value& v, const Arguments& given) {
  const std::string wanted = text_argument(run, given, 0, "sub", "");
  if (wanted.empty()) return static_cast<std::int64_t>(count_characters(*v.text()) + 1);
  std::int64_t found = 0;
  for (std::size_t at = 0; (at = v.text()->find(wanted, at)) != std::string::npos;
       at += wanted.size()) {
    ++found;
    run.charge(1);
  }
  return found;
}

Value removed(Run& run, const Value& v, const Arguments& given, bool at_start) {
  const std::string part = text_argument(run, given, 0, "prefix", "");
  std::string_view text = *v.text();
  if (at_start && text.starts_with(part))
    text.remove_prefix(part.size());
  else if (!at_start && text.ends_with(part))
    text.remove_suffix(part.size());
  return run.text_like(v, std::string(text));
}

Value join(Run& run, const Value& v, const Arguments& given) {
  if (given.positional.empty()) run.fail("join needs a list");
  Arguments separator;
  separator.positional.push_back(v);
  std::vector<Value> parts;
  for (const Value& item : run.items_of(given.positional[0])) {
    need_text(run, item, "join");
    parts.push_back(run.text(part_of(v, item)));
  }
  const Value joined = run.filter("join", run.list(std::move(parts)), separator);
  return run.text_like(v, *joined.text());
}

template <typename Passes>
Value every_character(const Value& v, const Passes& passes) {
  for (std::size_t i = 0; i < v.text()->size();)
    if (!passes(next_character(*v.text(), i))) return false;
  return !v.text()->empty();
}

Value format(Run& run, const Value& v, const Arguments& given) {
  return run.text_like(v, brace_format(run, v, given));
}

constexpr std::array<NamedBuiltin, 27> kTextMethods = {{
    {"strip",
     [](Run& run, const Value& v, const Arguments& a) { return stripped(run, v, a, true, true); }},
    {"lstrip",
     [](Run& run, const Value& v, const Arguments& a) { return stripped(run, v, a, true, false); }},
    {"rstrip",
     [](Run& run, const Value& v, const Arguments& a) { return stripped(run, v, a, false, true); }},
    {"split", split},
    {"rsplit", rsplit},
    {"splitlines", splitlines},
    {"startswith",
     [](Run& run, const Value& v, const Arguments& a) { return affix(run, v, a, true); }},
    {"endswith",
     [](Run& run, const Value& v, const Arguments& a) { return affix(run, v, a, false); }},
    {"removeprefix",
     [](Run& run, const Value& v, const Arguments& a) { return removed(run, v, a, true); }},
    {"removesuffix",
     [](Run& run, const Value& v, const Arguments& a) { return removed(run, v, a, false); }},
    {"replace", replace},
    {"find", [](Run& run, const Value& v, const Arguments& a) { return find(run, v, a, false); }},
    {"rfind", [](Run& run, const Value& v, const Arguments& a) { return find(run, v, a, true); }},
    {"count", count},
    {"join", join},
    {"format", format},
    {"upper",
     [](Run& run, const Value& v, const Arguments&) { return run.text_like(v, upper(*v.text())); }},
    {"lower",
     [](Run& run, const Value& v, const Arguments&) { return run.text_like(v, lower(*v.text())); }},
    {"title",
     [](Run& run, const Value& v, const Arguments&) { return run.text_like(v, title(*v.text())); }},
    {"capitalize", [](Run& run, const Value& v,
                      const Arguments&) { return run.text_like(v, capitalize(*v.text())); }},
    {"isdigit",
     [](Run&, const Value& v, const Arguments&) { return every_character(v, is_digit); }},
    {"isnumeric",
     [](Run&, const Value& v, const Arguments&) { return every_character(v, is_numeric); }},
    {"isdecimal",
     [](Run&, const Value& v, const Arguments&) { return every_character(v, is_decimal); }},
    {"isalpha",
     [](Run&, const Value& v, const Arguments&) { return every_character(v, is_letter); }},
    {"isalnum",
     [](Run&, const Value& v, const Arguments&) {
       return every_character(v, [](char32_t c) { return is_letter(c) || is_numeric(c); });
     }},
    {"isspace",
     [](Run&, const Value& v, const Arguments&) { return every_character(v, is_space); }},
    {"isupper",
     [](Run&, const Value& v, const Arguments&) -> Value {
       return upper(*v.text()) == *v.text() && lower(*v.text()) != *v.text();
     }},
}};

Value get(Run& run, const Value& v, const Arguments& given) {
  const Value* key = given.find(0, "key");
  const Value* otherwise = given.find(1, "default");
  if (!key) run.fail("get needs a key");
  run.charge(v.mapping()->entries.size() / 16);
  for (const auto& [name, value] : v.mapping()->entries)
    if (same_scalar(name, *key)) return value;
  return otherwise ? *otherwise : Value(None{});
}

Value parts(Run& run, const Value& v, ListKind kind) {
  std::vector<Value> result;
  for (const auto& [key, value] : v.mapping()->entries)
    result.push_back(kind == ListKind::kItems  ? run.list({key, value}, ListKind::kTuple)
                     : kind == ListKind::kKeys ? key
                                               : value);
  return run.list(std::move(result), kind);
}

template <ListKind kKind>
Value view(Run& run, const Value& v, const Arguments&) {
  return parts(run, v, kKind);
}

Value refused(Run& run, const Value&, const Arguments&) {
  run.fail("a template cannot change a mapping: the method is not allowed");
}

constexpr std::array<NamedBuiltin, 10> kMappingMethods = {{
    {"get", get},
    {"items", view<ListKind::kItems>},
    {"keys", view<ListKind::kKeys>},
    {"values", view<ListKind::kValues>},
    {"copy", [](Run&, const Value& v, const Arguments&) { return v; }},
    {"pop", refused},
    {"popitem", refused},
    {"update", refused},
    {"clear", refused},
    {"setdefault", refused},
}};

Value cycle(Run& run, const Value& v, const Arguments& given) {
  if (given.positional.empty()) run.fail("loop.cycle needs values");
  return given.positional[v.loop()->index % given.positional.size()];
}

constexpr std::array<NamedBuiltin, 1> kLoopMethods = {{{"cycle", cycle}}};

}  // namespace

std::span<const NamedBuiltin> text_methods() { return kTextMethods; }
std::span<const NamedBuiltin> mapping_methods() { return kMappingMethods; }
std::span<const NamedBuiltin> loop_methods() { return kLoopMethods; }

}  // namespace nibble::chat
