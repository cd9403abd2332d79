#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "model/process/trainer_frame.h"

namespace freshet {
namespace {

TEST(TrainerFrames, ASealedVectorCannotChange) {
  const UniqueFd fd = std::move(*sealed_vector({1, 2}));
  EXPECT_LT(::pwrite(fd.get(), "x", 1, 0), 0);
  EXPECT_LT(::ftruncate(fd.get(), 0), 0);
  EXPECT_LT(::ftruncate(fd.get(), 100), 0);
  EXPECT_EQ(::mmap(nullptr, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0), MAP_FAILED);
  EXPECT_EQ(*open_sealed_vector(fd, 2), (std::vector<float>{1, 2}));
}

struct Pair {
  UniqueFd ours, theirs;
  Pair() {
    int pair[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    ours = UniqueFd(pair[0]);
    theirs = UniqueFd(pair[1]);
  }
};

TEST(TrainerFrames, NothingYetIsNotTheEnd) {
  Pair pair;
  EXPECT_EQ(receive_frame(pair.ours.get(), false)->kind, ReceivedFrame::Kind::kNothing);
  pair.theirs.reset();
  EXPECT_EQ(receive_frame(pair.ours.get(), false)->kind, ReceivedFrame::Kind::kEnd);
  EXPECT_EQ(send_frame(pair.ours.get(), {"x", {}}, true).error().code, Code::kUnavailable);
}

TEST(TrainerFrames, WhatWasSentBeforeAResetStillArrives) {
  Pair pair;
  ASSERT_TRUE(send_frame(pair.ours.get(), {"unread", {}}, true));
  ASSERT_TRUE(send_frame(pair.theirs.get(), {"last words", {}}, true));
  pair.theirs.reset();
  EXPECT_EQ(receive_frame(pair.ours.get(), true)->frame.header, "last words");
  EXPECT_EQ(receive_frame(pair.ours.get(), true)->kind, ReceivedFrame::Kind::kEnd);
}

TEST(TrainerFrames, AFullSocketIsToldWithoutWaiting) {
  const Pair pair;
  const TrainerFrame frame{std::string(60'000, 'x'), {}};
  int sent = 0;
  while (sent < 10'000 && *send_frame(pair.ours.get(), frame, false)) ++sent;
  EXPECT_GT(sent, 0);
  EXPECT_LT(sent, 10'000);
}

TEST(TrainerFrames, AFrameOverTheLimitsIsDroppedAndTheNextReceived) {
  const Pair pair;
  const std::string large(limits::kTrainerHeaderBytesMax + 1, 'x');
  ASSERT_EQ(::send(pair.theirs.get(), large.data(), large.size(), 0),
            static_cast<ssize_t>(large.size()));
  ASSERT_TRUE(send_frame(pair.theirs.get(), {"next", {}}, true));
  EXPECT_EQ(receive_frame(pair.ours.get(), true).error().code, Code::kBadInput);
  EXPECT_EQ(receive_frame(pair.ours.get(), true)->frame.header, "next");
}

}  // namespace
}  // namespace freshet
