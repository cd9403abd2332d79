#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "base/check.h"
#include "base/exit_code.h"

namespace freshet {
namespace {

Result<int> parse(bool good) {
  if (good) return 7;
  return fail(Code::kExpired, "too late");
}

Result<void> pass_on(bool good, int& seen) {
  TRY(parse(good));
  TRY_ASSIGN(const int value, parse(good));
  seen = value;
  return {};
}

Result<std::string> in_context(bool good) {
  auto parsed = parse(good);
  if (!parsed) return fail_in("plan.toml", parsed.error());
  return "fine";
}

TEST(ResultMacros, ReturnTheErrorOrGoOn) {
  int seen = 0;
  EXPECT_TRUE(pass_on(true, seen));
  EXPECT_EQ(seen, 7);
  seen = 0;
  const auto failed = pass_on(false, seen);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kExpired);
  EXPECT_EQ(failed.error().what, "too late");
  EXPECT_EQ(seen, 0);
}

TEST(ResultMacros, MoveWhatCannotBeCopied) {
  const auto make = [](bool good) -> Result<std::unique_ptr<int>> {
    if (!good) return fail(Code::kRefused, "no");
    return std::make_unique<int>(3);
  };
  const auto use = [&](bool good) -> Result<int> {
    TRY_ASSIGN(const std::unique_ptr<int> value, make(good));
    return *value;
  };
  EXPECT_EQ(use(true).value(), 3);
  EXPECT_EQ(use(false).error().code, Code::kRefused);
}

TEST(ResultMacros, ContextStandsBeforeTheText) {
  EXPECT_EQ(in_context(false).error().what, "plan.toml: too late");
  EXPECT_EQ(in_context(false).error().code, Code::kExpired);
  EXPECT_TRUE(in_context(true));
}

TEST(ExitCode, IsItsOwnForEveryCode) {
  std::set<int> codes;
  std::set<std::string_view> names;
  for (const Code code : {Code::kBadInput, Code::kRefused, Code::kUnavailable, Code::kExpired,
                          Code::kNoSpace, Code::kCorrupt}) {
    codes.insert(static_cast<int>(exit_code_of(code)));
    names.insert(name_of(code));
  }
  EXPECT_EQ(codes, (std::set<int>{3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(names.size(), 6u);
}

TEST(ExitCode, ReportPrintsTheTextAndGivesTheCode) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(report({Code::kCorrupt, "the journal does not verify"}), 8);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "freshet: the journal does not verify\n");
}

TEST(CheckDeathTest, PrintsPlaceConditionAndValues) {
  const int shares = 3;
  CHECK(shares == 3);
  EXPECT_DEATH(CHECK(shares == 4, "shares={}", shares),
               "result_test.cpp.*CHECK\\(shares == 4\\) shares=3");
}

}  // namespace
}  // namespace freshet
