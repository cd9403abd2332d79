#include "storage/blob_store.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/limits.h"
#include "base/rng.h"
#include "crypto/digest.h"
#include "tests/temp_folder.h"

namespace freshet {
namespace {

constexpr std::size_t kChunk = limits::kChunkBytes;

Bytes some_bytes(std::size_t size, std::uint64_t seed) {
  Rng rng(seed);
  Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(rng.next_u32());
  return bytes;
}

class BlobStoreTest : public testing::Test {
 protected:
  BlobStore open() { return BlobStore::open(temp_ / "blobs").value(); }
  std::size_t staged_files() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& file :
         std::filesystem::directory_iterator(temp_ / "blobs" / "staging"))
      ++count;
    return count;
  }
  static Result<std::uint64_t> stage_chunk(BlobStore& store, const Bytes& blob,
                                           std::uint64_t offset) {
    const std::size_t count = std::min<std::size_t>(kChunk, blob.size() - offset);
    return store.stage(digest_of(blob), blob.size(), offset, ByteView(blob).subspan(offset, count));
  }
  static void stage_all(BlobStore& store, const Bytes& blob) {
    const Digest digest = digest_of(blob);
    for (std::uint64_t at = store.staged_bytes(digest, blob.size()).value(); at < blob.size();) {
      const auto staged = stage_chunk(store, blob, at);
      ASSERT_TRUE(staged) << staged.error().what;
      ASSERT_GT(*staged, at);
      at = *staged;
    }
  }

  TempFolder temp_;
};

TEST_F(BlobStoreTest, StagesChunkByChunkAndNamesTheWhole) {
  BlobStore store = open();
  const Bytes blob = some_bytes(3 * kChunk + 17, 1);
  const Digest digest = digest_of(blob);
  for (std::uint64_t at = 0; at < blob.size(); at += kChunk) {
    EXPECT_FALSE(store.has(digest));
    EXPECT_EQ(store.staged_bytes(digest, blob.size()).value(), at);
    EXPECT_EQ(stage_chunk(store, blob, at).value(),
              std::min<std::uint64_t>(at + kChunk, blob.size()));
  }
  EXPECT_TRUE(store.has(digest));
  EXPECT_EQ(store.size_of(digest).value(), blob.size());
  EXPECT_EQ(store.staged_bytes(digest, blob.size()).value(), blob.size());
  EXPECT_EQ(staged_files(), 0u);
  EXPECT_EQ(to_bytes(store.map(digest).value().view()), blob);
  EXPECT_EQ(store.read(digest, kChunk - 5, 10).value(),
            Bytes(blob.begin() + kChunk - 5, blob.begin() + kChunk + 5));
  EXPECT_EQ(store.read(digest, blob.size() - 3, kChunk).value().size(), 3u) << "fewer at the end";
  EXPECT_TRUE(store.read(digest, blob.size(), 1).value().empty());
}

TEST_F(BlobStoreTest, TakesTheSizesAroundAChunk) {
  BlobStore store = open();
  for (std::size_t size : {std::size_t{1}, kChunk - 1, kChunk, kChunk + 1}) {
    const Bytes blob = some_bytes(size, size);
    stage_all(store, blob);
    EXPECT_TRUE(store.has(digest_of(blob))) << size;
  }
  EXPECT_FALSE(store.has(digest_of({})));
  EXPECT_EQ(store.stage(digest_of({}), 0, 0, {}).value(), 0u);
  EXPECT_TRUE(store.has(digest_of({})));
  EXPECT_EQ(store.stage(digest_of({}), 0, 0, {}).value(), 0u) << "again";
}

TEST_F(BlobStoreTest, GoesOnAfterItWasOpenedAgain) {
  const Bytes blob = some_bytes(5 * kChunk + 1, 2);
  for (std::uint64_t chunk = 0; chunk < 6; ++chunk) {
    BlobStore store = open();
    EXPECT_EQ(store.staged_bytes(digest_of(blob), blob.size()).value(), chunk * kChunk);
    ASSERT_TRUE(stage_chunk(store, blob, chunk * kChunk));
  }
  EXPECT_TRUE(open().has(digest_of(blob)));
}

TEST_F(BlobStoreTest, GoesOnFromTheLastWholeChunkAfterACrashInTheMiddleOfOne) {
  const Bytes blob = some_bytes(4 * kChunk, 3);
  const Digest digest = digest_of(blob);
  const Path staged =
      temp_ / "blobs" / "staging" / (to_hex(digest) + "." + std::to_string(blob.size()));
  {
    BlobStore store = open();
    ASSERT_TRUE(stage_chunk(store, blob, 0));
    ASSERT_TRUE(stage_chunk(store, blob, kChunk));
  }
  std::filesystem::resize_file(staged, kChunk + 1000);
  EXPECT_EQ(open().staged_bytes(digest, blob.size()).value(), kChunk);
  std::filesystem::resize_file(staged, blob.size());  // died between the last chunk and its name
  BlobStore store = open();
  EXPECT_EQ(store.staged_bytes(digest, blob.size()).value(), 3 * kChunk);
}

TEST_F(BlobStoreTest, RemovesLeftoversThatNobodyCanGoOnFrom) {
  open();
  const Path staging = temp_ / "blobs" / "staging";
  const std::string hex = to_hex(digest_of(as_bytes("x")));
  for (const std::string& name :
       {hex + ".300000", hex, hex + ".", hex + ".x", hex + ".99999999999999999999",
        std::string("zz"), hex.substr(1) + "z.300000"})
    std::ofstream(staging / name) << "torn";
  std::ofstream(temp_ / "blobs" / (hex + ".tmp123")) << "torn";
  open();
  EXPECT_EQ(staged_files(), 0u);
  EXPECT_FALSE(std::filesystem::exists(temp_ / "blobs" / (hex + ".tmp123")));
}

