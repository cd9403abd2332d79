#include "model/text/jinja/syntax.h"

#include <charconv>
#include <initializer_list>

#include "base/limits.h"
#include "model/text/jinja/lexer.h"

namespace freshet::jinja {
namespace {
using Kind = Expression::Kind;
using Body = std::vector<Statement>;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Result<Body> run() { return statements({}); }

 private:
  bool done() const { return at_ == tokens_.size(); }
  bool is(Token::Kind kind, std::string_view text = {}) const {
    return !done() && tokens_[at_].kind == kind && (text.empty() || tokens_[at_].text == text);
  }
  bool is_symbol(std::string_view text) const { return is(Token::Kind::kSymbol, text); }
  bool is_word(std::string_view text) const { return is(Token::Kind::kName, text); }
  bool take_symbol(std::string_view text) { return is_symbol(text) && ++at_ > 0; }
  bool take_word(std::string_view text) { return is_word(text) && ++at_ > 0; }

  tl::unexpected<Error> error(const std::string& what) const {
    return fail(Code::kBadInput,
                what + (done() ? " at the end" : " at byte " + std::to_string(tokens_[at_].at)));
  }
  Result<void> want_symbol(std::string_view text) {
    if (take_symbol(text)) return {};
    return error("\"" + std::string(text) + "\" is missing");
  }
  Result<std::string> want_name() {
    if (!is(Token::Kind::kName)) return error("a name is missing");
    return tokens_[at_++].text;
  }
  Result<void> want_end() {
    if (is(Token::Kind::kEnd) && ++at_ > 0) return {};
    return error("a tag holds more than Freshet knows");
  }

  // To one of `ends` ("endif", "else"), whose name is taken but not what follows it.
  Result<Body> statements(std::initializer_list<std::string_view> ends) {
    if (++depth_ > limits::kTemplateDepthMax) return error("too deep nesting");
    Body body;
    while (!done()) {
      if (is(Token::Kind::kText)) {
        body.push_back({Statement::Kind::kText, tokens_[at_++].text, {}, {}, {}});
        continue;
      }
      const bool output = is(Token::Kind::kOutputBegin);
      ++at_;
      if (output) {
        TRY_ASSIGN(Expression value, expression());
        body.push_back({Statement::Kind::kOutput, {}, {}, {std::move(value)}, {}});
        TRY(want_end());
        continue;
      }
      TRY_ASSIGN(const std::string name, want_name());
      for (const std::string_view end : ends) {
        if (end != name) continue;
        ended_by_ = name;
        --depth_;
        return body;
      }
      TRY(block(name, body));
    }
    if (ends.size() > 0) return error("a block that does not end");
    --depth_;
    return body;
  }

  Result<void> block(const std::string& name, Body& body) {
    Statement statement;
    if (name == "if") {
      TRY_ASSIGN(statement, if_block());
    } else if (name == "for") {
      TRY_ASSIGN(statement, for_block());
    } else if (name == "set") {
      TRY_ASSIGN(statement, set_block());
    } else if (name == "generation" || name == "endgeneration") {
      return want_end();  // transformers' marks around an answer: the marks of the text do the same
    } else {
      return error("the statement \"" + name + "\" is not implemented");
    }
    body.push_back(std::move(statement));
    return {};
  }

  Result<Statement> if_block() {
    Statement statement;
    statement.kind = Statement::Kind::kIf;
    do {
      TRY_ASSIGN(Expression condition, expression());
      TRY(want_end());
      statement.values.push_back(std::move(condition));
      TRY_ASSIGN(Body body, statements({"elif", "else", "endif"}));
      statement.bodies.push_back(std::move(body));
    } while (ended_by_ == "elif");
    if (ended_by_ == "else") {
      TRY(want_end());
      TRY_ASSIGN(Body body, statements({"endif"}));
      statement.bodies.push_back(std::move(body));
    }
    TRY(want_end());
    return statement;
  }

  Result<Statement> for_block() {
    Statement statement;
    statement.kind = Statement::Kind::kFor;
    do {
      TRY_ASSIGN(std::string name, want_name());
      statement.names.push_back(std::move(name));
    } while (take_symbol(","));
    if (!take_word("in")) return error("\"in\" is missing");
    TRY_ASSIGN(Expression items, or_expression());
    statement.values.push_back(std::move(items));
    if (take_word("if")) {
      TRY_ASSIGN(Expression filter, expression());
      statement.values.push_back(std::move(filter));
    }
    TRY(want_end());
    TRY_ASSIGN(Body body, statements({"else", "endfor"}));
    statement.bodies.push_back(std::move(body));
    if (ended_by_ == "else") {
      TRY(want_end());
      TRY_ASSIGN(Body otherwise, statements({"endfor"}));
      statement.bodies.push_back(std::move(otherwise));
    }
    TRY(want_end());
    return statement;
  }

