#include "cli/backup/backup.h"

#include <gtest/gtest.h>

#include "tests/temp_folder.h"

namespace freshet {
namespace {

struct Backup : testing::Test {
  Backup() {
    put(hub(), "identity.key", "secret");
    put(hub(), "journal/000004.log", std::string(3 << 20, 'j'));
    put(hub(), "campaigns/a/events.jsonl", "{}\n");
    put(hub(), "empty", "");
    put(hub(), "lock", "");
    put(hub(), "status.json.tmp123", "half");
  }
  static void put(const Path& folder, const std::string& name, const std::string& text) {
    ASSERT_TRUE(make_folders((folder / name).parent_path()));
    ASSERT_TRUE(write_file_durably(folder / name, as_bytes(text), 0600));
  }
  static std::string get(const Path& path) { return read_file(path, 8 << 20).value_or("(none)"); }
  Path hub() const { return root / "hub"; }
  Path copy() const { return root / "copy"; }
  TempFolder root;
};

TEST_F(Backup, ComesBackAsItWas) {
  const auto copied = back_up(hub(), copy());
  ASSERT_TRUE(copied) << copied.error().what;
  EXPECT_EQ(copied->files, 4u);
  EXPECT_EQ(copied->bytes, 6u + (3u << 20) + 3u);
  EXPECT_EQ(std::filesystem::status(copy()).permissions(), std::filesystem::perms(0700));
  const auto back = restore(copy(), root / "again");
  ASSERT_TRUE(back) << back.error().what;
  for (const char* name :
       {"identity.key", "journal/000004.log", "campaigns/a/events.jsonl", "empty"})
    EXPECT_EQ(get(root / "again" / name), get(hub() / name)) << name;
  EXPECT_FALSE(std::filesystem::exists(root / "again/lock"));
  EXPECT_FALSE(std::filesystem::exists(root / "again/backup.json"));
  const auto perms = std::filesystem::status(root / "again/identity.key").permissions();
  EXPECT_EQ(perms, std::filesystem::perms(0600));
}

TEST_F(Backup, IsRefusedWhileTheDaemonRuns) {
  const auto lock = lock_folder(hub());
  ASSERT_TRUE(lock);
  EXPECT_EQ(back_up(hub(), copy()).error().code, Code::kUnavailable);
  EXPECT_FALSE(std::filesystem::exists(copy()));
}

TEST_F(Backup, IsRefusedOfANodeAndOfNothing) {
  ASSERT_TRUE(make_folders(hub() / "contribution"));
  EXPECT_EQ(back_up(hub(), copy()).error().code, Code::kRefused);
  EXPECT_EQ(back_up(root / "nowhere", copy()).error().code, Code::kBadInput);
}

TEST_F(Backup, NeverOverwrites) {
  ASSERT_TRUE(back_up(hub(), copy()));
  EXPECT_EQ(back_up(hub(), copy()).error().code, Code::kBadInput);
  EXPECT_EQ(restore(copy(), hub()).error().code, Code::kBadInput);
}

TEST_F(Backup, ThatWasTouchedIsNotPutBack) {
  const std::function<void()> touches[] = {
      [&] { put(copy(), "identity.key", "Secret"); },
      [&] { std::filesystem::remove(copy() / "empty"); },
      [&] { put(copy(), "more", "x"); },
      [&] { put(copy(), "backup.json", "{}"); },
      [&] { put(copy(), "backup.json", R"({"files": {"../x": {"bytes": 0, "digest": ""}}})"); },
  };
  for (const auto& touch : touches) {
    std::filesystem::remove_all(copy());
    ASSERT_TRUE(back_up(hub(), copy()));
    touch();
    EXPECT_FALSE(restore(copy(), root / "again"));
    EXPECT_FALSE(std::filesystem::exists(root / "again"));
    EXPECT_FALSE(std::filesystem::exists(root / "again.partial"));
  }
}

}  // namespace
}  // namespace freshet
