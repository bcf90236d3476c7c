// "x is NAME".
#include <array>

#include "base/text.h"
#include "chat/builtins/builtins.h"
#include "chat/characters.h"

namespace nibble::chat {
namespace {

using Run = Interpreter;

const Value& operand(Run& run, const Arguments& given) {
  if (given.positional.empty()) run.fail("the test needs an argument");
  return given.positional[0];
}

std::int64_t whole(Run& run, const Value& value) {
  if (!value.integer()) run.fail(cat("expected an integer, found ", value.type()));
  return *value.integer();
}

bool iterable(const Value& v) { return v.text() || v.list() || v.mapping() || v.is_undefined(); }

bool sequence(const Value& v) {
  const List* list = v.list();
  return v.text() || v.mapping() || v.is_undefined() || (list && has_places(list->kind));
}

Value divisible(Run& run, const Value& v, const Arguments& given) {
  return run.equal(run.arithmetic("%", v, operand(run, given)), std::int64_t{0});
}

constexpr std::array<NamedBuiltin, 36> kTests = {{
    {"defined", [](Run&, const Value& v, const Arguments&) -> Value { return !v.is_undefined(); }},
    {"undefined", [](Run&, const Value& v, const Arguments&) -> Value { return v.is_undefined(); }},
    {"none", [](Run&, const Value& v, const Arguments&) -> Value { return v.is_none(); }},
    {"string", [](Run&, const Value& v, const Arguments&) -> Value { return v.is_text(); }},
    {"number", [](Run&, const Value& v, const Arguments&) -> Value { return v.is_number(); }},
    {"integer", [](Run&, const Value& v, const Arguments&) -> Value { return v.is_integer(); }},
    {"float", [](Run&, const Value& v, const Arguments&) -> Value { return v.is_float(); }},
    {"boolean", [](Run&, const Value& v, const Arguments&) -> Value { return v.is_bool(); }},
    {"true",
     [](Run&, const Value& v, const Arguments&) -> Value { return v.is_bool() && v.truth(); }},
    {"false",
     [](Run&, const Value& v, const Arguments&) -> Value { return v.is_bool() && !v.truth(); }},
    {"mapping",
     [](Run&, const Value& v, const Arguments&) -> Value { return v.mapping() != nullptr; }},
    {"iterable", [](Run&, const Value& v, const Arguments&) -> Value { return iterable(v); }},
    {"sequence", [](Run&, const Value& v, const Arguments&) -> Value { return sequence(v); }},
    {"callable",
     [](Run&, const Value& v, const Arguments&) -> Value { return v.function() != nullptr; }},
    {"escaped", [](Run&, const Value&, const Arguments&) -> Value { return false; }},
    {"in",
     [](Run& run, const Value& v, const Arguments& a) -> Value {
       return run.contains(operand(run, a), v);
     }},
    {"even",
     [](Run& run, const Value& v, const Arguments&) -> Value { return whole(run, v) % 2 == 0; }},
    {"odd",
     [](Run& run, const Value& v, const Arguments&) -> Value { return whole(run, v) % 2 != 0; }},
    {"divisibleby", divisible},
    {"lower",
     [](Run& run, const Value& v, const Arguments&) -> Value {
       return lower(run.shown(v)) == run.shown(v);
     }},
    {"upper",
     [](Run& run, const Value& v, const Arguments&) -> Value {
       return upper(run.shown(v)) == run.shown(v);
     }},
    {"sameas",
     [](Run& run, const Value& v, const Arguments& a) -> Value {
       return v.type() == operand(run, a).type() && same_scalar(v, operand(run, a));
     }},
    {"filter",
     [](Run& run, const Value& v, const Arguments&) -> Value {
       const std::string& name = need_text(run, v, "filter");
       return find_builtin(text_filters(), name) || find_builtin(sequence_filters(), name);
     }},
    {"==",
     [](Run& run, const Value& v, const Arguments& a) -> Value {
       return run.equal(v, operand(run, a));
     }},
    {"eq",
     [](Run& run, const Value& v, const Arguments& a) -> Value {
       return run.equal(v, operand(run, a));
     }},
    {"equalto",
     [](Run& run, const Value& v, const Arguments& a) -> Value {
       return run.equal(v, operand(run, a));
     }},
    {"!=",
     [](Run& run, const Value& v, const Arguments& a) -> Value {
       return !run.equal(v, operand(run, a));
     }},
    {"ne",
     [](Run& run, const Value& v, const Arguments& a) -> Value {
       return !run.equal(v, operand(run, a));
     }},
    {"<",
     [](Run& run, const Value& v, const Arguments& a) -> Value {
       return run.less(v, operand(run, a));
     }},
    {"lt",
     [](Run& run, const Value& v,
        const Arguments& a) -> Value { return run.less(v, operand(run, a)); }},
    {"lessthan",
     [](Run& run, const Value& v,
        const Arguments& a) -> Value { return run.less(v, operand(run, a)); }},
    {">",
     [](Run& run, const Value& v,
        const Arguments& a) -> Value { return run.less(operand(run, a), v); }},
    {"gt",
     [](Run& run, const Value& v,
        const Arguments& a) -> Value { return run.less(operand(run, a), v); }},
    {"greaterthan",
     [](Run& run, const Value& v,
        const Arguments& a) -> Value { return run.less(operand(run, a), v); }},
    {"le",
     [](Run& run, const Value& v,
        const Arguments& a) -> Value { return !run.less(operand(run, a), v); }},
    {"ge",
     [](Run& run, const Value& v,
        const Arguments& a) -> Value { return !run.less(v, operand(run, a)); }},
}};

}  // namespace

std::span<const NamedBuiltin> value_tests() { return kTests; }

}  // namespace nibble::chat
