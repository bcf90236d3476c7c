// Global functions, and helpers for the arguments of everything built in.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "chat/builtins/builtins.h"
#include "nibble/error.h"

namespace nibble::chat {

Builtin find_builtin(std::span<const NamedBuiltin> table, std::string_view name) {
  for (const NamedBuiltin& entry : table)
    if (entry.name == name) return entry.run;
  return nullptr;
}

const std::string& need_text(Interpreter& run, const Value& value, std::string_view what) {
  if (value.is_undefined()) run.fail(cat(what, ": ", value.undefined_text(), " is undefined"));
  if (!value.text()) run.fail(cat(what, ": expected a string, found ", value.type()));
  return *value.text();
}

std::string text_argument(Interpreter& run, const Arguments& arguments, std::size_t index,
                          std::string_view name, std::string_view otherwise) {
  const Value* value = arguments.find(index, name);
  return value ? need_text(run, *value, name) : std::string(otherwise);
}

std::int64_t integer_argument(Interpreter& run, const Arguments& arguments, std::size_t index,
                              std::string_view name, std::int64_t otherwise) {
  const Value* value = arguments.find(index, name);
  if (!value || value->is_none()) return otherwise;
  if (!value->integer()) run.fail(cat(name, ": expected an integer, found ", value->type()));
  return *value->integer();
}

bool truth_argument(const Arguments& arguments, std::size_t index, std::string_view name,
                    bool otherwise) {
  const Value* value = arguments.find(index, name);
  return value ? value->truth() : otherwise;
}

namespace {

Value range(Interpreter& run, const Value&, const Arguments& given) {
  std::int64_t start = 0, stop = integer_argument(run, given, 0, "range", 0);
  if (given.positional.size() > 1) {
    start = stop;
    stop = integer_argument(run, given, 1, "range", 0);
  }
  const std::int64_t step = integer_argument(run, given, 2, "range", 1);
  if (step == 0) run.fail("the step of range is 0");
  std::vector<Value> items;
  for (std::int64_t i = start; step > 0 ? i < stop : i > stop;) {
    if (items.size() >= kMaxRange)
      throw Error(ErrorKind::kUnsupported,
                  cat("chat template: range has more than ", kMaxRange, " numbers"));
    items.emplace_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return run.list(std::move(items), ListKind::kRange);
}

Value make_namespace(Interpreter& run, const Value&, const Arguments& given) {
  std::vector<std::pair<std::string, Value>> entries;
  for (const Value& value : given.positional)
    if (const Mapping* mapping = value.mapping())
      for (const auto& [key, part] : mapping->entries)
        entries.emplace_back(need_text(run, key, "namespace"), part);
  entries.insert(entries.end(), given.named.begin(), given.named.end());
  return run.make_namespace(std::move(entries));
}

Value make_dict(Interpreter& run, const Value&, const Arguments& given) {
  std::vector<std::pair<Value, Value>> entries;
  for (const Value& value : given.positional)
    if (const Mapping* mapping = value.mapping())
      entries.insert(entries.end(), mapping->entries.begin(), mapping->entries.end());
  for (const auto& [key, value] : given.named) entries.emplace_back(Value(key), value);
  return run.mapping(std::move(entries));
}

Value raise_exception(Interpreter& run, const Value&, const Arguments& given) {
  const Value* message = given.find(0, "message");
  throw Error(ErrorKind::kInvalidArgument, cat("the chat template refuses this conversation: ",
                                               message ? run.shown(*message) : "no reason given"));
}

Value strftime_now(Interpreter& run, const Value&, const Arguments& given) {
  const std::string format = text_argument(run, given, 0, "format", "");
  if (format.size() > 256) run.fail("strftime_now: the format is longer than 256 bytes");
  return run.text(format_time(run.now(), format));
}

constexpr std::array<NamedBuiltin, 5> kFunctions = {{{"range", range},
                                                     {"namespace", make_namespace},
                                                     {"dict", make_dict},
                                                     {"raise_exception", raise_exception},
                                                     {"strftime_now", strftime_now}}};

}  // namespace

std::span<const NamedBuiltin> functions() { return kFunctions; }

}  // namespace nibble::chat
