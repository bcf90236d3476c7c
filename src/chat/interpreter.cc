#include "chat/interpreter.h"

#include <algorithm>

#include "base/text.h"
#include "chat/builtins/builtins.h"
#include "chat/lexer.h"
#include "nibble/error.h"

namespace nibble::chat {

Interpreter::Level::Level(Interpreter& run) : run_(run) {
  if (run_.depth_ >= kMaxDepth)
    throw Error(ErrorKind::kUnsupported, cat("chat template, line ", run_.line_,
                                             ": calls more than ", kMaxDepth, " levels deep"));
  ++run_.depth_;
}

Interpreter::Interpreter(std::int64_t now) : now_(now), start_(std::chrono::steady_clock::now()) {
  root_ = scope_ = enter(nullptr);
  root_->kept = true;
}

void Interpreter::set(std::string_view name, Value value) {
  root_->variables.emplace_back(name, std::move(value));
}

void Interpreter::fail(const std::string& problem) const { fail_at(line_, problem); }

void Interpreter::charge(std::size_t steps) {
  steps_ += std::min(steps, kMaxSteps + 1);
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorKind::kUnsupported,
                cat("chat template, line ", line_, ": needs more than ", what));
  };
  if (steps_ > kMaxSteps) refuse(cat(kMaxSteps, " steps"));
  if (steps_ < next_look_) return;
  next_look_ = steps_ + 1000;
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start_;
  if (passed.count() > kMaxSeconds) refuse(cat(kMaxSeconds, " s"));
}

Value Interpreter::text(std::string text) {
  charge(text.size() / 64);
  if (text.size() > kMaxOutputBytes)
    throw Error(ErrorKind::kUnsupported, cat("chat template, line ", line_, ": a text longer than ",
                                             human_bytes(kMaxOutputBytes)));
  return Value(std::move(text));
}

Value Interpreter::text_like(const Value& origin, std::string text) {
  Value plain = this->text(std::move(text));
  return origin.is_safe() ? Value::safe(*plain.text()) : plain;
}

Value Interpreter::list(std::vector<Value> items, ListKind kind) {
  charge(items.size() / 4);
  auto list = std::make_shared<List>();
  for (const Value& item : items) list->depth = std::max(list->depth, item.depth() + 1);
  if (list->depth > kMaxDepth) fail(cat("lists nested more than ", kMaxDepth, " levels deep"));
  list->items = std::move(items);
  list->kind = kind;
  return Value(std::shared_ptr<const List>(std::move(list)));
}

Value Interpreter::mapping(std::vector<std::pair<Value, Value>> entries) {
  auto mapping = std::make_shared<Mapping>();
  for (auto& [key, value] : entries) {
    charge(1 + mapping->entries.size() / 16);
    if (key.list() || key.mapping()) fail(cat(key.type(), " cannot be a key of a mapping"));
    mapping->depth = std::max({mapping->depth, value.depth() + 1, key.depth() + 1});
    const auto found =
        std::find_if(mapping->entries.begin(), mapping->entries.end(),
                     [&](const auto& entry) { return same_scalar(entry.first, key); });
    if (found != mapping->entries.end())
      found->second = std::move(value);
    else
      mapping->entries.emplace_back(std::move(key), std::move(value));
  }
  if (mapping->depth > kMaxDepth)
    fail(cat("mappings nested more than ", kMaxDepth, " levels deep"));
  return Value(std::shared_ptr<const Mapping>(std::move(mapping)));
}

Value Interpreter::make_namespace(std::vector<std::pair<std::string, Value>> entries) {
  charge(4 + entries.size());
  namespaces_.push_back({std::move(entries)});
  return Value(&namespaces_.back());
}

std::string Interpreter::run(const Node& root) {
  std::string output;
  out_ = &output;
  execute(root);
  return output;
}

void Interpreter::write(std::string_view text) {
  charge(text.size() / 64);
  if (out_->size() + text.size() > kMaxOutputBytes)
    throw Error(ErrorKind::kUnsupported, cat("chat template, line ", line_, ": writes more than ",
                                             human_bytes(kMaxOutputBytes)));
  *out_ += text;
}

std::string Interpreter::captured(const std::function<void()>& action) {
  std::string text;
  std::string* const outer = std::exchange(out_, &text);
  // A failure ends the whole run, so nothing has to be put back then.
  action();
  out_ = outer;
  return text;
}

