#include "edge_node/private_text.h"

#include <gtest/gtest.h>

#include "tests/temp_folder.h"

namespace freshet {
namespace {

constexpr std::int64_t kNow = 1'700'000'000, kDay = 24 * 3600;

struct PrivateTexts : testing::Test {
  PrivateTexts() {
    for (const char* name : {"a.txt", "b.txt", "sub/c.txt"})
      put(name, std::string("text of ") + name);
  }
  void put(const std::string& name, const std::string& text) const {
    EXPECT_TRUE(make_folders((data() / name).parent_path()));
    EXPECT_TRUE(write_file_durably(data() / name, as_bytes(text)));
  }
  Path data() const { return root / "data"; }
  Path node() const {
    EXPECT_TRUE(make_folders(root / "node"));
    return root / "node";
  }
  PrivateText text() const { return PrivateText({data(), node(), rules, 0.1, "salt"}); }
  static std::vector<std::string> names(const Result<OpenText>& opened) {
    std::vector<std::string> names;
    if (!opened) return {opened.error().what};
    for (const OpenFile& file : opened->files) names.push_back(Path(file.name).filename());
    return names;
  }
  using Names = std::vector<std::string>;
  TempFolder root;
  DataRules rules;
};

TEST_F(PrivateTexts, GiveAllFilesAndRememberThem) {
  PrivateText text = this->text();
  const auto opened = text.open(kNow);
  EXPECT_EQ(names(opened), (Names{"a.txt", "b.txt", "c.txt"}));
  EXPECT_EQ(opened->salt, "salt");
  EXPECT_EQ(opened->personal, PersonalAction::kMask);
  ASSERT_TRUE(text.note_training());
  ASSERT_TRUE(text.open(kNow + kDay));
  const SeenFiles seen = *load_seen(node());
  ASSERT_EQ(seen.size(), 3u);
  const SeenFile& file = seen.at(known_path(data() / "a.txt").string());
  EXPECT_EQ(file.first_s, kNow);
  EXPECT_EQ(file.last_s, kNow + kDay);
  EXPECT_EQ(file.trainings, 1u);
  EXPECT_EQ(file.bytes, 13u);
}

TEST_F(PrivateTexts, NoticeWhatChanges) {
  PrivateText text = this->text();
  EXPECT_TRUE(text.changed(kNow));
  ASSERT_TRUE(text.open(kNow));
  EXPECT_FALSE(text.changed(kNow));
  put("a.txt", "another text");
  EXPECT_TRUE(text.changed(kNow));
  ASSERT_TRUE(text.open(kNow));
  EXPECT_FALSE(text.changed(kNow));
  put("new.txt", "new");
  EXPECT_TRUE(text.changed(kNow));
  ASSERT_TRUE(text.open(kNow));
  std::filesystem::remove(data() / "new.txt");
  EXPECT_TRUE(text.changed(kNow));
}

TEST_F(PrivateTexts, AreUsedNoMoreAfterTheirDays) {
  rules.retention_days = 10;
  PrivateText text = this->text();
  ASSERT_TRUE(text.open(kNow));
  put("later.txt", "later");
  ASSERT_TRUE(text.open(kNow + 5 * kDay));
  EXPECT_FALSE(text.changed(kNow + 10 * kDay - 1));
  EXPECT_TRUE(text.changed(kNow + 10 * kDay));
  EXPECT_EQ(names(text.open(kNow + 10 * kDay)), Names{"later.txt"});
  const auto none = text.open(kNow + 15 * kDay);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kExpired);
  EXPECT_NE(load_seen(node())->at(known_path(data() / "a.txt").string()).left_out, "");
}

TEST_F(PrivateTexts, StayForgottenUnderAnyName) {
  PrivateText text = this->text();
  ASSERT_TRUE(text.open(kNow));
  EXPECT_FALSE(text.forgot());
  ASSERT_TRUE(Forgotten::add(node(), data() / "a.txt"));
  EXPECT_TRUE(text.forgot());
  EXPECT_TRUE(text.changed(kNow));
  EXPECT_EQ(names(text.open(kNow)), (Names{"b.txt", "c.txt"}));
  EXPECT_FALSE(text.changed(kNow));
  std::filesystem::rename(data() / "a.txt", data() / "renamed.txt");
  put("a.txt", "something else under the same name");
  EXPECT_EQ(names(text.open(kNow)), (Names{"b.txt", "c.txt"}));
  ASSERT_TRUE(Forgotten::add(node(), data() / "sub/"));
  EXPECT_EQ(names(text.open(kNow)), Names{"b.txt"});
  put("subway.txt", "not below it");
  EXPECT_EQ(names(text.open(kNow)), (Names{"b.txt", "subway.txt"}));
}

TEST_F(PrivateTexts, TellOnceOfWhatWasForgottenAlsoAfterARestart) {
  ASSERT_TRUE(Forgotten::add(node(), data() / "gone-long-ago.txt"));
  PrivateText text = this->text();
  EXPECT_TRUE(text.forgot());
  ASSERT_TRUE(text.settle());
  EXPECT_FALSE(text.forgot());
  EXPECT_FALSE(this->text().forgot());
}

TEST_F(PrivateTexts, RefuseAListThatIsNotTheirs) {
  ASSERT_TRUE(make_folders(node() / "forgotten"));
  ASSERT_TRUE(write_file_durably(node() / "forgotten/list.json", as_bytes("{}")));
  EXPECT_EQ(text().open(kNow).error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace freshet
