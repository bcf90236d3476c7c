// Filters on lists and mappings.
#include <algorithm>
#include <array>
#include <functional>

#include "base/text.h"
#include "chat/builtins/builtins.h"
#include "chat/characters.h"

namespace nibble::chat {
namespace {

using Run = Interpreter;

// "a.b.0" of a value.
Value dotted(Run& run, Value value, const std::string& path) {
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    const bool number =
        !name.empty() && name.size() < 10 &&
        std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
    value =
        run.item(value, number ? Value(static_cast<std::int64_t>(std::stol(name))) : Value(name));
    begin = end + 1;
  }
  return value;
}

// The value itself, or the attribute that the argument `attribute` names.
std::function<Value(const Value&)> key_of(Run& run, const Arguments& given, std::size_t index) {
  const Value* attribute = given.find(index, "attribute");
  if (!attribute || attribute->is_none()) return [](const Value& v) { return v; };
  const std::string path = attribute->text() ? *attribute->text() : run.shown(*attribute);
  return [&run, path](const Value& v) { return dotted(run, v, path); };
}

Value folded(Run& run, const Value& value, bool case_sensitive) {
  return value.text() && !case_sensitive ? run.text(lower(*value.text())) : value;
}

Value length(Run& run, const Value& v, const Arguments&) {
  std::size_t count = 0;
  if (const std::string* text = v.text()) {
    run.charge(text->size() / 64);
    count = count_characters(*text);
  } else if (const List* list = v.list(); list && list->kind != ListKind::kGenerator) {
    count = list->items.size();
  } else if (const Mapping* mapping = v.mapping()) {
    count = mapping->entries.size();
  } else if (const Loop* loop = v.loop()) {
    count = loop->items->items.size();
  } else if (!v.is_undefined()) {
    run.fail(cat(v.type(), " has no length"));
  }
  return static_cast<std::int64_t>(count);
}

Value first(Run& run, const Value& v, const Arguments&) {
  const auto items = run.items_of(v);
  return items.empty() ? Value::undefined("the first item of an empty sequence") : items.front();
}

Value last(Run& run, const Value& v, const Arguments&) {
  const auto items = run.items_of(v);
  return items.empty() ? Value::undefined("the last item of an empty sequence") : items.back();
}

Value join(Run& run, const Value& v, const Arguments& given) {
  const Value* between = given.find(0, "d");
  const std::string separator = between ? run.shown(*between) : "";
  const auto key = key_of(run, given, 1);
  std::string result;
  bool begins = true;
  for (const Value& item : run.items_of(v)) {
    if (!std::exchange(begins, false)) result += separator;
    result += run.shown(key(item));
    run.charge(1);
    if (result.size() > kMaxOutputBytes) run.fail("a joined text becomes too long");
  }
  return run.text(std::move(result));
}

Value pairs(Run& run, const Value& v, bool sorted, ListKind kind) {
  std::vector<Value> result;
  if (v.is_undefined() && !sorted) return run.list({}, kind);
  const Mapping* mapping = v.mapping();
  if (!mapping) run.fail(cat("expected a mapping, found ", v.type()));
  for (const auto& [key, value] : mapping->entries)
    result.push_back(run.list({key, value}, ListKind::kTuple));
  return run.list(std::move(result), kind);
}

Value items(Run& run, const Value& v, const Arguments&) {
  return pairs(run, v, false, ListKind::kGenerator);
}

Value sorted_by(Run& run, std::vector<Value> values, bool reverse, bool case_sensitive,
                const std::function<Value(const Value&)>& key) {
  std::vector<std::pair<Value, Value>> keyed;
  for (Value& value : values) keyed.emplace_back(folded(run, key(value), case_sensitive), value);
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return reverse ? run.less(b.first, a.first) : run.less(a.first, b.first);
  });
  std::vector<Value> result;
  for (auto& [order, value] : keyed) result.push_back(std::move(value));
  return run.list(std::move(result));
}

