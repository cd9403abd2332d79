#include "model/text/jinja/render.h"

#include <algorithm>
#include <span>

#include "base/limits.h"
#include "model/text/jinja/methods.h"

namespace freshet::jinja {
namespace {

using Kind = Expression::Kind;

tl::unexpected<Error> refuse(const std::string& what) { return fail(Code::kBadInput, what); }

class Interpreter {
 public:
  explicit Interpreter(Dict variables) {
    const std::size_t given = bytes_of(Value(variables));
    steps_left_ = limits::kTemplateStepsMin + given * limits::kTemplateStepsPerByte;
    bytes_left_ = limits::kTemplateBytesMax + given * limits::kTemplateCopiesMax;
    scopes_.push_back(std::move(variables));
  }

  Result<void> run(const std::vector<Statement>& body) {
    for (const Statement& statement : body) {
      TRY(step());
      switch (statement.kind) {
        case Statement::Kind::kText: TRY(print(MarkedText(statement.text, kTemplateMark))); break;
        case Statement::Kind::kOutput: {
          TRY_ASSIGN(const Value value, evaluate(statement.values[0]));
          TRY_ASSIGN(const MarkedText text, printed(value));
          TRY(print(text));
          break;
        }
        case Statement::Kind::kIf: TRY(run_if(statement)); break;
        case Statement::Kind::kFor: TRY(run_for(statement)); break;
        case Statement::Kind::kSet: TRY(run_set(statement)); break;
      }
    }
    return {};
  }

  MarkedText output;

 private:
  Result<void> step(std::size_t steps = 1) {
    if (steps > steps_left_) return refuse("it takes too many steps");
    steps_left_ -= steps;
    return {};
  }

  // What may go over all of a text costs as many steps as that takes.
  Result<void> look_at(const Value& value) {
    return value.text() == nullptr ? Result<void>() : step(value.text()->chars.size() / 64);
  }
  Result<void> look_at(const std::vector<Value>& values) {
    for (const Value& value : values) TRY(look_at(value));
    return {};
  }
  // For "in", which compares a list's items one by one.
  Result<void> look_through(const Value& hay, const Value& needle) {
    if (hay.list() == nullptr) return {};
    const std::size_t each = needle.text() == nullptr ? 0 : needle.text()->chars.size();
    return step(hay.list()->size() * (each + 8) / 64);
  }

  Result<void> pay(std::size_t bytes) {
    if (bytes > bytes_left_) return refuse("it makes too much text");
    bytes_left_ -= bytes;
    return {};
  }

  Result<void> print(const MarkedText& text) {
    TRY(pay(text.chars.size()));
    output.append(text);
    return {};
  }

  Result<void> run_if(const Statement& statement) {
    for (std::size_t i = 0; i < statement.values.size(); ++i) {
      TRY_ASSIGN(const Value condition, evaluate(statement.values[i]));
      if (condition.truth()) return run(statement.bodies[i]);
    }
    return statement.bodies.size() > statement.values.size() ? run(statement.bodies.back())
                                                             : Result<void>();
  }

  // What a loop goes over, as a list that stays while it runs.
  static Result<List> items_of(const Value& value) {
    if (value.list() != nullptr) return *value.list();
    List items;
    if (value.dict() != nullptr)
      for (const auto& [key, item] : *value.dict()) items.push_back(Value::text(key));
    else if (!value.is_undefined())
      return refuse("a loop over a " + std::string(type_name(value)) + " is not implemented");
    return items;
  }

  Result<void> bind(const std::vector<std::string>& names, const Value& item) {
    if (names.size() == 1) {
      scopes_.back()[names[0]] = item;
      return {};
    }
    if (item.list() == nullptr || item.list()->size() != names.size())
      return refuse("a loop over several names needs a list of as many values");
    for (std::size_t i = 0; i < names.size(); ++i) scopes_.back()[names[i]] = (*item.list())[i];
    return {};
  }

