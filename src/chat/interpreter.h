// Runs a parsed template. Counts steps, depth, bytes and time; sees nothing but the given values.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "chat/syntax.h"

namespace nibble::chat {

// Variables of the template, a loop's body or a macro.
struct Scope {
  Scope* parent = nullptr;
  std::vector<std::pair<std::string_view, Value>> variables;
  bool kept = false;  // a macro was defined inside and may outlive it
};

class Interpreter {
 public:
  // `now`: seconds since 1970, in local time, for strftime_now.
  explicit Interpreter(std::int64_t now);
  void set(std::string_view name, Value value);  // the name must outlive the interpreter
  // Throws kCorruptFile with the line for what the language forbids, kUnsupported when a limit is
  // reached, kInvalidArgument when the template itself refuses (raise_exception).
  std::string run(const Node& root);

  // For the built-in functions.
  [[noreturn]] void fail(const std::string& problem) const;
  void charge(std::size_t steps);
  Value text(std::string text);  // checked against the limit of a text
  // The same, and safe when `origin` is a safe text.
  Value text_like(const Value& origin, std::string text);
  Value list(std::vector<Value> items, ListKind kind = ListKind::kList);
  Value mapping(std::vector<std::pair<Value, Value>> entries);  // a later key replaces
  Value make_namespace(std::vector<std::pair<std::string, Value>> entries);
  // What a loop over the value goes through.
  std::vector<Value> items_of(const Value& value);
  Value attribute(const Value& object, std::string_view name);
  Value item(const Value& object, const Value& key);
  Value call(const Value& callee, const Arguments& arguments);
  Value filter(std::string_view name, const Value& input, const Arguments& arguments);
  bool test(std::string_view name, const Value& input, const Arguments& arguments);
  bool equal(const Value& a, const Value& b);
  bool less(const Value& a, const Value& b);
  bool contains(const Value& container, const Value& item);
  Value arithmetic(std::string_view name, const Value& a, const Value& b);
  std::string shown(const Value& value);        // as {{ }} prints it
  std::string represented(const Value& value);  // as it stands inside a printed list
  std::int64_t now() const { return now_; }
  std::string_view known(const std::string& name) { return *names_.insert(names_.end(), name); }

 private:
  enum class Flow { kOn, kBreak, kContinue };

  // Counts how deep calls and expressions have gone; refuses more than kMaxDepth.
  class Level {
   public:
    explicit Level(Interpreter& run);
    ~Level() { --run_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Interpreter& run_;
  };

  Value evaluate(const Node& node);
  Value evaluate_deep(const Node& node);
  Value slice(const Node& node);
  Value compare(const Node& node);
  bool compare_two(std::string_view name, const Value& a, const Value& b);
  Value look_up(std::string_view name);
  Arguments arguments(const Node& node, std::size_t first);
  Value call_macro(const Function& macro, const Arguments& arguments);

  Flow execute(const Node& node);
  Flow execute_block(const Node& node);
  Flow execute_if(const Node& node);
  Flow execute_for(const Node& node);
  void execute_macro(const Node& node);
  void execute_call_block(const Node& node);
  void assign(const Node& target, const Value& value);
  void set_here(std::string_view name, Value value);
  std::string captured(const std::function<void()>& action);
  void write(std::string_view text);
  Scope* enter(Scope* parent);
  void leave(Scope* scope);

  std::int64_t now_;
  std::chrono::steady_clock::time_point start_;
  std::size_t steps_ = 0;
  std::size_t next_look_ = 0;  // at the clock
  int depth_ = 0;
  int line_ = 0;
  std::string* out_ = nullptr;
  Scope* scope_ = nullptr;
  Scope* root_ = nullptr;
  std::deque<Scope> scopes_;
  std::vector<Scope*> free_scopes_;
  std::deque<Namespace> namespaces_;
  std::deque<std::string> names_;
};

}  // namespace nibble::chat