// "age,name": the first decides, among equals the next.
Value sort(Run& run, const Value& v, const Arguments& given) {
  const bool reverse = truth_argument(given, 0, "reverse", false);
  const bool case_sensitive = truth_argument(given, 1, "case_sensitive", false);
  const Value* attribute = given.find(2, "attribute");
  if (!attribute || !attribute->text())
    return sorted_by(run, run.items_of(v), reverse, case_sensitive, key_of(run, given, 2));
  std::vector<std::string> paths = {""};
  for (const char c : *attribute->text())
    if (c == ',')
      paths.emplace_back();
    else
      paths.back() += c;
  return sorted_by(run, run.items_of(v), reverse, true, [&](const Value& item) {
    std::vector<Value> keys;
    for (const std::string& path : paths)
      keys.push_back(folded(run, dotted(run, item, path), case_sensitive));
    return paths.size() == 1 ? keys[0] : run.list(std::move(keys));
  });
}

Value dictsort(Run& run, const Value& v, const Arguments& given) {
  const Value list = pairs(run, v, true, ListKind::kList);
  const bool by_value = text_argument(run, given, 1, "by", "key") == "value";
  return sorted_by(run, list.list()->items, truth_argument(given, 2, "reverse", false),
                   truth_argument(given, 0, "case_sensitive", false),
                   [by_value](const Value& pair) { return pair.list()->items[by_value ? 1 : 0]; });
}

Value unique(Run& run, const Value& v, const Arguments& given) {
  const bool case_sensitive = truth_argument(given, 0, "case_sensitive", false);
  const auto key = key_of(run, given, 1);
  std::vector<Value> seen, result;
  for (const Value& item : run.items_of(v)) {
    const Value k = folded(run, key(item), case_sensitive);
    if (std::any_of(seen.begin(), seen.end(),
                    [&](const Value& other) { return run.equal(other, k); }))
      continue;
    seen.push_back(k);
    result.push_back(item);
  }
  return run.list(std::move(result), ListKind::kGenerator);
}

Value extreme(Run& run, const Value& v, const Arguments& given, bool largest) {
  const bool case_sensitive = truth_argument(given, 0, "case_sensitive", false);
  const auto key = key_of(run, given, 1);
  Value best = Value::undefined("the extreme of an empty sequence"), best_key;
  bool found = false;
  for (const Value& item : run.items_of(v)) {
    const Value k = folded(run, key(item), case_sensitive);
    if (found && !(largest ? run.less(best_key, k) : run.less(k, best_key))) continue;
    best = item;
    best_key = k;
    found = true;
  }
  return best;
}

Value sum(Run& run, const Value& v, const Arguments& given) {
  const auto key = key_of(run, given, 0);
  const Value* start = given.find(1, "start");
  Value total = start ? *start : Value(std::int64_t{0});
  for (const Value& item : run.items_of(v)) total = run.arithmetic("+", total, key(item));
  return total;
}

Value reverse(Run& run, const Value& v, const Arguments&) {
  auto items = run.items_of(v);
  std::reverse(items.begin(), items.end());
  if (!v.text()) return run.list(std::move(items), ListKind::kGenerator);
  std::string result;
  for (const Value& c : items) result += *c.text();
  return run.text_like(v, std::move(result));
}

Arguments without_first(const Arguments& given, std::size_t count) {
  Arguments rest = given;
  rest.positional.erase(rest.positional.begin(),
                        rest.positional.begin() +
                            static_cast<std::ptrdiff_t>(std::min(count, rest.positional.size())));
  return rest;
}

// These filters take nothing from anything that is false: none, too.
std::vector<Value> items_unless_false(Run& run, const Value& v) {
  return v.truth() ? run.items_of(v) : std::vector<Value>();
}

Value map(Run& run, const Value& v, const Arguments& given) {
  std::vector<Value> result;
  const bool by_attribute = given.positional.empty();
  const Value* otherwise = given.find(given.positional.size(), "default");
  const std::string name = by_attribute ? "" : text_argument(run, given, 0, "filter", "");
  if (by_attribute && !given.find(1, "attribute")) run.fail("map needs a filter or attribute=");
  const auto key = key_of(run, given, given.positional.size());
  const Arguments rest = without_first(given, 1);
  for (const Value& item : items_unless_false(run, v)) {
    Value mapped = by_attribute ? key(item) : run.filter(name, item, rest);
    if (by_attribute && otherwise && mapped.is_undefined()) mapped = *otherwise;
    result.push_back(std::move(mapped));
  }
  return run.list(std::move(result), ListKind::kGenerator);
}