  Result<List> kept(const Statement& statement, List items) {
    if (statement.values.size() < 2) return items;
    List kept;
    for (Value& item : items) {
      scopes_.emplace_back();
      TRY(bind(statement.names, item));
      TRY_ASSIGN(const Value keep, evaluate(statement.values[1]));
      scopes_.pop_back();
      if (keep.truth()) kept.push_back(std::move(item));
    }
    return kept;
  }

  Result<void> run_for(const Statement& statement) {
    TRY_ASSIGN(const Value over, evaluate(statement.values[0]));
    TRY_ASSIGN(List items, items_of(over));
    TRY(pay(items.size() * sizeof(Value)));
    TRY_ASSIGN(items, kept(statement, std::move(items)));
    if (items.empty() && statement.bodies.size() > 1) return run(statement.bodies[1]);
    const auto count = static_cast<std::int64_t>(items.size());
    for (std::int64_t i = 0; i < count; ++i) {
      TRY(step());
      scopes_.emplace_back();
      TRY(bind(statement.names, items[static_cast<std::size_t>(i)]));
      scopes_.back()["loop"] = Value(
          Dict{{"index", Value(i + 1)},
               {"index0", Value(i)},
               {"revindex", Value(count - i)},
               {"revindex0", Value(count - i - 1)},
               {"first", Value(i == 0)},
               {"last", Value(i + 1 == count)},
               {"length", Value(count)},
               {"previtem", i == 0 ? Value() : items[static_cast<std::size_t>(i) - 1]},
               {"nextitem", i + 1 == count ? Value() : items[static_cast<std::size_t>(i) + 1]}});
      TRY(run(statement.bodies[0]));
      scopes_.pop_back();
    }
    return {};
  }

  Result<void> run_set(const Statement& statement) {
    TRY_ASSIGN(Value value, evaluate(statement.values[0]));
    if (statement.names.size() == 1) {
      scopes_.back()[statement.names[0]] = std::move(value);
      return {};
    }
    Dict* dict = look_up(statement.names[0]).dict();
    if (dict == nullptr || !dict->contains(kNamespace))
      return refuse("\"" + statement.names[0] + "\" is no namespace");
    TRY(check_flat(value));
    (*dict)[statement.names[1]] = std::move(value);
    return {};
  }

  Value look_up(const std::string& name) const {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope)
      if (const auto found = scope->find(name); found != scope->end()) return found->second;
    return {};
  }

  Result<Value> evaluate(const Expression& expression) {
    TRY(step());
    const auto& parts = expression.parts;
    switch (expression.kind) {
      case Kind::kLiteral: return expression.literal;
      case Kind::kName: return look_up(expression.name);
      case Kind::kConditional: {
        TRY_ASSIGN(const Value condition, evaluate(parts[1]));
        return evaluate(parts[condition.truth() ? 0 : 2]);
      }
      case Kind::kCall: return call(expression);
      case Kind::kBinary: return binary(expression);
      case Kind::kAttribute: {
        TRY_ASSIGN(const Value of, evaluate(parts[0]));
        return item_of(of, Value::text(expression.name));
      }
      default: break;
    }
    TRY_ASSIGN(std::vector<Value> values, evaluate_all(parts));
    return combine(expression, values);
  }

  Result<std::vector<Value>> evaluate_all(std::span<const Expression> parts) {
    std::vector<Value> values;
    for (const Expression& part : parts) {
      TRY_ASSIGN(Value value, evaluate(part));
      values.push_back(std::move(value));
    }
    return values;
  }

