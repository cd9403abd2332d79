#include "protocol/robust_plan.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "protocol/campaign_file.h"

namespace freshet {
namespace {

std::string toml_of(std::string_view mode, std::string_view robust, std::string_view more = "") {
  return "[campaign]\nname = \"c\"\nmodel = \"m\"\nmode = \"" + std::string(mode) +
         "\"\n[cohort]\nmin = 20\nmax = 40\nsurvivors_min = 15\n" + std::string(more) +
         "[robust]\n" + std::string(robust);
}

std::string error_of(const std::string& toml) {
  const auto file = parse_campaign_file(toml, "c.toml");
  if (file) return "parsed";
  EXPECT_EQ(file.error().code, Code::kBadInput);
  return file.error().what;
}

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(RobustPlan, IsReadAndWrittenBack) {
  const std::vector<std::pair<std::string, RobustRule>> cases = {
      {"rule = \"mean\"", Mean{}},
      {"rule = \"median\"", Median{}},
      {"rule = \"trimmed-mean\"\ntrim = 3", TrimmedMean{3}},
      {"rule = \"krum\"\nbyzantine = 4", Krum{4}},
      {"rule = \"multi-krum\"\nbyzantine = 3\nkeep = 5", MultiKrum{3, 5}},
      {"rule = \"bulyan\"\nbyzantine = 3", Bulyan{3}},
      {"rule = \"geometric-median\"\npasses = 20\nfloor = 0.001", GeometricMedian{20, 0.001}}};
  for (const auto& [robust, rule] : cases) {
    const auto file =
        parse_campaign_file(toml_of("trusted-coordinator", robust + "\nmargin = 0.25"), "c.toml");
    ASSERT_TRUE(file) << robust << ": " << file.error().what;
    EXPECT_EQ(file->robust, (RobustPlan{rule, 1, 1, "", 0.25})) << robust;
    const auto again = parse_campaign_file(to_toml(*file), "again");
    ASSERT_TRUE(again) << again.error().what;
    EXPECT_EQ(*again, *file);
  }
}

TEST(RobustPlan, RefusesRulesOverSingleUpdatesUnderMasks) {
  for (const char* rule :
       {"median", "trimmed-mean", "krum", "multi-krum", "bulyan", "geometric-median"}) {
    const std::string what = error_of(toml_of("masked", std::string("rule = \"") + rule + "\"\n"));
    EXPECT_SAYS(what, std::string("rule = \"") + rule + "\"");
    EXPECT_SAYS(what, "mode = \"masked\"");
    EXPECT_SAYS(what, "trusted-coordinator");
    EXPECT_SAYS(what, "set groups");
  }
  EXPECT_EQ(error_of(toml_of("masked", "rule = \"mean\"\n")), "parsed");
}

TEST(RobustPlan, RefusesWhatARuleCannotDo) {
  const auto error = [](std::string_view robust, std::string_view more = "") {
    return error_of(toml_of("trusted-coordinator", robust, more));
  };
  EXPECT_SAYS(error("rule = \"krum\"\nbyzantine = 7"), "needs at least 17");
  EXPECT_EQ(error("rule = \"krum\"\nbyzantine = 6"), "parsed");
  EXPECT_SAYS(error("rule = \"median\"\n", "[update]\nweight_max = 3\n"), "weight_max = 1");
  EXPECT_SAYS(error("rule = \"majority\"\n"), "unknown robust rule");
  EXPECT_SAYS(error("rule = \"median\"\ntrim = 1"), "unknown key \"trim\"");
  EXPECT_SAYS(error("rule = \"geometric-median\"\npasses = 0"), "[robust] passes");
  EXPECT_SAYS(error("rule = \"geometric-median\"\nfloor = 0.0"), "[robust] floor");
  EXPECT_SAYS(error("margin = -1.0"), "[robust] margin");
  CampaignPlan large;
  large.cohort_max = limits::kRobustUpdatesMax + 1;
  EXPECT_FALSE(validate(RobustPlan{Median{}, 1, 1, "", 0.05}, large));
  EXPECT_TRUE(validate(RobustPlan{}, large));
}

TEST(RobustPlan, TakesARuleOverMeansOfGroupsUnderMasks) {
  const auto file =
      parse_campaign_file(toml_of("masked",
                                  "rule = \"trimmed-mean\"\ntrim = 2\ngroups = 8\npoisoned = 2\n"
                                  "public_text = \"p\"\nmargin = 0.5"),
                          "c.toml");
  ASSERT_TRUE(file) << file.error().what;
  EXPECT_EQ(file->robust, (RobustPlan{TrimmedMean{2}, 8, 2, "p", 0.5}));
  EXPECT_EQ(*parse_campaign_file(to_toml(*file), "again"), *file);
  EXPECT_EQ(groups_needed(group_rule(file->robust, file->plan)), 7u);
  EXPECT_EQ(groups_needed({Bulyan{2}, 8, 1}), 11u);
}

TEST(RobustPlan, RefusesGroupsThatStandTooFew) {
  const auto error = [](std::string_view robust) { return error_of(toml_of("masked", robust)); };
  EXPECT_EQ(error("rule = \"median\"\ngroups = 5"), "parsed");
  EXPECT_SAYS(error("rule = \"median\"\ngroups = 4"), "it takes 5 groups");
  EXPECT_SAYS(error("rule = \"median\"\ngroups = 8\npoisoned = 3"), "it takes 9 groups");
  EXPECT_SAYS(error("rule = \"krum\"\nbyzantine = 2\ngroups = 6"), "needs at least 7");
  EXPECT_SAYS(error("rule = \"median\"\ngroups = 65"), "[robust] groups");
  EXPECT_SAYS(error("rule = \"median\"\ngroups = 5\npoisoned = 0"), "[robust] poisoned");
  EXPECT_SAYS(error_of(toml_of("trusted-coordinator", "rule = \"median\"\ngroups = 5")),
              "leave groups out");
}

}  // namespace
}  // namespace freshet
