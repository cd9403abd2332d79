#include "base/log.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace freshet {
namespace {

template <class Body>
std::string logged(Body body) {
  testing::internal::CaptureStderr();
  body();
  return testing::internal::GetCapturedStderr();
}

TEST(Log, IsOneLineWhateverAPeerPutIntoIt) {
  const std::string text =
      logged([] { log::info("node {} joins", "evil\n00:00:00 freshet error \x1b[31mforged"); });
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  EXPECT_EQ(text.find("\x1b[31m"), std::string::npos);
  EXPECT_NE(text.find("joins"), std::string::npos);
}

TEST(Log, FormatsNothingTwice) {
  EXPECT_NE(logged([] { log::warning("{}", "100 {} %s"); }).find("100 {} %s"), std::string::npos);
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
  log::set_level(log::Level::kError);
  EXPECT_EQ(logged([] { log::warning("quiet"); }), "");
  EXPECT_NE(logged([] { log::error("loud"); }), "");
  log::set_level(log::Level::kInfo);
  EXPECT_EQ(logged([] { log::debug("quiet"); }), "");
}

}  // namespace
}  // namespace freshet