Scope* Interpreter::enter(Scope* parent) {
  Scope* scope = nullptr;
  if (free_scopes_.empty()) {
    scope = &scopes_.emplace_back();
  } else {
    scope = free_scopes_.back();
    free_scopes_.pop_back();
  }
  scope->parent = parent;
  return scope;
}

void Interpreter::leave(Scope* scope) {
  if (scope->kept) {
    charge(8);  // its memory stays until the end
    return;
  }
  scope->variables.clear();
  free_scopes_.push_back(scope);
}

Value Interpreter::look_up(std::string_view name) {
  for (const Scope* scope = scope_; scope != nullptr; scope = scope->parent) {
    charge(scope->variables.size() / 32);
    for (const auto& [key, value] : scope->variables)
      if (key == name) return value;
  }
  if (const Builtin function = find_builtin(functions(), name))
    return Value(std::make_shared<const Function>(Function{std::string(name), function, {}}));
  return Value::undefined(cat("\"", name, "\""));
}

void Interpreter::set_here(std::string_view name, Value value) {
  for (auto& [key, held] : scope_->variables)
    if (key == name) {
      held = std::move(value);
      return;
    }
  scope_->variables.emplace_back(name, std::move(value));
}

void Interpreter::assign(const Node& target, const Value& value) {
  charge(1 + scope_->variables.size() / 32);
  if (target.kind == NodeKind::kName) return set_here(target.name, value);
  if (target.kind == NodeKind::kAttribute) {
    Namespace* names = look_up(target.parts[0]->name).names();
    if (!names)
      fail(cat("\"", target.parts[0]->name, "\" is no namespace: its attributes cannot be set"));
    charge(names->entries.size() / 32);
    return names->set(target.name, value);
  }
  const std::vector<Value> items = items_of(value);
  if (items.size() != target.parts.size())
    fail(cat("expected ", target.parts.size(), " values to unpack, found ", items.size()));
  for (std::size_t i = 0; i < items.size(); ++i) assign(*target.parts[i], items[i]);
}

Interpreter::Flow Interpreter::execute_block(const Node& node) {
  for (const NodePtr& part : node.parts)
    if (const Flow flow = execute(*part); flow != Flow::kOn) return flow;
  return Flow::kOn;
}

Interpreter::Flow Interpreter::execute_if(const Node& node) {
  for (std::size_t i = 0; i + 1 < node.parts.size(); i += 2)
    if (evaluate(*node.parts[i]).truth()) return execute(*node.parts[i + 1]);
  return node.parts.size() % 2 == 1 ? execute(*node.parts.back()) : Flow::kOn;
}

Interpreter::Flow Interpreter::execute_for(const Node& node) {
  std::vector<Value> items = items_of(evaluate(*node.parts[1]));
  Scope* const outer = scope_;
  if (const Node* condition = node.parts[2].get()) {
    std::vector<Value> kept;
    scope_ = enter(outer);
    for (const Value& item : items) {
      assign(*node.parts[0], item);
      if (evaluate(*condition).truth()) kept.push_back(item);
    }
    leave(scope_);
    scope_ = outer;
    items = std::move(kept);
  }
  if (items.empty()) return node.parts[4] ? execute(*node.parts[4]) : Flow::kOn;
  const auto loop = std::make_shared<Loop>();
  const std::size_t count = items.size();
  const Value held = list(std::move(items));
  loop->items = std::shared_ptr<const List>(std::make_shared<const List>(*held.list()));
  for (std::size_t i = 0; i < count; ++i) {
    charge(1);
    loop->index = i;
    scope_ = enter(outer);
    scope_->variables.emplace_back("loop", Value(loop));
    assign(*node.parts[0], loop->items->items[i]);
    const Flow flow = execute(*node.parts[3]);
    leave(scope_);
    scope_ = outer;
    if (flow == Flow::kBreak) break;
  }
  return Flow::kOn;
}

void Interpreter::execute_macro(const Node& node) {
  for (Scope* scope = scope_; scope != nullptr && !scope->kept; scope = scope->parent)
    scope->kept = true;
  set_here(
      node.name,
      Value(std::make_shared<const Function>(Function{node.name, nullptr, {}, &node, scope_})));
}

void Interpreter::execute_call_block(const Node& node) {
  const Node& call_node = *node.parts[0];
  for (Scope* scope = scope_; scope != nullptr && !scope->kept; scope = scope->parent)
    scope->kept = true;
  const Value callee = evaluate(*call_node.parts[0]);
  Arguments given = arguments(call_node, 1);
  given.named.emplace_back("caller", Value(std::make_shared<const Function>(Function{
                                         "caller", nullptr, {}, node.parts[1].get(), scope_})));
  write(shown(call(callee, given)));
}