TEST_F(BlobStoreTest, DropsABlobOfAnotherDigest) {
  BlobStore store = open();
  Bytes blob = some_bytes(2 * kChunk, 4);
  const Digest digest = digest_of(blob);
  ASSERT_TRUE(stage_chunk(store, blob, 0));
  Bytes last(blob.begin() + kChunk, blob.end());
  last.back() ^= 1;
  const auto refused = store.stage(digest, blob.size(), kChunk, last);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kBadInput);
  EXPECT_FALSE(store.has(digest));
  EXPECT_EQ(staged_files(), 0u);
  EXPECT_EQ(store.staged_bytes(digest, blob.size()).value(), 0u) << "from the beginning";
  stage_all(store, blob);
  EXPECT_TRUE(store.has(digest));
}

TEST_F(BlobStoreTest, IgnoresChunksItHasAndRefusesChunksOutOfPlace) {
  BlobStore store = open();
  const Bytes blob = some_bytes(4 * kChunk, 5);
  const Digest digest = digest_of(blob);
  EXPECT_EQ(stage_chunk(store, blob, kChunk).error().code, Code::kBadInput) << "a gap";
  ASSERT_TRUE(stage_chunk(store, blob, 0));
  ASSERT_TRUE(stage_chunk(store, blob, kChunk));
  EXPECT_EQ(stage_chunk(store, blob, 0).value(), 2 * kChunk) << "a repetition says where to go on";
  EXPECT_EQ(store.stage(digest, blob.size(), 0, Bytes(kChunk)).value(), 2 * kChunk)
      << "even one with other bytes";
  EXPECT_FALSE(stage_chunk(store, blob, 3 * kChunk));
  EXPECT_FALSE(store.stage(digest, blob.size(), 2 * kChunk - 1, Bytes(kChunk))) << "overlapping";
  stage_all(store, blob);
  EXPECT_EQ(stage_chunk(store, blob, kChunk).value(), blob.size()) << "of a stored blob";
  EXPECT_EQ(to_bytes(store.map(digest).value().view()), blob);
}

TEST_F(BlobStoreTest, RefusesSizesThatCannotBe) {
  BlobStore store = open();
  const Digest digest = digest_of(as_bytes("x"));
  const Bytes chunk(100);
  EXPECT_EQ(store.stage(digest, 99, 0, chunk).error().code, Code::kBadInput) << "beyond the size";
  EXPECT_EQ(store.stage(digest, 200, 101, chunk).error().code, Code::kBadInput);
  EXPECT_EQ(store.stage(digest, 200, ~std::uint64_t{0}, chunk).error().code, Code::kBadInput);
  EXPECT_EQ(store.stage(digest, limits::kBlobBytesMax + 1, 0, chunk).error().code, Code::kBadInput);
  EXPECT_EQ(store.stage(digest, 200, 0, {}).error().code, Code::kBadInput) << "an empty chunk";
  EXPECT_EQ(staged_files(), 0u);
  const Digest stored = store.put(chunk).value();
  EXPECT_EQ(store.staged_bytes(stored, 99).error().code, Code::kBadInput)
      << "stored with another size";
}

TEST_F(BlobStoreTest, StagesManyBlobsAtOnce) {
  BlobStore store = open();
  std::vector<Bytes> blobs;
  for (std::uint64_t i = 0; i < 8; ++i) blobs.push_back(some_bytes(3 * kChunk + i, 100 + i));
  for (std::uint64_t chunk = 0; chunk < 4; ++chunk)
    for (const Bytes& blob : blobs)
      if (chunk * kChunk < blob.size()) {
        ASSERT_TRUE(stage_chunk(store, blob, chunk * kChunk));
      }
  for (const Bytes& blob : blobs)
    EXPECT_EQ(to_bytes(store.map(digest_of(blob)).value().view()), blob);
}

TEST_F(BlobStoreTest, PutsRemovesAndDrops) {
  BlobStore store = open();
  const Bytes blob = some_bytes(1000, 6);
  const Digest digest = store.put(blob).value();
  EXPECT_EQ(digest, digest_of(blob));
  EXPECT_EQ(store.put(blob).value(), digest) << "again";
  EXPECT_EQ(store.read(digest, 0, 5000).value(), blob);
  ASSERT_TRUE(store.remove(digest));
  EXPECT_FALSE(store.has(digest));
  EXPECT_TRUE(store.remove(digest)) << "no error when it is not there";
  EXPECT_FALSE(store.read(digest, 0, 1));
  EXPECT_FALSE(store.size_of(digest));
  EXPECT_FALSE(store.map(digest));

  const Bytes large = some_bytes(2 * kChunk, 7);
  ASSERT_TRUE(stage_chunk(store, large, 0));
  ASSERT_TRUE(store.drop_staged(digest_of(large), large.size()));
  EXPECT_EQ(staged_files(), 0u);
  EXPECT_TRUE(store.drop_staged(digest_of(large), large.size())) << "no error when there is none";
}

TEST_F(BlobStoreTest, IsNotOpenedWhereAFileStands) {
  std::ofstream(temp_ / "file") << "x";
  EXPECT_FALSE(BlobStore::open(temp_ / "file"));
}

}  // namespace
}  // namespace freshet
