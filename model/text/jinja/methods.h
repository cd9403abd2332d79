#pragma once
// The filters, tests and methods of values that chat templates use.

#include <span>

#include "base/result.h"
#include "model/text/jinja/value.h"

namespace freshet::jinja {

// value | name(arguments...)
Result<Value> filtered(const Value& value, const std::string& name,
                       std::span<const Value> arguments);

// value is name(arguments...)
Result<bool> tested(const Value& value, const std::string& name, std::span<const Value> arguments);

// value.name(arguments...)
Result<Value> called(const Value& value, const std::string& name, std::span<const Value> arguments);

// As Python prints it; an error for lists and dictionaries.
Result<MarkedText> printed(const Value& value);

// needle in hay
Result<bool> contains(const Value& hay, const Value& needle);

}  // namespace freshet::jinja
