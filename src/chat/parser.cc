// Statements, and the stream of tokens that both halves of the parser read.
#include "chat/parser.h"

#include <algorithm>
#include <initializer_list>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble::chat {

Token TokenStream::take() {
  Token token = tokens_[place_];
  if (place_ + 1 < tokens_.size()) ++place_;
  return token;
}

bool TokenStream::skip_operator(std::string_view text) {
  if (!at_operator(text)) return false;
  take();
  return true;
}

bool TokenStream::skip_name(std::string_view text) {
  if (!at_name(text)) return false;
  take();
  return true;
}

void TokenStream::expect_operator(std::string_view text) {
  if (!skip_operator(text)) fail_expected(cat("\"", text, "\""));
}

void TokenStream::expect_name(std::string_view text) {
  if (!skip_name(text)) fail_expected(cat("\"", text, "\""));
}

void TokenStream::expect(TokenKind kind, std::string_view what) {
  if (!at(kind)) fail_expected(what);
  take();
}

std::string TokenStream::take_name(std::string_view what) {
  if (!at(TokenKind::kName)) fail_expected(what);
  return take().text;
}

void TokenStream::fail_expected(std::string_view what) const {
  std::string found = cat("\"", now().text.substr(0, 40), "\"");
  if (at(TokenKind::kEnd)) found = "the end of the template";
  if (at(TokenKind::kText)) found = "text";
  if (at(TokenKind::kOutputBegin)) found = "{{";
  if (at(TokenKind::kOutputEnd)) found = "}}";
  if (at(TokenKind::kStatementBegin)) found = "{%";
  if (at(TokenKind::kStatementEnd)) found = "%}";
  fail_at(now().line, cat("expected ", what, ", found ", found));
}

NodePtr TokenStream::node(NodeKind kind) const {
  NodePtr result = std::make_unique<Node>();
  result->kind = kind;
  result->line = now().line;
  return result;
}

void TokenStream::add(Node& parent, NodePtr part) const {
  if (part) parent.height = std::max(parent.height, part->height + 1);
  parent.parts.push_back(std::move(part));
  if (parent.height > kMaxDepth)
    fail_at(now().line, cat("nested more than ", kMaxDepth, " levels deep"));
}

TokenStream::Level::Level(TokenStream& stream) : stream_(stream) {
  // Each level of brackets passes three of these.
  if (stream_.depth_ >= 3 * kMaxDepth)
    fail_at(stream_.now().line, cat("nested more than ", kMaxDepth, " levels deep"));
  ++stream_.depth_;
}

namespace {

using Names = std::initializer_list<std::string_view>;

class Statements {
 public:
  explicit Statements(TokenStream& stream) : stream_(stream) {}

  // Up to one of the closing statements, whose name stands next then; "" is the template's end.
  NodePtr block(Names closing) {
    const TokenStream::Level level(stream_);
    NodePtr node = stream_.node(NodeKind::kBlock);
    const int first_line = stream_.now().line;
    for (;;) {
      if (stream_.at(TokenKind::kEnd)) {
        if (closing.size() == 0) return node;
        fail_at(stream_.now().line, cat("expected {% ", *(closing.end() - 1), " %} for line ",
                                        first_line, ", found the end of the template"));
      }
      if (stream_.at(TokenKind::kText)) {
        NodePtr text = stream_.node(NodeKind::kText);
        text->name = stream_.take().text;
        stream_.add(*node, std::move(text));
      } else if (stream_.at(TokenKind::kOutputBegin)) {
        stream_.take();
        NodePtr output = stream_.node(NodeKind::kOutput);
        stream_.add(*output, parse_expressions(stream_));
        stream_.expect(TokenKind::kOutputEnd, "}}");
        stream_.add(*node, std::move(output));
      } else {
        stream_.take();
        if (std::any_of(closing.begin(), closing.end(),
                        [&](std::string_view name) { return stream_.at_name(name); }))
          return node;
        if (NodePtr next = statement(closing)) stream_.add(*node, std::move(next));
      }
    }
  }

 private:
  void end_tag() { stream_.expect(TokenKind::kStatementEnd, "%}"); }

  // A block that ends with "{% endNAME %}".
  NodePtr body(std::string_view end) {
    end_tag();
    NodePtr node = block({end});
    stream_.take();
    end_tag();
    return node;
  }

  NodePtr statement(Names closing) {
    const std::string name = stream_.take_name("the name of a statement");
    if (name == "if") return if_statement();
    if (name == "for") return for_statement();
    if (name == "set") return set_statement();
    if (name == "macro") return macro();
    if (name == "call") return call_block();
    if (name == "filter") return filter_block();
    if (name == "with") return with();
    if (name == "break" || name == "continue") return jump(name);
    if (name == "generation") return body("endgeneration");  // marks what training learns
    for (const std::string_view other : {"include", "import", "from", "extends", "block"})
      if (name == other)
        throw Error(ErrorKind::kUnsupported,
                    cat("chat template, line ", stream_.now().line, ": {% ", name,
                        " %} is not supported: a chat template is one text"));
    if (name.starts_with("end") || name == "else" || name == "elif")
      fail_at(stream_.now().line, closing.size() == 0 ? cat("{% ", name, " %} closes nothing")
                                                      : cat("expected {% ", *(closing.end() - 1),
                                                            " %}, found {% ", name, " %}"));
    fail_at(stream_.now().line, cat("unknown statement \"", name.substr(0, 40), "\""));
  }

