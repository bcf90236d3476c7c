#include "chat/value.h"

#include <algorithm>

namespace nibble::chat {

Value Value::undefined(std::string what) {
  Value value;
  value.data_ = Undefined{std::make_shared<const std::string>(std::move(what))};
  return value;
}

Value Value::safe(std::string text) {
  Value value;
  value.data_ = SafeText{std::make_shared<const std::string>(std::move(text))};
  return value;
}

std::string Value::undefined_text() const {
  const auto* held = std::get_if<Undefined>(&data_);
  return held && held->what ? *held->what : "a value";
}

std::optional<std::int64_t> Value::integer() const {
  if (const auto* value = std::get_if<std::int64_t>(&data_)) return *value;
  if (const auto* value = std::get_if<bool>(&data_)) return *value ? 1 : 0;
  return std::nullopt;
}

std::optional<double> Value::number() const {
  if (const auto* value = std::get_if<double>(&data_)) return *value;
  if (const auto whole = integer()) return static_cast<double>(*whole);
  return std::nullopt;
}

bool Value::truth() const {
  if (is_undefined() || is_none()) return false;
  if (const auto* value = std::get_if<double>(&data_)) return *value != 0;
  if (const auto whole = integer()) return *whole != 0;
  if (const std::string* held = text()) return !held->empty();
  if (const List* held = list()) return held->kind == ListKind::kGenerator || !held->items.empty();
  if (const Mapping* held = mapping()) return !held->entries.empty();
  return true;
}

int Value::depth() const {
  if (const List* held = list()) return held->depth;
  if (const Mapping* held = mapping()) return held->depth;
  if (const Loop* held = loop()) return 1 + held->items->depth;
  if (const Function* held = function()) return 1 + held->self.depth();
  return 0;
}

std::string_view Value::type() const {
  if (is_undefined()) return "an undefined value";
  if (is_none()) return "none";
  if (is_bool()) return "a boolean";
  if (is_integer()) return "an integer";
  if (is_float()) return "a number";
  if (text()) return "a string";
  if (const List* held = list())
    return held->kind == ListKind::kTuple       ? "a tuple"
           : held->kind == ListKind::kGenerator ? "a generator"
                                                : "a list";
  if (mapping()) return "a mapping";
  if (function()) return "a function";
  return loop() ? "a loop" : "a namespace";
}

const Value* Mapping::find(std::string_view key) const {
  for (const auto& [name, value] : entries)
    if (const std::string* text = name.text(); text && *text == key) return &value;
  return nullptr;
}

const Value* Namespace::find(std::string_view name) const {
  for (const auto& [key, value] : entries)
    if (key == name) return &value;
  return nullptr;
}

void Namespace::set(std::string_view name, Value value) {
  for (auto& [key, held] : entries)
    if (key == name) {
      held = std::move(value);
      return;
    }
  entries.emplace_back(name, std::move(value));
}

const Value* Arguments::find(std::size_t index, std::string_view name) const {
  if (index < positional.size()) return &positional[index];
  for (const auto& [key, value] : named)
    if (key == name) return &value;
  return nullptr;
}

bool same_scalar(const Value& a, const Value& b) {
  if (a.is_undefined() || b.is_undefined()) return a.is_undefined() && b.is_undefined();
  if (a.is_none() || b.is_none()) return a.is_none() && b.is_none();
  if (const auto x = a.integer(), y = b.integer(); x && y) return *x == *y;
  if (const auto x = a.number(), y = b.number(); x && y) return *x == *y;
  if (a.text() && b.text()) return *a.text() == *b.text();
  if (a.list() || b.list()) return a.list() == b.list();
  if (a.mapping() || b.mapping()) return a.mapping() == b.mapping();
  if (const Function* f = a.function(), *g = b.function(); f && g)
    return f == g || (f->builtin == g->builtin && f->macro == g->macro && f->name == g->name &&
                      same_scalar(f->self, g->self));
  if (a.loop() || b.loop()) return a.loop() == b.loop();
  return a.names() && a.names() == b.names();
}

}  // namespace nibble::chat