Interpreter::Flow Interpreter::execute(const Node& node) {
  const Level level(*this);
  charge(1);
  line_ = node.line;
  switch (node.kind) {
    case NodeKind::kText:
      write(node.name);
      return Flow::kOn;
    case NodeKind::kOutput:
      write(shown(evaluate(*node.parts[0])));
      return Flow::kOn;
    case NodeKind::kBlock:
      return execute_block(node);
    case NodeKind::kIf:
      return execute_if(node);
    case NodeKind::kFor:
      return execute_for(node);
    case NodeKind::kSet:
      assign(*node.parts[0], evaluate(*node.parts[1]));
      return Flow::kOn;
    case NodeKind::kSetBlock:
    case NodeKind::kFilterBlock: {
      const bool sets = node.kind == NodeKind::kSetBlock;
      const Node& body = *node.parts[1];
      Scope* const outer = scope_;
      scope_ = enter(outer);
      Value content = text(captured([&] { execute(body); }));
      leave(scope_);
      scope_ = outer;
      const Node* filters = sets ? node.parts[2].get() : node.parts[0].get();
      if (filters) {
        // The innermost filter of the chain has no input of its own: it takes the block's text.
        scope_ = enter(outer);
        scope_->variables.emplace_back("", std::move(content));
        content = evaluate(*filters);
        leave(scope_);
        scope_ = outer;
      }
      if (sets)
        assign(*node.parts[0], content);
      else
        write(shown(content));
      return Flow::kOn;
    }
    case NodeKind::kMacro:
      execute_macro(node);
      return Flow::kOn;
    case NodeKind::kCallBlock:
      execute_call_block(node);
      return Flow::kOn;
    case NodeKind::kWith: {
      std::vector<Value> values;
      for (std::size_t i = 1; i < node.parts.size(); i += 2)
        values.push_back(evaluate(*node.parts[i]));
      Scope* const outer = scope_;
      scope_ = enter(outer);
      for (std::size_t i = 0; i < values.size(); ++i) assign(*node.parts[2 * i], values[i]);
      const Flow flow = execute(*node.parts.back());
      leave(scope_);
      scope_ = outer;
      return flow;
    }
    case NodeKind::kBreak:
      return Flow::kBreak;
    case NodeKind::kContinue:
      return Flow::kContinue;
    default:
      fail("a statement was expected");
  }
}

Value Interpreter::call_macro(const Function& function, const Arguments& given) {
  const Level level(*this);
  const Node& macro = *function.macro;
  const std::size_t count = macro.names.size();
  Scope* const outer = scope_;
  const int line = line_;
  scope_ = enter(function.scope);
  std::vector<Value> rest;
  for (std::size_t i = count; i < given.positional.size(); ++i) rest.push_back(given.positional[i]);
  std::vector<std::pair<Value, Value>> others;
  for (const auto& [name, value] : given.named) {
    if (name == "caller")
      scope_->variables.emplace_back("caller", value);
    else if (std::find(macro.names.begin(), macro.names.end(), name) == macro.names.end())
      others.emplace_back(Value(name), value);
  }
  scope_->variables.emplace_back("varargs", list(std::move(rest), ListKind::kTuple));
  scope_->variables.emplace_back("kwargs", mapping(std::move(others)));
  for (std::size_t i = 0; i < count; ++i) {
    const Value* value = given.find(i, macro.names[i]);
    if (value)
      set_here(macro.names[i], *value);
    else
      set_here(macro.names[i], macro.parts[i] ? evaluate(*macro.parts[i])
                                              : Value::undefined(cat("\"", macro.names[i], "\"")));
  }
  Value result = text(captured([&] { execute(*macro.parts.back()); }));
  leave(scope_);
  scope_ = outer;
  line_ = line;
  return result;
}

Value Interpreter::call(const Value& callee, const Arguments& given) {
  charge(1);
  const Function* function = callee.function();
  if (!function)
    fail(callee.is_undefined() ? cat(callee.undefined_text(), " is undefined: it cannot be called")
                               : cat(callee.type(), " cannot be called"));
  return function->macro ? call_macro(*function, given)
                         : function->builtin(*this, function->self, given);
}

}  // namespace nibble::chat