  Result<Statement> set_block() {
    Statement statement;
    statement.kind = Statement::Kind::kSet;
    do {
      TRY_ASSIGN(std::string name, want_name());
      statement.names.push_back(std::move(name));
    } while (statement.names.size() < 2 && take_symbol("."));
    if (!take_symbol("=")) return error("this form of \"set\" is not implemented");
    TRY_ASSIGN(Expression value, expression());
    statement.values.push_back(std::move(value));
    TRY(want_end());
    return statement;
  }

  Result<Expression> node(Kind kind, std::string name, std::vector<Expression> parts) const {
    Expression made;
    made.kind = kind;
    made.name = std::move(name);
    for (const Expression& part : parts) made.depth = std::max(made.depth, part.depth + 1);
    if (made.depth > limits::kTemplateDepthMax) return error("too deep nesting");
    made.parts = std::move(parts);
    return made;
  }

  Result<Expression> expression() {
    if (++depth_ > limits::kTemplateDepthMax) return error("too deep nesting");
    TRY_ASSIGN(Expression left, or_expression());
    if (take_word("if")) {
      TRY_ASSIGN(Expression condition, or_expression());
      Expression otherwise;
      if (take_word("else")) {
        TRY_ASSIGN(otherwise, expression());
      }
      TRY_ASSIGN(left, node(Kind::kConditional, {},
                            list_of(std::move(left), std::move(condition), std::move(otherwise))));
    }
    --depth_;
    return left;
  }

  template <class... Parts>
  static std::vector<Expression> list_of(Parts... parts) {
    std::vector<Expression> list;
    (list.push_back(std::move(parts)), ...);
    return list;
  }

  // A row of binary operators of one rank, from the left.
  template <class Operand>
  Result<Expression> binary(std::initializer_list<std::string_view> operators,
                            const Operand& operand) {
    TRY_ASSIGN(Expression left, operand());
    for (;;) {
      std::string found;
      for (const std::string_view name : operators)
        if (is_symbol(name) || is_word(name)) found = name;
      if (found.empty()) return left;
      ++at_;
      TRY_ASSIGN(Expression right, operand());
      TRY_ASSIGN(left, node(Kind::kBinary, found, list_of(std::move(left), std::move(right))));
    }
  }

  Result<Expression> or_expression() {
    return binary({"or"}, [this] { return binary({"and"}, [this] { return not_expression(); }); });
  }

  Result<Expression> not_expression() {
    if (!take_word("not")) return comparison();
    if (++depth_ > limits::kTemplateDepthMax) return error("too deep nesting");
    TRY_ASSIGN(Expression operand, not_expression());
    --depth_;
    return node(Kind::kUnary, "not", list_of(std::move(operand)));
  }

  std::string comparison_operator() {
    for (const std::string_view name : {"==", "!=", "<=", ">=", "<", ">"})
      if (take_symbol(name)) return std::string(name);
    if (take_word("in")) return "in";
    if (is_word("not") && at_ + 1 < tokens_.size() && tokens_[at_ + 1].text == "in") {
      at_ += 2;
      return "not in";
    }
    return {};
  }

  Result<Expression> comparison() {
    TRY_ASSIGN(Expression left, sum());
    const std::string name = comparison_operator();
    if (name.empty()) return left;
    TRY_ASSIGN(Expression right, sum());
    if (!comparison_operator().empty()) return error("a chain of comparisons is not implemented");
    return node(Kind::kBinary, name, list_of(std::move(left), std::move(right)));
  }

  Result<Expression> sum() {
    return binary({"+", "-"}, [this] {
      return binary({"~"}, [this] {
        return binary({"*", "//", "/", "%"}, [this] { return unary(); });
      });
    });
  }

  Result<Expression> unary() {
    if (!take_symbol("-")) return filtered();
    TRY_ASSIGN(Expression operand, filtered());
    return node(Kind::kUnary, "-", list_of(std::move(operand)));
  }

  Result<Expression> filtered() {
    TRY_ASSIGN(Expression value, postfixed());
    for (;;) {
      if (take_symbol("|")) {
        TRY_ASSIGN(const std::string name, want_name());
        TRY_ASSIGN(value, node(Kind::kFilter, name, list_of(std::move(value))));
        if (take_symbol("(")) TRY(arguments(value));
      } else if (take_word("is")) {
        const bool negated = take_word("not");
        TRY_ASSIGN(const std::string name, want_name());
        TRY_ASSIGN(value, node(Kind::kTest, name, list_of(std::move(value))));
        if (take_symbol("(")) TRY(arguments(value));
        if (negated) {
          TRY_ASSIGN(value, node(Kind::kUnary, "not", list_of(std::move(value))));
        }
      } else {
        return value;
      }
    }
  }

