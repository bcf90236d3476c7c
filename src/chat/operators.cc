// Comparison and arithmetic as Python has them, within 64 bits.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "chat/builtins/builtins.h"
#include "chat/interpreter.h"

namespace nibble::chat {

bool Interpreter::equal(const Value& a, const Value& b) {
  charge(1);
  if (const List* x = a.list(), *y = b.list(); x && y) {
    const auto kind = [](ListKind k) { return k == ListKind::kTuple; };
    if (kind(x->kind) != kind(y->kind) || x->items.size() != y->items.size()) return false;
    for (std::size_t i = 0; i < x->items.size(); ++i)
      if (!equal(x->items[i], y->items[i])) return false;
    return true;
  }
  if (const Mapping* x = a.mapping(), *y = b.mapping(); x && y) {
    if (x->entries.size() != y->entries.size()) return false;
    for (const auto& [key, value] : x->entries) {
      charge(y->entries.size() / 16);
      const auto found = std::find_if(y->entries.begin(), y->entries.end(),
                                      [&](const auto& e) { return same_scalar(e.first, key); });
      if (found == y->entries.end() || !equal(value, found->second)) return false;
    }
    return true;
  }
  return same_scalar(a, b);
}

bool Interpreter::less(const Value& a, const Value& b) {
  charge(1);
  if (const auto x = a.integer(), y = b.integer(); x && y) return *x < *y;
  if (const auto x = a.number(), y = b.number(); x && y) return *x < *y;
  // Bytes of UTF-8 sort as the characters do.
  if (a.text() && b.text()) return *a.text() < *b.text();
  if (const List* x = a.list(), *y = b.list(); x && y) {
    for (std::size_t i = 0; i < std::min(x->items.size(), y->items.size()); ++i)
      if (!equal(x->items[i], y->items[i])) return less(x->items[i], y->items[i]);
    return x->items.size() < y->items.size();
  }
  fail(cat("cannot compare ", a.type(), " with ", b.type()));
}

bool Interpreter::contains(const Value& container, const Value& item) {
  if (const std::string* text = container.text()) {
    charge(text->size() / 64);
    if (!item.text()) fail(cat("expected a string before \"in\" a string, found ", item.type()));
    return text->find(*item.text()) != text->npos;
  }
  const std::vector<Value> items = items_of(container);
  return std::any_of(items.begin(), items.end(),
                     [&](const Value& other) { return equal(other, item); });
}

namespace {

Value repeated(Interpreter& run, const Value& value, std::int64_t count) {
  const auto times = static_cast<std::size_t>(std::max<std::int64_t>(0, count));
  if (const std::string* text = value.text()) {
    if (!text->empty() && times > kMaxOutputBytes / text->size())
      run.fail("a repeated string becomes too long");
    std::string result;
    for (std::size_t i = 0; !text->empty() && i < times; ++i) result += *text;
    return run.text_like(value, std::move(result));
  }
  const List& list = *value.list();
  if (!list.items.empty() && times > kMaxRange / list.items.size())
    run.fail("a repeated list becomes too long");
  std::vector<Value> items;
  for (std::size_t i = 0; !list.items.empty() && i < times; ++i)
    items.insert(items.end(), list.items.begin(), list.items.end());
  return run.list(std::move(items), list.kind);
}

Value of_integers(Interpreter& run, std::string_view name, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflow = false;
  if ((name == "//" || name == "%") && b == 0) run.fail("division by zero");
  if (name == "+") overflow = __builtin_add_overflow(a, b, &result);
  if (name == "-") overflow = __builtin_sub_overflow(a, b, &result);
  if (name == "*") overflow = __builtin_mul_overflow(a, b, &result);
  if (name == "//" || name == "%") {
    if (b == -1) {
      overflow = name == "//" && __builtin_sub_overflow(std::int64_t{0}, a, &result);
    } else {
      const bool below = a % b != 0 && (a % b < 0) != (b < 0);
      result = name == "//" ? a / b - (below ? 1 : 0) : a % b + (below ? b : 0);
    }
  }
  if (name == "**") {
    result = 1;
    if (a == 0 || a == 1) b = std::min<std::int64_t>(b, 1);
    if (a == -1) b %= 2;
    for (; b > 0 && !overflow; --b) overflow = __builtin_mul_overflow(result, a, &result);
  }
  if (overflow) run.fail(cat("the result of ", name, " is no 64-bit integer"));
  return result;
}

Value of_numbers(Interpreter& run, std::string_view name, double a, double b) {
  if (name == "+") return a + b;
  if (name == "-") return a - b;
  if (name == "*") return a * b;
  if (name == "**") return std::pow(a, b);
  if (b == 0) run.fail("division by zero");
  if (name == "/") return a / b;
  if (name == "//") return std::floor(a / b);
  const double rest = std::fmod(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

}  // namespace

Value Interpreter::arithmetic(std::string_view name, const Value& a, const Value& b) {
  for (const Value* side : {&a, &b})
    if (side->is_undefined()) fail(cat(side->undefined_text(), " is undefined"));
  if (name == "%" && a.text()) return text_like(a, percent_format(*this, a, b));
  const auto x = a.number(), y = b.number();
  if (x && y) {
    const auto i = a.integer(), j = b.integer();
    const bool whole = i && j && name != "/" && !(name == "**" && *j < 0);
    return whole ? of_integers(*this, name, *i, *j) : of_numbers(*this, name, *x, *y);
  }
  if (name == "+" && a.text() && b.text()) {
    if (a.text()->size() + b.text()->size() > kMaxOutputBytes) fail("a string becomes too long");
    const Value& whole = b.is_safe() ? b : a;
    return text_like(whole, part_of(whole, a) + part_of(whole, b));
  }
  const List *left = a.list(), *right = b.list();
  if (name == "+" && left && right && left->kind == right->kind) {
    std::vector<Value> items = left->items;
    items.insert(items.end(), right->items.begin(), right->items.end());
    return list(std::move(items), left->kind);
  }
  if (name == "*" && b.integer() && (a.text() || left)) return repeated(*this, a, *b.integer());
  if (name == "*" && a.integer() && (b.text() || right)) return repeated(*this, b, *a.integer());
  fail(cat("cannot compute ", a.type(), " ", name, " ", b.type()));
}

}  // namespace nibble::chat
