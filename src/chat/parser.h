// Template text to syntax tree.
#pragma once

#include <algorithm>
#include <string_view>

#include "chat/lexer.h"
#include "chat/syntax.h"

namespace nibble::chat {

// The template as one block. Throws kCorruptFile with the line, what was found and what was
// expected; kUnsupported for statements that chat templates have no use for (include, extends).
NodePtr parse_template(std::string_view source);

// The tokens of a template and the place in them; builds nodes of bounded height.
class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& now() const { return tokens_[place_]; }
  const Token& next() const { return tokens_[std::min(place_ + 1, tokens_.size() - 1)]; }
  Token take();
  bool at(TokenKind kind) const { return now().kind == kind; }
  bool at_operator(std::string_view text) const {
    return at(TokenKind::kOperator) && now().text == text;
  }
  bool at_name(std::string_view text) const { return at(TokenKind::kName) && now().text == text; }
  bool skip_operator(std::string_view text);  // true when it stood there
  bool skip_name(std::string_view text);
  void expect_operator(std::string_view text);
  void expect_name(std::string_view text);
  void expect(TokenKind kind, std::string_view what);
  std::string take_name(std::string_view what);
  [[noreturn]] void fail_expected(std::string_view what) const;

  NodePtr node(NodeKind kind) const;
  // Adds `part`, which may be null; refuses trees that are too high.
  void add(Node& parent, NodePtr part) const;

  // Counts how deep the parser has gone; refuses more than kMaxDepth.
  class Level {
   public:
    explicit Level(TokenStream& stream);
    ~Level() { --stream_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    TokenStream& stream_;
  };

 private:
  std::vector<Token> tokens_;
  std::size_t place_ = 0;
  int depth_ = 0;
};

// expression_parser.cc
NodePtr parse_expression(TokenStream& stream);
// One expression, or several with commas between: then a tuple.
NodePtr parse_expressions(TokenStream& stream);
// The same, but "if" ends it: what a loop goes through.
NodePtr parse_loop_sequence(TokenStream& stream);
// A name, a tuple of names, or an attribute of a namespace.
NodePtr parse_target(TokenStream& stream);
// What follows an operand: attributes, items, calls.
NodePtr parse_primary(TokenStream& stream);
// "name(arguments) | name …" on `input`, which is null for the text of a block.
NodePtr parse_filters(TokenStream& stream, NodePtr input);
// "(a, b, name=c)"
void parse_arguments(TokenStream& stream, Node& call);

}  // namespace nibble::chat
