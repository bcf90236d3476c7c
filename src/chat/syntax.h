// A parsed template: a tree of nodes. What `parts` holds depends on the kind and is said there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "chat/value.h"

namespace nibble::chat {

enum class NodeKind {
  // Expressions
  kConstant,     // value
  kName,         // name
  kList,         // items
  kTuple,        // items
  kDict,         // key, value, key, value, …
  kAttribute,    // object; name
  kItem,         // object, key
  kSlice,        // object, start, stop, step; any of the last three may be null
  kCall,         // callee, arguments; names
  kFilter,       // input (null: the text of the block), arguments; name, names
  kTest,         // input, arguments; name, names
  kNegate,       // operand
  kPlus,         // operand
  kNot,          // operand
  kAnd,          // left, right
  kOr,           // left, right
  kArithmetic,   // left, right; name: + - * / // % **
  kConcat,       // operands of ~
  kCompare,      // operands; names: an operator between each two
  kConditional,  // value, condition, other value or null
  // Statements
  kText,    // name
  kOutput,  // expression
  kBlock,   // statements
  kIf,      // condition, block, condition, block, …, and the else block when their number is odd
  kFor,     // target, sequence, condition or null, block, else block or null
  kSet,     // target, value
  kSetBlock,     // target, block, filter or null
  kMacro,        // default or null for each of `names`, then the block; name
  kCallBlock,    // call, macro
  kFilterBlock,  // filter, block
  kWith,         // target, value, target, value, …, block
  kBreak,
  kContinue,
};

struct Node;
using NodePtr = std::unique_ptr<Node>;

struct Node {
  NodeKind kind = NodeKind::kConstant;
  int line = 0;
  int height = 1;  // of the tree below: bounds the recursion of everything that walks it
  std::string name;
  // Of arguments: "" for a positional one, its name, "*" or "**". Of a comparison: its operators.
  std::vector<std::string> names;
  std::vector<NodePtr> parts;
  Value value;
};

// Limits of a template and its evaluation. A template comes from a model's author: these are far
// above what public templates need and keep a hostile one from hurting.
constexpr std::size_t kMaxTemplateBytes = 1 << 20;
constexpr int kMaxDepth = 256;  // of nesting in the text, in values, and of evaluation
constexpr std::size_t kMaxSteps = 1'000'000;
constexpr std::size_t kMaxRange = 100'000;
constexpr std::size_t kMaxOutputBytes = std::size_t{4} << 20;  // of any one text, too
constexpr double kMaxSeconds = 1;

}  // namespace nibble::chat
