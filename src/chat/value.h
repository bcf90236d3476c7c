// What a template computes with. Values are immutable; only namespaces and running loops change.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace nibble::chat {

struct List;
struct Mapping;
struct Function;
struct Loop;
struct Namespace;

// The result of a name, attribute or key that does not exist: prints as nothing, is false, is an
// empty sequence, and anything else done with it is an error that says `what`.
struct Undefined {
  std::shared_ptr<const std::string> what;
};
struct None {};
// A text marked as safe (Python's Markup): what it is joined with is escaped for HTML.
struct SafeText {
  std::shared_ptr<const std::string> text;
};

class Value {
 public:
  Value() = default;
  Value(None) : data_(None{}) {}
  Value(bool value) : data_(value) {}
  Value(std::int64_t value) : data_(value) {}
  Value(double value) : data_(value) {}
  Value(std::string text) : data_(std::make_shared<const std::string>(std::move(text))) {}
  Value(std::string_view text) : Value(std::string(text)) {}
  Value(const char* text) : Value(std::string(text)) {}
  Value(std::shared_ptr<const List> list) : data_(std::move(list)) {}
  Value(std::shared_ptr<const Mapping> mapping) : data_(std::move(mapping)) {}
  Value(std::shared_ptr<const Function> function) : data_(std::move(function)) {}
  Value(std::shared_ptr<Loop> loop) : data_(std::move(loop)) {}
  Value(Namespace* names) : data_(names) {}
  // A pointer would otherwise turn into a boolean.
  template <typename T>
  Value(T*) = delete;
  static Value undefined(std::string what);
  static Value safe(std::string text);

  bool is_undefined() const { return std::holds_alternative<Undefined>(data_); }
  bool is_none() const { return std::holds_alternative<None>(data_); }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_text() const { return text() != nullptr; }
  bool is_safe() const { return std::holds_alternative<SafeText>(data_); }
  // What is undefined, for messages.
  std::string undefined_text() const;

  // The content when the value is of that type, else null.
  const std::string* text() const {
    if (const auto* safe = std::get_if<SafeText>(&data_)) return safe->text.get();
    const auto* held = std::get_if<std::shared_ptr<const std::string>>(&data_);
    return held ? held->get() : nullptr;
  }
  const List* list() const { return pointed<std::shared_ptr<const List>>(); }
  const Mapping* mapping() const { return pointed<std::shared_ptr<const Mapping>>(); }
  const Function* function() const { return pointed<std::shared_ptr<const Function>>(); }
  const Loop* loop() const { return pointed<std::shared_ptr<Loop>>(); }
  Namespace* names() const {
    const auto* held = std::get_if<Namespace*>(&data_);
    return held ? *held : nullptr;
  }
  // Integers and booleans, which count as 0 and 1.
  std::optional<std::int64_t> integer() const;
  // Those and floating-point numbers.
  std::optional<double> number() const;
  bool is_float() const { return std::holds_alternative<double>(data_); }
  bool is_integer() const { return std::holds_alternative<std::int64_t>(data_); }
  bool is_number() const { return is_bool() || is_integer() || is_float(); }

  bool truth() const;
  // How many containers lie inside each other: 0 for a number or text.
  int depth() const;
  // "a string", "a list": for messages.
  std::string_view type() const;

 private:
  template <typename Pointer>
  auto pointed() const -> decltype(std::declval<Pointer>().get()) {
    const auto* held = std::get_if<Pointer>(&data_);
    return held ? held->get() : nullptr;
  }

  std::variant<Undefined, None, bool, std::int64_t, double, std::shared_ptr<const std::string>,
               SafeText, std::shared_ptr<const List>, std::shared_ptr<const Mapping>,
               std::shared_ptr<const Function>, std::shared_ptr<Loop>, Namespace*>
      data_;
};

// A generator is what map or select give: true even when empty, without a length or an index. A
// view is what items() of a mapping gives: with a length, without an index.
// kItems, kKeys and kValues: what a mapping's methods of these names give.
enum class ListKind { kList, kTuple, kRange, kItems, kKeys, kValues, kGenerator };
// Whether a list of this kind is reached into by place.
inline bool has_places(ListKind kind) { return kind <= ListKind::kRange; }

struct List {
  std::vector<Value> items;
  ListKind kind = ListKind::kList;
  int depth = 1;
};

// Keys in the order they came; few, so they are searched one by one.
struct Mapping {
  std::vector<std::pair<Value, Value>> entries;
  int depth = 1;

  const Value* find(std::string_view key) const;
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> entries;

  const Value* find(std::string_view name) const;
  void set(std::string_view name, Value value);
};

// The variable `loop`.
struct Loop {
  std::shared_ptr<const List> items;
  std::size_t index = 0;
};

class Interpreter;
struct Node;
struct Scope;

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;

  // The argument at `index` or with that name; null when it is not given.
  const Value* find(std::size_t index, std::string_view name) const;
  std::size_t count() const { return positional.size() + named.size(); }
};

using Builtin = Value (*)(Interpreter&, const Value& self, const Arguments&);

// A macro, a built-in function, or a method with the object it belongs to.
struct Function {
  std::string name;
  Builtin builtin = nullptr;
  Value self;
  const Node* macro = nullptr;
  Scope* scope = nullptr;  // where the macro was defined
};

// Python's ==, without cost control: for scalars. Lists and mappings compare by identity.
bool same_scalar(const Value& a, const Value& b);

}  // namespace nibble::chat
