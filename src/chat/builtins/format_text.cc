// Python's "%" and str.format for the conversions that templates use, and strftime.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>

#include "base/text.h"
#include "chat/builtins/builtins.h"
#include "chat/characters.h"

namespace nibble::chat {
namespace {

constexpr int kMaxWidth = 1000;

struct Conversion {
  char fill = ' ', align = 0, kind = 0;
  bool plus = false, zero = false;
  int width = 0, precision = -1;
};

std::string padded(const Conversion& how, std::string text, bool number) {
  const auto have = static_cast<int>(count_characters(text));
  const int missing = how.width - have;
  if (missing <= 0) return text;
  if (how.zero && number && how.align == 0) {
    const std::size_t sign = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    return text.insert(sign, static_cast<std::size_t>(missing), '0');
  }
  const char align = how.align != 0 ? how.align : number ? '>' : '<';
  const int left = align == '>' ? missing : align == '^' ? missing / 2 : 0;
  return std::string(static_cast<std::size_t>(left), how.fill) + text +
         std::string(static_cast<std::size_t>(missing - left), how.fill);
}

std::string converted(Interpreter& run, const Conversion& how, const Value& value,
                      bool escape = false) {
  const auto sign = [&](std::string text) {
    return how.plus && text[0] != '-' ? "+" + text : text;
  };
  const int precision = std::min(how.precision < 0 ? 6 : how.precision, 100);
  switch (how.kind) {
    case 'd':
    case 'i':
    case 'u': {
      if (!value.is_number()) run.fail(cat("expected a number to format, found ", value.type()));
      const double number = *value.number();
      if (std::fabs(number) > 9e18 || std::isnan(number))
        run.fail("the number to format is too large");
      return padded(
          how, sign(cat(value.integer() ? *value.integer() : static_cast<std::int64_t>(number))),
          true);
    }
    case 'x':
    case 'X': {
      if (!value.integer() || *value.integer() < 0) run.fail("expected a positive integer for x");
      return padded(how,
                    how.kind == 'x' ? fmt::format("{:x}", *value.integer())
                                    : fmt::format("{:X}", *value.integer()),
                    true);
    }
    case 'f':
    case 'F':
    case 'e':
    case 'g':
    case '%': {
      if (!value.is_number()) run.fail(cat("expected a number to format, found ", value.type()));
      const double number = *value.number() * (how.kind == '%' ? 100 : 1);
      const std::string text = how.kind == 'e'   ? fmt::format("{:.{}e}", number, precision)
                               : how.kind == 'g' ? fmt::format("{:.{}g}", number, precision)
                                                 : fmt::format("{:.{}f}", number, precision);
      return padded(how, sign(text) + (how.kind == '%' ? "%" : ""), true);
    }
    default: {
      std::string text = how.kind == 'r' ? run.represented(value) : run.shown(value);
      if (escape && !value.is_safe()) text = escaped(text);
      if (how.precision >= 0) {
        std::string cut;
        int left = how.precision;
        for (const std::string_view c : characters_of(text))
          if (left-- > 0) cut += c;
        text = cut;
      }
      return padded(how, std::move(text), value.is_number() && how.kind == 0);
    }
  }
}

int read_number(Interpreter& run, std::string_view text, std::size_t& i, int otherwise) {
  int number = otherwise;
  const auto read = std::from_chars(text.data() + i, text.data() + text.size(), number);
  if (read.ec == std::errc::result_out_of_range || number > kMaxWidth)
    run.fail(cat("a width of a format is larger than ", kMaxWidth));
  i = static_cast<std::size_t>(read.ptr - text.data());
  return number;
}

}  // namespace

std::string percent_format(Interpreter& run, const Value& text, const Value& values) {
  const std::string& format = *text.text();
  const List* list = values.list();
  const bool several = list && list->kind == ListKind::kTuple;
  std::size_t used = 0;
  std::string result;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      result += format[i];
      continue;
    }
    if (++i < format.size() && format[i] == '%') {
      result += '%';
      continue;
    }
    Conversion how;
    Value value;
    bool named = false;
    if (i < format.size() && format[i] == '(') {
      const std::size_t end = format.find(')', i);
      if (end == format.npos) run.fail("a format has \"%(\" without \")\"");
      if (!values.mapping()) run.fail("a format with names needs a mapping");
      value = run.item(values, Value(format.substr(i + 1, end - i - 1)));
      named = true;
      i = end + 1;
    }
    how.align = '>';
    for (; i < format.size() && std::string_view("-+ 0#").find(format[i]) != std::string_view::npos;
         ++i) {
      if (format[i] == '-') how.align = '<';
      if (format[i] == '+') how.plus = true;
      if (format[i] == '0') how.zero = true;
    }
    if (how.zero && how.align == '>') how.align = 0;
    how.width = read_number(run, format, i, 0);
    if (i < format.size() && format[i] == '.') how.precision = read_number(run, format, ++i, 0);
    if (i >= format.size()) run.fail("a format ends after \"%\"");
    how.kind = format[i];
    if (std::string_view("diufFegsrxX").find(how.kind) == std::string_view::npos)
      run.fail(cat("a format has an unknown conversion \"%", how.kind, "\""));
    if (!named) {
      if (several ? used >= list->items.size() : used > 0)
        run.fail("a format has more places than values");
      value = several ? list->items[used] : values;
      ++used;
    }
    result += converted(run, how, value, text.is_safe());
    run.charge(1 + result.size() / 1024);
    if (result.size() > kMaxOutputBytes) run.fail("a formatted text becomes too long");
  }
  if (several && used < list->items.size()) run.fail("a format has fewer places than values");
  return result;
}

