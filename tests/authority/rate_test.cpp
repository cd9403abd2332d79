#include "authority/rate.h"

#include <gtest/gtest.h>

namespace freshet::authority {
namespace {

TEST(TokenBucket, LetsABurstThroughAndThenARate) {
  TokenBucket bucket(10, 3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(Instant{1000}));
  EXPECT_FALSE(bucket.take(Instant{1000}));
  EXPECT_FALSE(bucket.take(Instant{1099}));
  EXPECT_TRUE(bucket.take(Instant{1201}));
  EXPECT_TRUE(bucket.take(Instant{1202}));
  EXPECT_FALSE(bucket.take(Instant{1203}));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(Instant{100'000})) << "no more than a burst";
  EXPECT_FALSE(bucket.take(Instant{100'000}));
}

TEST(AddressBuckets, HoldEachAddressForItself) {
  AddressBuckets buckets(1, 2, 3);
  for (const char* address : {"10.0.0.1", "10.0.0.2"}) {
    EXPECT_TRUE(buckets.take(address, Instant{0}));
    EXPECT_TRUE(buckets.take(address, Instant{0}));
    EXPECT_FALSE(buckets.take(address, Instant{0}));
  }
}

}  // namespace
}  // namespace freshet::authority
