#include "storage/sync_group.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/crash_point.h"
#include "crypto/digest.h"
#include "storage/blob_store.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

Bytes hundred_bytes(std::uint8_t seed) { return Bytes(100, seed); }

int groups_synced = 0;
void count_groups(const char* name) { groups_synced += std::string_view(name) == "group durable"; }

TEST(SyncGroup, SyncsBlobsOnlyWhenItIsTold) {
  TempFolder folder;
  SyncGroup group;
  BlobStore blobs = BlobStore::open(folder / "blobs").value();
  blobs.defer_to(group);
  crash_hook = count_groups;
  groups_synced = 0;
  std::vector<Digest> names;
  for (std::uint8_t i = 0; i < 20; ++i) {
    names.push_back(blobs.put(hundred_bytes(i)).value());
    const Bytes staged = hundred_bytes(static_cast<std::uint8_t>(100 + i));
    names.push_back(digest_of(staged));
    ASSERT_TRUE(blobs.stage(names.back(), staged.size(), 0, staged));
  }
  EXPECT_EQ(groups_synced, 0);
  EXPECT_FALSE(group.empty());
  ASSERT_TRUE(group.commit());
  EXPECT_EQ(groups_synced, 1);
  EXPECT_TRUE(group.empty());
  ASSERT_TRUE(group.commit()) << "nothing to do";
  EXPECT_EQ(groups_synced, 1);
  crash_hook = nullptr;
  for (const Digest& name : names) EXPECT_EQ(digest_of(blobs.read(name, 0, 1000).value()), name);
}

TEST(SyncGroup, SaysThatItCouldNotSync) {
  TempFolder folder;
  SyncGroup group;
  group.add_folder(folder / "gone");
  EXPECT_FALSE(group.commit());
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  group.add(UniqueFd(ends[0]));  // a pipe cannot be synced
  group.add(UniqueFd(ends[1]));
  EXPECT_FALSE(group.commit());
  EXPECT_TRUE(group.commit()) << "of what failed nothing is left";
}

}  // namespace
}  // namespace freshet
