#include "protocol/descriptor.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "base/limits.h"
#include "tests/protocol/samples.h"

namespace freshet {
namespace {

TEST(Descriptor, ReadsWhatItWrites) {
  const Descriptor descriptor = samples::descriptor();
  const auto read = read_descriptor(canonical_bytes(descriptor));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(*read, descriptor);
  EXPECT_LE(canonical_bytes(descriptor).size(), limits::kCertificateBytesMax);
}

TEST(Descriptor, RefusesEveryOtherLength) {
  const Bytes bytes = canonical_bytes(samples::descriptor());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(read_descriptor(ByteView(bytes).first(size))) << size;
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(read_descriptor(longer));
}

// What is read is written back to the same bytes, whatever they are.
TEST(Descriptor, HasOneFormForOneValue) {
  const Bytes bytes = canonical_bytes(samples::descriptor());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes changed = bytes;
      changed[at] = static_cast<std::uint8_t>(changed[at] ^ (1u << bit));
      const auto read = read_descriptor(changed);
      if (read) {
        EXPECT_EQ(canonical_bytes(*read), changed) << at;
      }
    }
  }
}

TEST(Descriptor, EveryFieldHasAPartInTheSid) {
  const std::function<void(Descriptor&)> changes[] = {
      [](auto&) {},
      [](auto& d) { ++d.campaign.value; },
      [](auto& d) { ++d.plan[0]; },
      [](auto& d) { ++d.round.value; },
      [](auto& d) { ++d.base.value; },
      [](auto& d) { ++d.supplied[0]; },
      [](auto& d) { ++d.layout[0]; },
      [](auto& d) { ++d.clip; },
      [](auto& d) { ++d.grid.range; },
      [](auto& d) { ++d.grid.bits; },
      [](auto& d) { ++d.grid.weight_max; },
      [](auto& d) { ++d.word_bits; },
      [](auto& d) { ++d.cohort_max; },
      [](auto& d) { ++d.survivors_min; },
      [](auto& d) { ++d.honest_min; },
      [](auto& d) { ++d.corrupt.whole; },
      [](auto& d) { ++d.dropped.whole; },
      [](auto& d) { ++d.newcomers.whole; },
      [](auto& d) { ++d.phase_ms; },
      [](auto& d) { ++d.trust.issuer_epoch; },
      [](auto& d) { ++d.trust.list; },
      [](auto& d) { ++d.beacon[0]; },
      [](auto& d) { ++d.extras; },
      [](auto& d) { ++d.noise.multiplier; },
      [](auto& d) { d.noise.sampling_rate /= 2; },
      [](auto& d) { d.noise.delta /= 2; },
      [](auto& d) { ++d.noise.honest_min; },
      [](auto& d) { d.noise.counts_clipped = false; },
  };
  std::set<Digest> sids;
  for (const auto& change : changes) {
    Descriptor descriptor = samples::descriptor();
    change(descriptor);
    EXPECT_TRUE(sids.insert(sid_of(descriptor)).second) << sids.size();
    EXPECT_TRUE(read_descriptor(canonical_bytes(descriptor))) << sids.size();
  }
}

TEST(Descriptor, RefusesWhatNoPlanHas) {
  const std::pair<std::function<void(Descriptor&)>, std::string_view> rows[] = {
      {[](auto& d) { d.version = 4; }, "a descriptor of version 4, this program speaks 3"},
      {[](auto& d) { d.clip = 0; }, "clip is 0: it must be a finite number above 0"},
      {[](auto& d) { d.grid.bits = 30; }, "bits is 30: it must be in [2, 24]"},
      {[](auto& d) { d.word_bits = 33; }, "word_bits is 33: it must be in [2, 32]"},
      {[](auto& d) { d.cohort_max = 1025; }, "cohort_max is 1025: it must be in [1, 1024]"},
      {[](auto& d) { d.honest_min = 0; }, "honest_min is 0: it must be in [1, 64]"},
      {[](auto& d) {
         d.corrupt = {1, 0};
       },
       "corrupt is 1/0: it must be a part of a whole"},
      {[](auto& d) {
         d.newcomers = {3, 2};
       },
       "newcomers is 3/2: it must be a part of a whole"},
      {[](auto& d) { d.phase_ms = 0; }, "phase_ms is 0: it must be in [1, 86400000]"},
      {[](auto& d) { d.noise.delta = 1; }, "the descriptor's noise is out of bounds"},
  };
  for (const auto& [change, error] : rows) {
    Descriptor descriptor = samples::descriptor();
    change(descriptor);
    const auto read = read_descriptor(canonical_bytes(descriptor));
    ASSERT_FALSE(read) << error;
    EXPECT_EQ(read.error().what, error);
  }
}

TEST(Descriptor, WhatWasSuppliedIsModelAdapterAndVersion) {
  const Digest digest = supplied_digest(samples::digest(1), samples::digest(2), {3});
  EXPECT_NE(digest, supplied_digest(samples::digest(2), samples::digest(2), {3}));
  EXPECT_NE(digest, supplied_digest(samples::digest(1), samples::digest(1), {3}));
  EXPECT_NE(digest, supplied_digest(samples::digest(1), samples::digest(2), {4}));
}

}  // namespace
}  // namespace freshet