  // A node whose parts are all wanted, from their values.
  Result<Value> combine(const Expression& expression, std::vector<Value>& values) {
    TRY(look_at(values));
    switch (expression.kind) {
      case Kind::kSubscript: return item_of(values[0], values[1]);
      case Kind::kSlice: return slice(values);
      case Kind::kFilter: {
        TRY(check_places(expression));
        TRY_ASSIGN(Value made, filtered(values[0], expression.name, std::span(values).subspan(1)));
        return paid(std::move(made));
      }
      case Kind::kTest: {
        TRY_ASSIGN(const bool holds,
                   tested(values[0], expression.name, std::span(values).subspan(1)));
        return Value(holds);
      }
      case Kind::kUnary: {
        if (expression.name == "not") return Value(!values[0].truth());
        if (values[0].number() != nullptr) return arithmetic("-", 0, *values[0].number());
        return refuse("\"-\" before a " + std::string(type_name(values[0])) +
                      " is not implemented");
      }
      case Kind::kList: {
        for (const Value& value : values)
          if (value.list() != nullptr) return refuse("a list in a list is not implemented");
        return paid(Value(List(values)));
      }
      case Kind::kDict: {
        Dict dict;
        for (std::size_t i = 0; i + 1 < values.size(); i += 2) {
          if (values[i].text() == nullptr) return refuse("a dictionary's key must be a text");
          TRY(check_flat(values[i + 1]));
          dict[values[i].text()->chars] = values[i + 1];
        }
        return paid(Value(std::move(dict)));
      }
      default: return refuse("this expression is not implemented");
    }
  }

  // A value that took memory of its own.
  Result<Value> paid(Value value) {
    std::size_t bytes = sizeof(Value);
    if (value.text() != nullptr) bytes += value.text()->chars.size();
    if (value.list() != nullptr)
      for (const Value& item : *value.list())
        bytes += sizeof(Value) + (item.text() == nullptr ? 0 : item.text()->chars.size());
    TRY(pay(bytes));
    return value;
  }

  // What a template builds stays so shallow that it holds neither circles nor depth.
  static Result<void> check_flat(const Value& value) {
    if (value.dict() == nullptr && value.list() == nullptr) return {};
    return refuse("a " + std::string(type_name(value)) + " in a dictionary is not implemented");
  }

  static Result<void> check_places(const Expression& expression) {
    for (const std::string& key : expression.keys)
      if (!key.empty())
        return refuse("\"" + expression.name + "\" with \"" + key + "=\" is not implemented");
    return {};
  }

  static Result<Value> item_of(const Value& of, const Value& at) {
    if (of.is_undefined()) return refuse("something undefined is asked for a part of it");
    if (of.dict() != nullptr && at.text() != nullptr) {
      const auto found = of.dict()->find(at.text()->chars);
      return found == of.dict()->end() ? Value() : found->second;
    }
    if (of.list() != nullptr && at.number() != nullptr) {
      const auto size = static_cast<std::int64_t>(of.list()->size());
      const std::int64_t index = *at.number() < 0 ? *at.number() + size : *at.number();
      return index < 0 || index >= size ? Value() : (*of.list())[static_cast<std::size_t>(index)];
    }
    if (at.text() != nullptr) return Value();
    return refuse("an index into a " + std::string(type_name(of)) + " is not implemented");
  }

  // Python's list[start:stop:step], for steps of 1 and -1.
  Result<Value> slice(const std::vector<Value>& values) {
    if (values[0].list() == nullptr)
      return refuse("a slice of a " + std::string(type_name(values[0])) + " is not implemented");
    const List& list = *values[0].list();
    const auto size = static_cast<std::int64_t>(list.size());
    const auto bound = [&](const Value& value, std::int64_t absent) {
      if (value.number() == nullptr) return absent;
      return std::clamp<std::int64_t>(
          *value.number() < 0 ? *value.number() + size : *value.number(), 0, size);
    };
    const std::int64_t step = values[3].number() == nullptr ? 1 : *values[3].number();
    const bool whole = values[1].number() == nullptr && values[2].number() == nullptr;
    if (step != 1 && !(step == -1 && whole))
      return refuse("a slice with this step is not implemented");
    const std::int64_t first = bound(values[1], 0), end = std::max(first, bound(values[2], size));
    List part(list.begin() + first, list.begin() + end);
    if (step == -1) std::reverse(part.begin(), part.end());
    return paid(Value(std::move(part)));
  }

