// What templates can call, by name. Each table stands in the file named beside it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "chat/interpreter.h"

namespace nibble::chat {

struct NamedBuiltin {
  std::string_view name;
  Builtin run;
};

std::span<const NamedBuiltin> text_filters();      // text_filters.cc
std::span<const NamedBuiltin> sequence_filters();  // sequence_filters.cc
std::span<const NamedBuiltin> value_tests();       // value_tests.cc; they answer booleans
std::span<const NamedBuiltin> text_methods();      // methods.cc
std::span<const NamedBuiltin> mapping_methods();   // methods.cc
std::span<const NamedBuiltin> loop_methods();      // methods.cc
std::span<const NamedBuiltin> functions();         // functions.cc

// Null when the table has no such name.
Builtin find_builtin(std::span<const NamedBuiltin> table, std::string_view name);

// Arguments of a built-in function: the value, or the default when it is not given.
std::string text_argument(Interpreter& run, const Arguments& arguments, std::size_t index,
                          std::string_view name, std::string_view otherwise);
std::int64_t integer_argument(Interpreter& run, const Arguments& arguments, std::size_t index,
                              std::string_view name, std::int64_t otherwise);
bool truth_argument(const Arguments& arguments, std::size_t index, std::string_view name,
                    bool otherwise);
// The text of `value`; fails for other types, naming what wanted it.
const std::string& need_text(Interpreter& run, const Value& value, std::string_view what);
// With the characters that mean something in HTML written as what stands for them.
std::string escaped(std::string_view text);
// The text of `part` where it becomes a part of `whole`: escaped unless it is safe as `whole` is.
std::string part_of(const Value& whole, const Value& part);
std::string replace_all(Interpreter& run, const std::string& text, const std::string& from,
                        const std::string& to, std::int64_t count);

// value_text.cc
std::string float_text(double value);  // the shortest text that reads back as the same number
std::string json_text(Interpreter& run, const Value& value, int indent, bool sorted, bool ascii,
                      std::string_view item_separator, std::string_view key_separator);

// format_text.cc
// `format` is a text; when it is safe, the values are escaped.
std::string percent_format(Interpreter& run, const Value& format, const Value& values);
std::string brace_format(Interpreter& run, const Value& format, const Arguments& arguments);
std::string format_time(std::int64_t seconds, const std::string& format);

}  // namespace nibble::chat