std::string brace_format(Interpreter& run, const Value& text, const Arguments& arguments) {
  const std::string& format = *text.text();
  std::string result;
  std::size_t next = 0;
  for (std::size_t i = 0; i < format.size(); ++i) {
    const char c = format[i];
    if ((c == '{' || c == '}') && i + 1 < format.size() && format[i + 1] == c) {
      result += c;
      ++i;
      continue;
    }
    if (c == '}') run.fail("a format has a single \"}\"");
    if (c != '{') {
      result += c;
      continue;
    }
    const std::size_t end = format.find('}', i);
    if (end == format.npos) run.fail("a format has \"{\" without \"}\"");
    const std::string field = format.substr(i + 1, end - i - 1);
    const std::size_t colon = field.find(':');
    std::string name = field.substr(0, colon);
    Conversion how;
    const std::size_t mark = name.find('!');
    if (mark != name.npos) {
      how.kind = name.substr(mark) == "!r" ? 'r' : 's';
      name.resize(mark);
    }
    const Value* value = nullptr;
    const bool number = !name.empty() && std::all_of(name.begin(), name.end(),
                                                     [](char d) { return d >= '0' && d <= '9'; });
    if (name.empty())
      value = arguments.find(next++, "");
    else if (number && name.size() < 4)
      value = arguments.find(std::stoul(name), "");
    else
      value = arguments.find(arguments.positional.size(), name);
    if (!value) run.fail(cat("a format has no value for \"{", field, "}\""));
    if (colon != field.npos) {
      const std::string spec = field.substr(colon + 1);
      std::size_t at = 0;
      const auto aligns = [&](std::size_t place) {
        return place < spec.size() &&
               std::string_view("<>^").find(spec[place]) != std::string_view::npos;
      };
      if (aligns(1))
        how.fill = spec[0], how.align = spec[1], at = 2;
      else if (aligns(0))
        how.align = spec[0], at = 1;
      if (at < spec.size() && spec[at] == '+') how.plus = true, ++at;
      if (at < spec.size() && spec[at] == '0') how.zero = true, ++at;
      how.width = read_number(run, spec, at, 0);
      if (at < spec.size() && spec[at] == '.') how.precision = read_number(run, spec, ++at, 0);
      if (at < spec.size()) how.kind = spec[at++];
      if (at < spec.size() || std::string_view("dfFegsrxX%").find(how.kind == 0 ? 's' : how.kind) ==
                                  std::string_view::npos)
        run.fail(cat("the format \"", spec, "\" is not supported"));
      if (how.kind == 0 && how.precision >= 0 && value->is_float()) how.kind = 'g';
    }
    const std::string part = converted(run, how, *value);
    result += text.is_safe() && !value->is_safe() ? escaped(part) : part;
    run.charge(1 + result.size() / 1024);
    if (result.size() > kMaxOutputBytes) run.fail("a formatted text becomes too long");
    i = end;
  }
  return result;
}

std::string format_time(std::int64_t seconds, const std::string& format) {
  const auto when = static_cast<std::time_t>(seconds);
  std::tm parts = {};
  gmtime_r(&when, &parts);
  std::array<char, 4096> buffer;
  // strftime answers 0 for an empty result, too; the mark tells the two apart.
  const std::size_t count =
      std::strftime(buffer.data(), buffer.size(), (format + "|").c_str(), &parts);
  return count == 0 ? std::string() : std::string(buffer.data(), count - 1);
}

}  // namespace nibble::chat