  // After "(": adds parts and keys to `call`.
  Result<void> arguments(Expression& call) {
    call.keys.assign(call.parts.size(), "");
    while (!take_symbol(")")) {
      std::string key;
      if (is(Token::Kind::kName) && at_ + 1 < tokens_.size() && tokens_[at_ + 1].text == "=" &&
          tokens_[at_ + 1].kind == Token::Kind::kSymbol) {
        key = tokens_[at_].text;
        at_ += 2;
      }
      TRY_ASSIGN(Expression value, expression());
      call.depth = std::max(call.depth, value.depth + 1);
      call.parts.push_back(std::move(value));
      call.keys.push_back(std::move(key));
      if (!take_symbol(",") && !is_symbol(")")) return error("\")\" is missing");
    }
    return {};
  }

  Result<Expression> postfixed() {
    TRY_ASSIGN(Expression value, primary());
    for (;;) {
      if (take_symbol(".")) {
        TRY_ASSIGN(const std::string name, want_name());
        TRY_ASSIGN(value, node(Kind::kAttribute, name, list_of(std::move(value))));
      } else if (take_symbol("[")) {
        TRY_ASSIGN(value, subscript(std::move(value)));
      } else if (take_symbol("(")) {
        TRY_ASSIGN(value, node(Kind::kCall, {}, list_of(std::move(value))));
        TRY(arguments(value));
      } else {
        return value;
      }
    }
  }

  Result<Expression> subscript(Expression of) {
    Expression left_out;
    left_out.literal = Value(None{});
    std::vector<Expression> parts = list_of(std::move(of));
    bool slice = false;
    while (!take_symbol("]")) {
      if (parts.size() == 4) return error("\"]\" is missing");
      if (is_symbol(":")) {
        parts.push_back(left_out);
      } else {
        TRY_ASSIGN(Expression part, expression());
        parts.push_back(std::move(part));
      }
      if (take_symbol(":"))
        slice = true;
      else if (!is_symbol("]"))
        return error("\"]\" is missing");
    }
    if (!slice && parts.size() != 2) return error("an index is missing");
    while (slice && parts.size() < 4) parts.push_back(left_out);
    return node(slice ? Kind::kSlice : Kind::kSubscript, {}, std::move(parts));
  }

  Result<Expression> primary() {
    if (done()) return error("an expression that does not end");
    const Token& token = tokens_[at_];
    Expression made;
    if (token.kind == Token::Kind::kString) {
      ++at_;
      std::string text = token.text;
      while (is(Token::Kind::kString)) text += tokens_[at_++].text;  // neighbours are one
      made.literal = Value::text(text);
      return made;
    }
    if (token.kind == Token::Kind::kNumber) {
      std::int64_t number = 0;
      const char* end = token.text.data() + token.text.size();
      const auto [stopped, failed] = std::from_chars(token.text.data(), end, number);
      if (failed != std::errc{} || stopped != end) return error("a number that is not whole");
      ++at_;
      made.literal = Value(number);
      return made;
    }
    if (token.kind == Token::Kind::kName) {
      ++at_;
      if (token.text == "true" || token.text == "True")
        made.literal = Value(true);
      else if (token.text == "false" || token.text == "False")
        made.literal = Value(false);
      else if (token.text == "none" || token.text == "None")
        made.literal = Value(None{});
      else
        return node(Kind::kName, token.text, {});
      return made;
    }
    return bracketed();
  }

  Result<Expression> bracketed() {
    if (take_symbol("(")) {
      TRY_ASSIGN(Expression inner, expression());
      TRY(want_symbol(")"));
      return inner;
    }
    const bool list = is_symbol("["), dict = is_symbol("{");
    if (!list && !dict) return error("an expression is missing");
    ++at_;
    std::vector<Expression> parts;
    while (!take_symbol(list ? "]" : "}")) {
      TRY_ASSIGN(Expression part, expression());
      parts.push_back(std::move(part));
      if (dict) {
        TRY(want_symbol(":"));
        TRY_ASSIGN(Expression value, expression());
        parts.push_back(std::move(value));
      }
      if (!take_symbol(",") && !is_symbol(list ? "]" : "}")) return error("a bracket is missing");
    }
    return node(list ? Kind::kList : Kind::kDict, {}, std::move(parts));
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::string ended_by_;
};

}  // namespace

Result<std::vector<Statement>> parse(std::string_view source) {
  TRY_ASSIGN(std::vector<Token> tokens, lex(source));
  return Parser(std::move(tokens)).run();
}

}  // namespace freshet::jinja
