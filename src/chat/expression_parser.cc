// Expressions, from the loosest binding (inline if) to the tightest (attributes and calls).
#include <array>

#include "base/text.h"
#include "chat/parser.h"

namespace nibble::chat {
namespace {

constexpr std::array<std::string_view, 6> kComparisons = {"==", "!=", "<=", ">=", "<", ">"};

NodePtr parse_or(TokenStream& stream);
NodePtr parse_unary(TokenStream& stream, bool with_filters);

NodePtr binary(TokenStream& stream, NodeKind kind, std::string name, NodePtr left, NodePtr right) {
  NodePtr node = stream.node(kind);
  node->name = std::move(name);
  stream.add(*node, std::move(left));
  stream.add(*node, std::move(right));
  return node;
}

NodePtr parse_power(TokenStream& stream) {
  NodePtr left = parse_unary(stream, true);
  while (stream.skip_operator("**"))
    left = binary(stream, NodeKind::kArithmetic, "**", std::move(left), parse_unary(stream, true));
  return left;
}

NodePtr parse_product(TokenStream& stream) {
  NodePtr left = parse_power(stream);
  while (stream.at_operator("*") || stream.at_operator("/") || stream.at_operator("//") ||
         stream.at_operator("%")) {
    std::string name = stream.take().text;
    left = binary(stream, NodeKind::kArithmetic, std::move(name), std::move(left),
                  parse_power(stream));
  }
  return left;
}

NodePtr parse_concat(TokenStream& stream) {
  NodePtr first = parse_product(stream);
  if (!stream.at_operator("~")) return first;
  NodePtr node = stream.node(NodeKind::kConcat);
  stream.add(*node, std::move(first));
  while (stream.skip_operator("~")) stream.add(*node, parse_product(stream));
  return node;
}

NodePtr parse_sum(TokenStream& stream) {
  NodePtr left = parse_concat(stream);
  while (stream.at_operator("+") || stream.at_operator("-")) {
    std::string name = stream.take().text;
    left = binary(stream, NodeKind::kArithmetic, std::move(name), std::move(left),
                  parse_concat(stream));
  }
  return left;
}

// The comparison that stands here, taken; empty when there is none.
std::string take_comparison(TokenStream& stream) {
  for (const std::string_view name : kComparisons)
    if (stream.skip_operator(name)) return std::string(name);
  if (stream.skip_name("in")) return "in";
  if (stream.at_name("not") && stream.next().kind == TokenKind::kName &&
      stream.next().text == "in") {
    stream.take();
    stream.take();
    return "not in";
  }
  return {};
}

NodePtr parse_comparison(TokenStream& stream) {
  NodePtr first = parse_sum(stream);
  std::string name = take_comparison(stream);
  if (name.empty()) return first;
  NodePtr node = stream.node(NodeKind::kCompare);
  stream.add(*node, std::move(first));
  for (; !name.empty(); name = take_comparison(stream)) {
    node->names.push_back(name);
    stream.add(*node, parse_sum(stream));
  }
  return node;
}

NodePtr parse_not(TokenStream& stream) {
  const TokenStream::Level level(stream);
  if (!stream.at_name("not")) return parse_comparison(stream);
  NodePtr node = stream.node(NodeKind::kNot);
  stream.take();
  stream.add(*node, parse_not(stream));
  return node;
}

NodePtr parse_and(TokenStream& stream) {
  NodePtr left = parse_not(stream);
  while (stream.skip_name("and"))
    left = binary(stream, NodeKind::kAnd, "", std::move(left), parse_not(stream));
  return left;
}

NodePtr parse_or(TokenStream& stream) {
  NodePtr left = parse_and(stream);
  while (stream.skip_name("or"))
    left = binary(stream, NodeKind::kOr, "", std::move(left), parse_and(stream));
  return left;
}

NodePtr constant(TokenStream& stream, Value value) {
  NodePtr node = stream.node(NodeKind::kConstant);
  node->value = std::move(value);
  return node;
}

NodePtr parse_name(TokenStream& stream) {
  const std::string name = stream.now().text;
  NodePtr node;
  if (name == "true" || name == "True") node = constant(stream, true);
  if (name == "false" || name == "False") node = constant(stream, false);
  if (name == "none" || name == "None") node = constant(stream, None{});
  if (!node) {
    node = stream.node(NodeKind::kName);
    node->name = name;
  }
  stream.take();
  return node;
}

// Up to the closing bracket; a comma may stand before it.
NodePtr parse_items(TokenStream& stream, NodeKind kind, std::string_view closing) {
  NodePtr node = stream.node(kind);
  stream.take();
  while (!stream.at_operator(closing)) {
    stream.add(*node, parse_expression(stream));
    if (kind == NodeKind::kDict) {
      stream.expect_operator(":");
      stream.add(*node, parse_expression(stream));
    }
    if (!stream.at_operator(closing)) stream.expect_operator(",");
  }
  stream.take();
  return node;
}

NodePtr parse_brackets(TokenStream& stream) {
  NodePtr node = stream.node(NodeKind::kTuple);
  stream.take();
  if (stream.skip_operator(")")) return node;
  node = parse_expressions(stream);
  stream.expect_operator(")");
  return node;
}

NodePtr parse_operand(TokenStream& stream) {
  if (stream.at(TokenKind::kName)) return parse_name(stream);
  if (stream.at(TokenKind::kNumber)) {
    NodePtr node = constant(stream, stream.now().number);
    stream.take();
    return node;
  }
  if (stream.at(TokenKind::kString)) {
    NodePtr node = stream.node(NodeKind::kConstant);
    std::string text;
    while (stream.at(TokenKind::kString)) text += stream.take().text;
    node->value = Value(std::move(text));
    return node;
  }
  if (stream.at_operator("(")) return parse_brackets(stream);
  if (stream.at_operator("[")) return parse_items(stream, NodeKind::kList, "]");
  if (stream.at_operator("{")) return parse_items(stream, NodeKind::kDict, "}");
  stream.fail_expected("a value");
}

// "[key]" or "[start:stop:step]" of `object`
NodePtr parse_subscript(TokenStream& stream, NodePtr object) {
  NodePtr node = stream.node(NodeKind::kItem);
  stream.take();
  stream.add(*node, std::move(object));
  NodePtr first = stream.at_operator(":") ? nullptr : parse_expressions(stream);
  if (stream.at_operator(":")) {
    node->kind = NodeKind::kSlice;
    stream.add(*node, std::move(first));
    for (int i = 0; i < 2; ++i) {
      const bool given =
          stream.skip_operator(":") && !stream.at_operator(":") && !stream.at_operator("]");
      stream.add(*node, given ? parse_expression(stream) : nullptr);
    }
  } else {
    stream.add(*node, std::move(first));
  }
  stream.expect_operator("]");
  return node;
}

NodePtr parse_attribute(TokenStream& stream, NodePtr object) {
  NodePtr node = stream.node(NodeKind::kAttribute);
  stream.take();
  stream.add(*node, std::move(object));
  if (stream.at(TokenKind::kNumber) && stream.now().number.is_integer()) {
    node->kind = NodeKind::kItem;
    stream.add(*node, constant(stream, stream.now().number));
    stream.take();
  } else {
    node->name = stream.take_name("the name of an attribute");
  }
  return node;
}

NodePtr parse_call(TokenStream& stream, NodePtr callee) {
  NodePtr node = stream.node(NodeKind::kCall);
  stream.add(*node, std::move(callee));
  parse_arguments(stream, *node);
  return node;
}

NodePtr parse_postfix(TokenStream& stream, NodePtr node) {
  for (;;) {
    if (stream.at_operator("."))
      node = parse_attribute(stream, std::move(node));
    else if (stream.at_operator("["))
      node = parse_subscript(stream, std::move(node));
    else if (stream.at_operator("("))
      node = parse_call(stream, std::move(node));
    else
      return node;
  }
}

// A single argument may stand behind a test without brackets: "x is divisibleby 3".
bool at_bare_argument(const TokenStream& stream) {
  if (stream.at(TokenKind::kString) || stream.at(TokenKind::kNumber)) return true;
  if (stream.at_operator("[") || stream.at_operator("{")) return true;
  return stream.at(TokenKind::kName) && !stream.at_name("else") && !stream.at_name("or") &&
         !stream.at_name("and") && !stream.at_name("is") && !stream.at_name("if") &&
         !stream.at_name("not") && !stream.at_name("in");
}

NodePtr parse_test(TokenStream& stream, NodePtr input) {
  stream.take();
  NodePtr negation = stream.at_name("not") ? stream.node(NodeKind::kNot) : nullptr;
  if (negation) stream.take();
  NodePtr node = stream.node(NodeKind::kTest);
  stream.add(*node, std::move(input));
  node->name = stream.take_name("the name of a test");
  if (stream.at_operator("(")) {
    parse_arguments(stream, *node);
  } else if (at_bare_argument(stream)) {
    node->names.emplace_back();
    stream.add(*node, parse_primary(stream));
  }
  if (!negation) return node;
  stream.add(*negation, std::move(node));
  return negation;
}

NodePtr parse_filters_and_tests(TokenStream& stream, NodePtr node) {
  for (;;) {
    if (stream.skip_operator("|"))
      node = parse_filters(stream, std::move(node));
    else if (stream.at_name("is"))
      node = parse_test(stream, std::move(node));
    else if (stream.at_operator("("))
      node = parse_call(stream, std::move(node));
    else
      return node;
  }
}

NodePtr parse_unary(TokenStream& stream, bool with_filters) {
  const TokenStream::Level level(stream);
  NodePtr node;
  if (stream.at_operator("-") || stream.at_operator("+")) {
    node = stream.node(stream.at_operator("-") ? NodeKind::kNegate : NodeKind::kPlus);
    stream.take();
    stream.add(*node, parse_unary(stream, false));
  } else {
    node = parse_operand(stream);
  }
  node = parse_postfix(stream, std::move(node));
  return with_filters ? parse_filters_and_tests(stream, std::move(node)) : std::move(node);
}

}  // namespace

void parse_arguments(TokenStream& stream, Node& call) {
  stream.expect_operator("(");
  while (!stream.at_operator(")")) {
    std::string name;
    if (stream.skip_operator("**")) {
      name = "**";
    } else if (stream.skip_operator("*")) {
      name = "*";
    } else if (stream.at(TokenKind::kName) && stream.next().kind == TokenKind::kOperator &&
               stream.next().text == "=") {
      name = stream.take().text;
      stream.take();
    }
    call.names.push_back(name);
    stream.add(call, parse_expression(stream));
    if (!stream.at_operator(")")) stream.expect_operator(",");
  }
  stream.take();
}

NodePtr parse_filters(TokenStream& stream, NodePtr input) {
  do {
    NodePtr node = stream.node(NodeKind::kFilter);
    stream.add(*node, std::move(input));
    node->name = stream.take_name("the name of a filter");
    while (stream.skip_operator(".")) node->name += "." + stream.take_name("the name of a filter");
    if (stream.at_operator("(")) parse_arguments(stream, *node);
    input = std::move(node);
  } while (stream.skip_operator("|"));
  return input;
}

NodePtr parse_primary(TokenStream& stream) { return parse_postfix(stream, parse_operand(stream)); }

NodePtr parse_expression(TokenStream& stream) {
  const TokenStream::Level level(stream);
  NodePtr value = parse_or(stream);
  while (stream.at_name("if")) {
    NodePtr node = stream.node(NodeKind::kConditional);
    stream.take();
    stream.add(*node, std::move(value));
    stream.add(*node, parse_or(stream));
    stream.add(*node, stream.skip_name("else") ? parse_expression(stream) : nullptr);
    value = std::move(node);
  }
  return value;
}

namespace {

using Part = NodePtr (*)(TokenStream&);

NodePtr parse_with_commas(TokenStream& stream, Part part) {
  NodePtr first = part(stream);
  if (!stream.at_operator(",")) return first;
  NodePtr node = stream.node(NodeKind::kTuple);
  stream.add(*node, std::move(first));
  while (stream.skip_operator(",")) {
    const bool ends = stream.at(TokenKind::kOutputEnd) || stream.at(TokenKind::kStatementEnd) ||
                      stream.at_operator(")") || stream.at_operator("]");
    if (ends) break;
    stream.add(*node, part(stream));
  }
  return node;
}

}  // namespace

NodePtr parse_expressions(TokenStream& stream) {
  return parse_with_commas(stream, parse_expression);
}

NodePtr parse_loop_sequence(TokenStream& stream) { return parse_with_commas(stream, parse_or); }

NodePtr parse_target(TokenStream& stream) {
  const TokenStream::Level level(stream);
  const auto one = [&]() -> NodePtr {
    if (stream.skip_operator("(")) {
      NodePtr node = parse_target(stream);
      stream.expect_operator(")");
      return node;
    }
    NodePtr node = stream.node(NodeKind::kName);
    node->name = stream.take_name("the name of a variable");
    if (!stream.at_operator(".")) return node;
    NodePtr attribute = stream.node(NodeKind::kAttribute);
    stream.take();
    attribute->name = stream.take_name("the name of an attribute");
    stream.add(*attribute, std::move(node));
    return attribute;
  };
  NodePtr first = one();
  if (!stream.at_operator(",")) return first;
  NodePtr tuple = stream.node(NodeKind::kTuple);
  stream.add(*tuple, std::move(first));
  while (stream.skip_operator(",") && !stream.at_operator("=") && !stream.at_name("in"))
    stream.add(*tuple, one());
  return tuple;
}

}  // namespace nibble::chat
