#include "model/text/stable_split.h"

#include <gtest/gtest.h>

#include <set>

namespace freshet {
namespace {

std::string numbered_lines(int from, int to) {
  std::string text;
  for (int i = from; i < to; ++i) text += "line " + std::to_string(i * 7919) + " of a long text\n";
  return text;
}

std::string joined(const std::vector<Document>& documents) {
  std::string text;
  for (const Document& each : documents) text += each.text;
  return text;
}

std::set<std::string> lines_of(const std::vector<Document>& documents) {
  std::set<std::string> lines;
  std::string text = joined(documents);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.insert(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::vector<Document> notes(int count) {
  std::vector<Document> documents;
  for (int i = 0; i < count; ++i) documents.push_back({"note " + std::to_string(i)});
  return documents;
}

TEST(StableSplit, HoldsOutAboutItsShareAndLosesNothing) {
  const std::vector<Document> documents = {{numbered_lines(0, 5000)}};
  const Split split = split_stably(documents, 0.1, "salt", {});
  const auto all = static_cast<double>(documents[0].text.size());
  EXPECT_NEAR(static_cast<double>(joined(split.heldout).size()) / all, 0.1, 0.04);
  EXPECT_EQ(joined(split.train).size() + joined(split.heldout).size(), documents[0].text.size());
  EXPECT_LT(split.train.size(), 60u);  // neighbours are joined
}

TEST(StableSplit, NothingThatTrainedIsEverHeldOut) {
  const Split before =
      split_stably(std::vector<Document>{{numbered_lines(0, 2000)}}, 0.1, "salt", {});
  // Text before, within and after; the passages around the insertions may change, no others.
  const std::string after = numbered_lines(-300, 0) + numbered_lines(0, 1000) +
                            numbered_lines(5000, 5100) + numbered_lines(1000, 2400);
  const Split later = split_stably(std::vector<Document>{{after}}, 0.1, "salt", {});
  const std::set<std::string> trained = lines_of(before.train);
  int crossed = 0;
  for (const std::string& line : lines_of(later.heldout)) crossed += trained.contains(line) ? 1 : 0;
  EXPECT_LE(crossed, 3 * 64);
  int stayed = 0;
  for (const std::string& line : lines_of(before.heldout))
    stayed += lines_of(later.heldout).contains(line) ? 1 : 0;
  EXPECT_GE(stayed, static_cast<int>(lines_of(before.heldout).size()) - 3 * 64);
}

TEST(StableSplit, ShortDocumentsAndRowsAreDecidedAlone) {
  std::vector<Document> documents = notes(300);
  const Split before = split_stably(documents, 0.2, "salt", {});
  std::reverse(documents.begin(), documents.end());
  documents.insert(documents.begin(), {"another"});
  const Split later = split_stably(documents, 0.2, "salt", {});
  const std::set<std::string> held = [&] {
    std::set<std::string> texts;
    for (const Document& each : later.heldout) texts.insert(each.text);
    return texts;
  }();
  EXPECT_GT(before.heldout.size(), 30u);
  EXPECT_LT(before.heldout.size(), 90u);
  for (const Document& each : before.heldout) EXPECT_TRUE(held.contains(each.text));
  for (const Document& each : before.train) EXPECT_FALSE(held.contains(each.text));
}

TEST(StableSplit, AnotherSaltGivesAnotherSplit) {
  EXPECT_NE(joined(split_stably(notes(100), 0.3, "a", {}).heldout),
            joined(split_stably(notes(100), 0.3, "b", {}).heldout));
}

TEST(StableSplit, LeavesNeitherPartEmptyWhereThereAreTwoPassages) {
  for (int seed = 0; seed < 20; ++seed) {
    const Split few = split_stably(notes(2), 0.01, std::to_string(seed), {});
    EXPECT_EQ(few.heldout.size(), 1u);
    const Split many = split_stably(notes(2), 0.95, std::to_string(seed), {});
    EXPECT_EQ(many.train.size(), 1u);
  }
  EXPECT_EQ(split_stably(notes(1), 0.9, "s", {}).train.size(), 1u);
  EXPECT_TRUE(split_stably(notes(50), 0, "s", {}).heldout.empty());
}

TEST(StableSplit, TheFilterChangesTextAndNotTheSplit) {
  const PassageFilter shout = [](Document& passage) {
    passage.text += "!";
    return passage.text != "note 7!";
  };
  const Split plain = split_stably(notes(60), 0.3, "salt", {});
  const Split filtered = split_stably(notes(60), 0.3, "salt", shout);
  EXPECT_EQ(plain.train.size() + plain.heldout.size(), 60u);
  EXPECT_EQ(filtered.train.size() + filtered.heldout.size(), 59u);
  for (const Document& each : filtered.heldout) {
    const bool same =
        std::any_of(plain.heldout.begin(), plain.heldout.end(),
                    [&](const Document& other) { return other.text + "!" == each.text; });
    EXPECT_TRUE(same) << each.text;
  }
}

}  // namespace
}  // namespace freshet
