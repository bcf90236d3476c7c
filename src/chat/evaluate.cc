// Expressions.
#include <algorithm>
#include <utility>

#include "base/text.h"
#include "chat/builtins/builtins.h"
#include "chat/characters.h"
#include "chat/interpreter.h"
#include "nibble/error.h"

namespace nibble::chat {

Arguments Interpreter::arguments(const Node& node, std::size_t first) {
  Arguments result;
  for (std::size_t i = 0; i < node.names.size(); ++i) {
    Value value = evaluate(*node.parts[first + i]);
    const std::string& name = node.names[i];
    if (name.empty()) {
      result.positional.push_back(std::move(value));
    } else if (name == "*") {
      for (Value& item : items_of(value)) result.positional.push_back(std::move(item));
    } else if (name == "**") {
      const Mapping* mapping = value.mapping();
      if (!mapping) fail(cat("expected a mapping after **, found ", value.type()));
      for (const auto& [key, part] : mapping->entries)
        result.named.emplace_back(need_text(*this, key, "a keyword"), part);
    } else {
      result.named.emplace_back(name, std::move(value));
    }
  }
  return result;
}

std::vector<Value> Interpreter::items_of(const Value& value) {
  std::vector<Value> items;
  if (value.is_undefined()) return items;
  if (const List* list = value.list()) {
    items = list->items;
  } else if (const Mapping* mapping = value.mapping()) {
    for (const auto& [key, part] : mapping->entries) items.push_back(key);
  } else if (const std::string* text = value.text()) {
    charge(text->size());
    for (const std::string_view character : characters_of(*text)) items.emplace_back(character);
  } else {
    fail(cat("expected a list, a mapping or a string, found ", value.type()));
  }
  charge(items.size() / 4);
  return items;
}

Value Interpreter::attribute(const Value& object, std::string_view name) {
  if (object.is_undefined())
    fail(cat(object.undefined_text(), " is undefined: it has no attribute \"", name, "\""));
  const auto bound = [&](std::span<const NamedBuiltin> table) {
    const Builtin method = find_builtin(table, name);
    return method ? Value(std::make_shared<const Function>(
                        Function{std::string(name), method, object}))
                  : Value();
  };
  Value found;
  if (object.text()) found = bound(text_methods());
  if (const Loop* loop = object.loop()) {
    const std::size_t count = loop->items->items.size(), i = loop->index;
    const auto number = [](std::size_t value) { return Value(static_cast<std::int64_t>(value)); };
    if (name == "index") return number(i + 1);
    if (name == "index0") return number(i);
    if (name == "revindex") return number(count - i);
    if (name == "revindex0") return number(count - i - 1);
    if (name == "first") return i == 0;
    if (name == "last") return i + 1 == count;
    if (name == "length") return number(count);
    // How deep a recursive loop has called itself, and there are none.
    if (name == "depth") return number(1);
    if (name == "depth0") return number(0);
    if (name == "previtem" && i > 0) return loop->items->items[i - 1];
    if (name == "nextitem" && i + 1 < count) return loop->items->items[i + 1];
    found = bound(loop_methods());
  }
  if (const Namespace* names = object.names())
    if (const Value* value = names->find(name)) return *value;
  if (const Mapping* mapping = object.mapping()) {
    found = bound(mapping_methods());
    if (!found.is_undefined()) return found;
    charge(mapping->entries.size() / 16);
    if (const Value* value = mapping->find(name)) return *value;
  }
  return found.is_undefined()
             ? Value::undefined(cat("the attribute \"", name, "\" of ", object.type()))
             : found;
}

Value Interpreter::item(const Value& object, const Value& key) {
  if (object.is_undefined()) fail(cat(object.undefined_text(), " is undefined: it has no items"));
  const auto missing = [&] {
    return Value::undefined(cat("the item ", represented(key), " of ", object.type()));
  };
  if (const Mapping* mapping = object.mapping()) {
    charge(mapping->entries.size() / 16);
    for (const auto& [name, value] : mapping->entries)
      if (same_scalar(name, key)) return value;
  }
  if (const auto index = key.integer()) {
    const List* list = object.list();
    if (list && has_places(list->kind)) {
      const auto count = static_cast<std::int64_t>(list->items.size());
      const std::int64_t place = *index < 0 ? *index + count : *index;
      return place >= 0 && place < count ? list->items[static_cast<std::size_t>(place)] : missing();
    }
    if (const std::string* text = object.text()) {
      charge(text->size() / 8);
      const auto parts = characters_of(*text);
      const auto count = static_cast<std::int64_t>(parts.size());
      const std::int64_t place = *index < 0 ? *index + count : *index;
      if (place < 0 || place >= count) return missing();
      return text_like(object, std::string(parts[static_cast<std::size_t>(place)]));
    }
  }
  if (const std::string* name = key.text()) {
    Value found = attribute(object, *name);
    if (!found.is_undefined()) return found;
  }
  return missing();
}

Value Interpreter::slice(const Node& node) {
  const Value object = evaluate(*node.parts[0]);
  const std::string* text = object.text();
  if (!text && (!object.list() || object.list()->kind == ListKind::kGenerator)) {
    if (object.is_undefined()) fail(cat(object.undefined_text(), " is undefined: it has no items"));
    fail(cat("expected a list or a string before [:], found ", object.type()));
  }
  if (text) charge(text->size() / 8);
  const std::vector<Value> items = items_of(object);
  const auto count = static_cast<std::int64_t>(items.size());
  const auto bound = [&](std::size_t part) -> std::optional<std::int64_t> {
    if (!node.parts[part]) return std::nullopt;
    const Value value = evaluate(*node.parts[part]);
    if (value.is_none()) return std::nullopt;
    const auto number = value.integer();
    if (!number) fail(cat("expected an integer in [:], found ", value.type()));
    return number;
  };
  const auto start = bound(1), stop = bound(2);
  const std::int64_t step = bound(3).value_or(1);
  if (step == 0) fail("the step of [:] is 0");
  const std::int64_t low = step > 0 ? 0 : -1, high = step > 0 ? count : count - 1;
  const auto place = [&](const std::optional<std::int64_t>& value, std::int64_t otherwise) {
    if (!value) return otherwise;
    return std::clamp(*value < 0 ? std::max(*value, -count - 1) + count : *value, low, high);
  };
  const std::int64_t begin = place(start, step > 0 ? low : high);
  const std::int64_t end = place(stop, step > 0 ? high : low);
  std::vector<Value> chosen;
  const std::int64_t pace = std::clamp<std::int64_t>(step, -count - 1, count + 1);
  for (std::int64_t i = begin; step > 0 ? i < end : i > end; i += pace)
    chosen.push_back(items[static_cast<std::size_t>(i)]);
  if (!text) return list(std::move(chosen), object.list()->kind);
  std::string joined;
  for (const Value& part : chosen) joined += *part.text();
  return text_like(object, std::move(joined));
}

bool Interpreter::compare_two(std::string_view name, const Value& a, const Value& b) {
  if (name == "==") return equal(a, b);
  if (name == "!=") return !equal(a, b);
  if (name == "in") return contains(b, a);
  if (name == "not in") return !contains(b, a);
  if (name == "<") return less(a, b);
  if (name == ">") return less(b, a);
  const auto x = a.number(), y = b.number();  // not the opposite of > when one is no number
  if (x && y && name == "<=") return *x <= *y;
  if (x && y) return *x >= *y;
  return name == "<=" ? !less(b, a) : !less(a, b);
}

Value Interpreter::compare(const Node& node) {
  Value left = evaluate(*node.parts[0]);
  for (std::size_t i = 0; i < node.names.size(); ++i) {
    Value right = evaluate(*node.parts[i + 1]);
    if (!compare_two(node.names[i], left, right)) return false;
    left = std::move(right);
  }
  return true;
}

Value Interpreter::filter(std::string_view name, const Value& input, const Arguments& given) {
  charge(1);
  Builtin found = find_builtin(text_filters(), name);
  if (!found) found = find_builtin(sequence_filters(), name);
  if (!found)
    throw Error(ErrorKind::kUnsupported,
                cat("chat template, line ", line_, ": there is no filter \"", name, "\""));
  return found(*this, input, given);
}

bool Interpreter::test(std::string_view name, const Value& input, const Arguments& given) {
  charge(1);
  const Builtin found = find_builtin(value_tests(), name);
  if (!found)
    throw Error(ErrorKind::kUnsupported,
                cat("chat template, line ", line_, ": there is no test \"", name, "\""));
  return found(*this, input, given).truth();
}

Value Interpreter::evaluate(const Node& node) {
  charge(1);
  if (node.kind == NodeKind::kConstant) return node.value;
  if (node.kind == NodeKind::kName) return look_up(node.name);
  return evaluate_deep(node);
}

Value Interpreter::evaluate_deep(const Node& node) {
  const Level level(*this);
  const auto part = [&](std::size_t i) { return evaluate(*node.parts[i]); };
  Value result;
  switch (node.kind) {
    case NodeKind::kList:
    case NodeKind::kTuple: {
      std::vector<Value> items;
      for (const NodePtr& each : node.parts) items.push_back(evaluate(*each));
      result = list(std::move(items),
                    node.kind == NodeKind::kTuple ? ListKind::kTuple : ListKind::kList);
      break;
    }
    case NodeKind::kDict: {
      std::vector<std::pair<Value, Value>> entries;
      for (std::size_t i = 0; i < node.parts.size(); i += 2) {
        Value key = part(i);
        entries.emplace_back(std::move(key), part(i + 1));
      }
      result = mapping(std::move(entries));
      break;
    }
    case NodeKind::kAttribute:
      result = attribute(part(0), node.name);
      break;
    case NodeKind::kItem: {
      const Value object = part(0);
      result = item(object, part(1));
      break;
    }
    case NodeKind::kSlice:
      result = slice(node);
      break;
    case NodeKind::kCall: {
      const Value callee = part(0);
      line_ = node.line;
      result = call(callee, arguments(node, 1));
      break;
    }
    case NodeKind::kFilter: {
      const Value input = node.parts[0] ? part(0) : look_up("");
      result = filter(node.name, input, arguments(node, 1));
      break;
    }
    case NodeKind::kTest: {
      const Value input = part(0);
      result = test(node.name, input, arguments(node, 1));
      break;
    }
    case NodeKind::kNegate:
      result = arithmetic("-", std::int64_t{0}, part(0));
      break;
    case NodeKind::kPlus:
      result = arithmetic("+", std::int64_t{0}, part(0));
      break;
    case NodeKind::kNot:
      result = !part(0).truth();
      break;
    case NodeKind::kAnd:
      result = part(0);
      if (result.truth()) result = part(1);
      break;
    case NodeKind::kOr:
      result = part(0);
      if (!result.truth()) result = part(1);
      break;
    case NodeKind::kArithmetic: {
      const Value left = part(0);
      result = arithmetic(node.name, left, part(1));
      break;
    }
    case NodeKind::kConcat: {
      std::string joined;
      for (const NodePtr& each : node.parts) {
        joined += shown(evaluate(*each));
        charge(joined.size() / 256);
        if (joined.size() > kMaxOutputBytes) break;
      }
      result = text(std::move(joined));
      break;
    }
    case NodeKind::kCompare:
      result = compare(node);
      break;
    case NodeKind::kConditional:
      if (part(1).truth())
        result = part(0);
      else
        result = node.parts[2] ? part(2) : Value::undefined("an inline if without else");
      break;
    default:
      fail("a value was expected");
  }
  return result;
}

}  // namespace nibble::chat
