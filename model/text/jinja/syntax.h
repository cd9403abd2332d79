#pragma once
// A Jinja template as a tree. A statement that is not implemented is refused by its name; so is
// what is nested deeper than limits::kTemplateDepthMax, so that walking the tree needs a bounded
// stack.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/text/jinja/value.h"

namespace freshet::jinja {

struct Expression {
  enum class Kind {
    kLiteral,
    kName,         // name
    kAttribute,    // parts[0].name
    kSubscript,    // parts[0][parts[1]]
    kSlice,        // parts[0][parts[1]:parts[2]:parts[3]]; a part left out is none
    kCall,         // parts[0](parts[1]...)
    kFilter,       // parts[0] | name(parts[1]...)
    kTest,         // parts[0] is name(parts[1]...)
    kUnary,        // name parts[0]
    kBinary,       // parts[0] name parts[1]
    kConditional,  // parts[0] if parts[1] else parts[2]
    kList,
    kDict,  // key, value, key, value
  } kind = Kind::kLiteral;
  std::string name;
  Value literal;
  std::vector<Expression> parts;
  std::vector<std::string> keys;  // of a call's, filter's or test's arguments; "": by place
  int depth = 1;
};

struct Statement {
  enum class Kind { kText, kOutput, kIf, kFor, kSet } kind = Kind::kText;
  std::string text;                // kText
  std::vector<std::string> names;  // kFor: targets; kSet: NAME or NAME, ATTRIBUTE
  std::vector<Expression> values;  // kOutput, kSet, kFor: the value (and a filter); kIf: conditions
  std::vector<std::vector<Statement>>
      bodies;  // kIf: one for each condition, then else; kFor: body, else
};

Result<std::vector<Statement>> parse(std::string_view source);

}  // namespace freshet::jinja