  NodePtr if_statement() {
    NodePtr node = stream_.node(NodeKind::kIf);
    stream_.add(*node, parse_expressions(stream_));
    for (;;) {
      end_tag();
      stream_.add(*node, block({"elif", "else", "endif"}));
      if (stream_.skip_name("elif")) {
        stream_.add(*node, parse_expressions(stream_));
        continue;
      }
      if (stream_.skip_name("else")) {
        end_tag();
        stream_.add(*node, block({"endif"}));
      }
      stream_.take();
      end_tag();
      return node;
    }
  }

  NodePtr for_statement() {
    NodePtr node = stream_.node(NodeKind::kFor);
    stream_.add(*node, parse_target(stream_));
    stream_.expect_name("in");
    stream_.add(*node, parse_loop_sequence(stream_));
    stream_.add(*node, stream_.skip_name("if") ? parse_expression(stream_) : nullptr);
    if (stream_.at_name("recursive"))
      throw Error(ErrorKind::kUnsupported, cat("chat template, line ", stream_.now().line,
                                               ": recursive loops are not supported"));
    ++loops_;
    end_tag();
    stream_.add(*node, block({"else", "endfor"}));
    --loops_;
    NodePtr otherwise;
    if (stream_.skip_name("else")) {
      end_tag();
      otherwise = block({"endfor"});
    }
    stream_.take();
    end_tag();
    stream_.add(*node, std::move(otherwise));
    return node;
  }

  NodePtr set_statement() {
    NodePtr node = stream_.node(NodeKind::kSet);
    stream_.add(*node, parse_target(stream_));
    if (stream_.skip_operator("=")) {
      stream_.add(*node, parse_expressions(stream_));
      end_tag();
      return node;
    }
    node->kind = NodeKind::kSetBlock;
    NodePtr filter = stream_.skip_operator("|") ? parse_filters(stream_, nullptr) : nullptr;
    stream_.add(*node, body("endset"));
    stream_.add(*node, std::move(filter));
    return node;
  }

  // "(a, b=1)"
  void parameters(Node& node) {
    stream_.expect_operator("(");
    while (!stream_.at_operator(")")) {
      node.names.push_back(stream_.take_name("the name of a parameter"));
      stream_.add(node, stream_.skip_operator("=") ? parse_expression(stream_) : nullptr);
      if (!stream_.at_operator(")")) stream_.expect_operator(",");
    }
    stream_.take();
  }

  // The body of a macro is no part of the loop around it.
  NodePtr macro_body(std::string_view end) {
    const int loops = loops_;
    loops_ = 0;
    NodePtr node = body(end);
    loops_ = loops;
    return node;
  }

  NodePtr macro() {
    NodePtr node = stream_.node(NodeKind::kMacro);
    node->name = stream_.take_name("the name of a macro");
    parameters(*node);
    stream_.add(*node, macro_body("endmacro"));
    return node;
  }

  NodePtr call_block() {
    NodePtr node = stream_.node(NodeKind::kCallBlock);
    NodePtr caller = stream_.node(NodeKind::kMacro);
    caller->name = "caller";
    if (stream_.at_operator("(")) parameters(*caller);
    NodePtr call = parse_expression(stream_);
    if (call->kind != NodeKind::kCall) stream_.fail_expected("a call of a macro");
    stream_.add(*node, std::move(call));
    stream_.add(*caller, macro_body("endcall"));
    stream_.add(*node, std::move(caller));
    return node;
  }

  NodePtr filter_block() {
    NodePtr node = stream_.node(NodeKind::kFilterBlock);
    stream_.add(*node, parse_filters(stream_, nullptr));
    stream_.add(*node, body("endfilter"));
    return node;
  }

  NodePtr with() {
    NodePtr node = stream_.node(NodeKind::kWith);
    while (!stream_.at(TokenKind::kStatementEnd)) {
      NodePtr target = stream_.node(NodeKind::kName);
      target->name = stream_.take_name("the name of a variable");
      stream_.expect_operator("=");
      stream_.add(*node, std::move(target));
      stream_.add(*node, parse_expression(stream_));
      if (!stream_.at(TokenKind::kStatementEnd)) stream_.expect_operator(",");
    }
    stream_.add(*node, body("endwith"));
    return node;
  }

  NodePtr jump(const std::string& name) {
    NodePtr node = stream_.node(name == "break" ? NodeKind::kBreak : NodeKind::kContinue);
    if (loops_ == 0) fail_at(node->line, cat("{% ", name, " %} stands in no loop"));
    end_tag();
    return node;
  }

  TokenStream& stream_;
  int loops_ = 0;
};

}  // namespace

NodePtr parse_template(std::string_view source) {
  TokenStream stream(tokenize_template(source));
  return Statements(stream).block({});
}

}  // namespace nibble::chat