  Result<Value> call(const Expression& expression) {
    const Expression& callee = expression.parts[0];
    TRY_ASSIGN(const std::vector<Value> arguments,
               evaluate_all(std::span(expression.parts).subspan(1)));
    if (callee.kind == Kind::kAttribute) {
      TRY_ASSIGN(const Value of, evaluate(callee.parts[0]));
      TRY(check_places(expression));
      TRY(look_at(of));
      TRY(look_at(arguments));
      TRY_ASSIGN(Value made, called(of, callee.name, arguments));
      return paid(std::move(made));
    }
    if (callee.kind == Kind::kName && callee.name == "raise_exception") {
      const MarkedText* why = arguments.empty() ? nullptr : arguments[0].text();
      return refuse(why == nullptr ? "it refuses these messages" : own_words(*why));
    }
    if (callee.kind == Kind::kName && callee.name == "namespace") {
      Dict dict{{kNamespace, Value(true)}};
      for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (expression.keys[i + 1].empty()) return refuse("namespace() wants NAME=VALUE");
        TRY(check_flat(arguments[i]));
        dict[expression.keys[i + 1]] = arguments[i];
      }
      return paid(Value(std::move(dict)));
    }
    return refuse("the function \"" + callee.name + "\" is not implemented");
  }

  Result<Value> binary(const Expression& expression) {
    const std::string& name = expression.name;
    TRY_ASSIGN(Value left, evaluate(expression.parts[0]));
    if (name == "and" && !left.truth()) return left;
    if (name == "or" && left.truth()) return left;
    TRY_ASSIGN(Value right, evaluate(expression.parts[1]));
    if (name == "and" || name == "or") return right;
    TRY(look_at(left));
    TRY(look_at(right));
    if (name == "==") return Value(left.equals(right));
    if (name == "!=") return Value(!left.equals(right));
    if (name == "in" || name == "not in") {
      TRY(look_through(right, left));
      TRY_ASSIGN(const bool found, contains(right, left));
      return Value(found == (name == "in"));
    }
    if (name == "~") {
      TRY_ASSIGN(const MarkedText a, printed(left));
      TRY_ASSIGN(const MarkedText b, printed(right));
      return joined(a, b);
    }
    if (name == "+" && left.text() != nullptr && right.text() != nullptr)
      return joined(*left.text(), *right.text());
    if (left.number() != nullptr && right.number() != nullptr)
      return arithmetic(name, *left.number(), *right.number());
    return refuse("\"" + name + "\" between a " + std::string(type_name(left)) + " and a " +
                  std::string(type_name(right)) + " is not implemented");
  }

  Result<Value> joined(const MarkedText& a, const MarkedText& b) {
    TRY(pay(a.chars.size() + b.chars.size() + sizeof(Value)));
    MarkedText made = a;
    made.append(b);
    return Value(std::move(made));
  }

  static Result<Value> arithmetic(const std::string& name, std::int64_t a, std::int64_t b) {
    std::int64_t made = 0;
    if (name == "<") return Value(a < b);
    if (name == ">") return Value(a > b);
    if (name == "<=") return Value(a <= b);
    if (name == ">=") return Value(a >= b);
    if (name == "+" && !__builtin_add_overflow(a, b, &made)) return Value(made);
    if (name == "-" && !__builtin_sub_overflow(a, b, &made)) return Value(made);
    if (name == "*" && !__builtin_mul_overflow(a, b, &made)) return Value(made);
    const std::int64_t rest = b > 0 ? (a % b < 0 ? a % b + b : a % b) : 0;  // as Python's
    if (name == "%" && b > 0) return Value(rest);
    if (name == "//" && b > 0) return Value(a / b - (a % b < 0 ? 1 : 0));
    return refuse("\"" + name + "\" with these numbers is not implemented");
  }

  inline static const std::string kNamespace = " namespace";  // no name of a template's own
  std::vector<Dict> scopes_;
  std::size_t steps_left_ = 0, bytes_left_ = 0;
};

}  // namespace

Result<MarkedText> render(const std::vector<Statement>& program, Dict variables) {
  Interpreter interpreter(std::move(variables));
  TRY(interpreter.run(program));
  return std::move(interpreter.output);
}

}  // namespace freshet::jinja