// select, reject, selectattr, rejectattr: keeps what the test, or truth itself, says.
Value chosen(Run& run, const Value& v, const Arguments& given, bool by_attribute, bool wanted) {
  const std::size_t place = by_attribute ? 1 : 0;
  if (by_attribute && given.positional.empty())
    run.fail("selectattr needs the name of an attribute");
  const std::string path = by_attribute ? run.shown(given.positional[0]) : "";
  const bool tests = given.positional.size() > place;
  const std::string name = tests ? need_text(run, given.positional[place], "select") : "";
  const Arguments rest = without_first(given, place + 1);
  std::vector<Value> result;
  for (const Value& item : items_unless_false(run, v)) {
    const Value subject = by_attribute ? dotted(run, item, path) : item;
    if ((tests ? run.test(name, subject, rest) : subject.truth()) == wanted) result.push_back(item);
  }
  return run.list(std::move(result), ListKind::kGenerator);
}

Value groupby(Run& run, const Value& v, const Arguments& given) {
  const auto key = key_of(run, given, 0);
  const bool case_sensitive = truth_argument(given, 2, "case_sensitive", false);
  const Value sorted = sorted_by(run, run.items_of(v), false, case_sensitive, key);
  std::vector<Value> groups, members;
  Value group;
  const auto close = [&] {
    if (!members.empty())
      groups.push_back(run.list({group, run.list(std::exchange(members, {}))}, ListKind::kTuple));
  };
  for (const Value& item : sorted.list()->items) {
    const Value k = key(item);
    if (members.empty() ||
        !run.equal(folded(run, k, case_sensitive), folded(run, group, case_sensitive))) {
      close();
      group = k;
    }
    members.push_back(item);
  }
  close();
  return run.list(std::move(groups));
}

Value batch(Run& run, const Value& v, const Arguments& given) {
  const auto size = integer_argument(run, given, 0, "linecount", 1);
  if (size < 1) run.fail("batch needs a size of at least 1");
  std::vector<Value> batches, members;
  for (const Value& item : run.items_of(v)) {
    members.push_back(item);
    if (static_cast<std::int64_t>(members.size()) == size)
      batches.push_back(run.list(std::exchange(members, {})));
  }
  if (const Value* fill = given.find(1, "fill_with");
      fill && !fill->is_none() && !members.empty()) {
    constexpr std::int64_t kMostFilled = 1 << 16;
    if (size > kMostFilled) run.fail(cat("batch fills up to ", kMostFilled, " places"));
    members.resize(static_cast<std::size_t>(size), *fill);
  }
  if (!members.empty()) batches.push_back(run.list(std::move(members)));
  return run.list(std::move(batches), ListKind::kGenerator);
}

constexpr std::array<NamedBuiltin, 23> kFilters = {{
    {"length", length},
    {"count", length},
    {"first", first},
    {"last", last},
    {"join", join},
    {"items", items},
    {"sort", sort},
    {"dictsort", dictsort},
    {"unique", unique},
    {"sum", sum},
    {"reverse", reverse},
    {"map", map},
    {"groupby", groupby},
    {"batch", batch},
    {"list", [](Run& run, const Value& v, const Arguments&) { return run.list(run.items_of(v)); }},
    {"min", [](Run& run, const Value& v, const Arguments& a) { return extreme(run, v, a, false); }},
    {"max", [](Run& run, const Value& v, const Arguments& a) { return extreme(run, v, a, true); }},
    {"select",
     [](Run& run, const Value& v, const Arguments& a) { return chosen(run, v, a, false, true); }},
    {"reject",
     [](Run& run, const Value& v, const Arguments& a) { return chosen(run, v, a, false, false); }},
    {"selectattr",
     [](Run& run, const Value& v, const Arguments& a) { return chosen(run, v, a, true, true); }},
    {"rejectattr",
     [](Run& run, const Value& v, const Arguments& a) { return chosen(run, v, a, true, false); }},
    {"attr",
     [](Run& run, const Value& v, const Arguments& a) {
       return run.attribute(v, text_argument(run, a, 0, "name", ""));
     }},
    {"pprint",
     [](Run& run, const Value& v, const Arguments&) { return run.text(run.represented(v)); }},
}};

}  // namespace

std::span<const NamedBuiltin> sequence_filters() { return kFilters; }

}  // namespace nibble::chat
