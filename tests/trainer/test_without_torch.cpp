// A program that is linked without LibTorch says so, and what to do.

#include <gtest/gtest.h>

#include "trainer/pretrain.h"
#include "trainer/torch/torch_pass.h"

namespace freshet {
namespace {

TEST(WithoutTorch, NamesTheProgramThatHasIt) {
  const auto pass = make_torch_pass({}, Weights(), {}, {.device = "cuda:1"});
  ASSERT_FALSE(pass);
  EXPECT_EQ(pass.error().code, Code::kUnavailable);
  EXPECT_NE(pass.error().what.find("cuda:1"), std::string::npos) << pass.error().what;
  EXPECT_NE(pass.error().what.find("freshet-torch"), std::string::npos) << pass.error().what;
  const Result<void> trained = pretrain_model({}, {}, {}, {}, {});
  ASSERT_FALSE(trained);
  EXPECT_EQ(trained.error().code, Code::kUnavailable);
  EXPECT_NE(trained.error().what.find("freshet-torch"), std::string::npos) << trained.error().what;
}

}  // namespace
}  // namespace freshet
