#pragma once
// Result<T>: what every function that the world may fail returns. The code tells the caller its next move, the text
// tells a person what happened, to what, and what to do.

#include <string>
#include <string_view>
#include <utility>

// The library does not say that a result must be looked at; its first declaration may.
namespace tl {
template <class T, class E>
class [[nodiscard]] expected;
}

#include <tl/expected.hpp>

namespace freshet {

enum class Code {
  kBadInput,     // the bytes or values are wrong: drop them and count it against their source
  kRefused,      // policy, identity or permission says no: drop and penalise
  kUnavailable,  // may work later: retry with bounded back-off
  kExpired,      // its time is over: go on without it
  kNoSpace,      // disk or memory is full: keep what is there, stop taking more
  kCorrupt,      // our own durable state is wrong: stop the process
};

std::string_view name_of(Code code);

struct Error {
  Code code;
  std::string what;
};

template <class T>
using Result = tl::expected<T, Error>;

// fail(kBadInput, "...") converts to any Result<T>.
inline tl::unexpected<Error> fail(Code code, std::string what) {
  return tl::unexpected<Error>(Error{code, std::move(what)});
}

// The same error with `context: ` before its text.
inline tl::unexpected<Error> fail_in(std::string_view context, Error error) {
  error.what = std::string(context) + ": " + error.what;
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace freshet

#define FRESHET_JOIN_(a, b) a##b
#define FRESHET_JOIN(a, b) FRESHET_JOIN_(a, b)

// TRY(expr): returns the error of `expr` from the enclosing function, if it has one.
#define TRY(expr)                                                             \
  do {                                                                        \
    auto try_result_ = (expr);                                                \
    if (!try_result_) return tl::unexpected<::freshet::Error>(std::move(try_result_.error())); \
  } while (false)

// TRY_ASSIGN(auto x, expr): declares x from the value of `expr`, or returns its error.
#define TRY_ASSIGN(target, expr) TRY_ASSIGN_(FRESHET_JOIN(try_value_, __LINE__), target, expr)
#define TRY_ASSIGN_(result, target, expr)                                     \
  auto result = (expr);                                                       \
  if (!result) return tl::unexpected<::freshet::Error>(std::move(result.error())); \
  target = std::move(*result)
