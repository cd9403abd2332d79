// The bytes of one frame of every kind, with fixed keys, in golden/: a change of the wire cannot
// pass unnoticed. Where it is meant, run once with FRESHET_REGENERATE=1 and review the difference.

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/files.h"
#include "tests/protocol/samples.h"

namespace freshet {
namespace {

std::string lines_of_hex(ByteView bytes) {
  const std::string hex = to_hex(bytes);
  std::string lines;
  for (std::size_t begin = 0; begin < hex.size(); begin += 64)
    lines += hex.substr(begin, 64) + "\n";
  return lines;
}

void expect_golden(const std::string& name, const Bytes& frame) {
  const Path path = "tests/protocol/golden/" + name + ".hex";
  if (std::getenv("FRESHET_REGENERATE") != nullptr) {
    ASSERT_TRUE(write_file_durably(path, as_bytes(lines_of_hex(frame))));
  }
  const auto golden = read_file(path, 1 << 20);
  ASSERT_TRUE(golden) << golden.error().what;
  EXPECT_EQ(lines_of_hex(frame), *golden) << path;
}

TEST(Golden, FramesOfNodesKeepTheirBytes) {
  for (const auto& [name, message] : samples::node_messages())
    expect_golden(name, samples::encode_from_node(message));
}

TEST(Golden, FramesOfTheCoordinatorKeepTheirBytes) {
  for (const auto& [name, message] : samples::coordinator_messages())
    expect_golden(name, samples::encode_from_coordinator(message));
}

TEST(Golden, ThePlansDigestKeepsItsBytes) {
  const Digest digest = plan_digest(samples::plan());
  expect_golden("plan_digest", to_bytes(digest));
  expect_golden("plan_digest_logits", to_bytes(plan_digest(samples::logits_plan())));
}

// What a coordinator says that has not heard of campaigns of logits.
TEST(Golden, AnAnnouncementFromBeforeLogitsIsRead) {
  const auto golden = read_file("tests/protocol/golden/announce_before_logits.hex", 1 << 20);
  ASSERT_TRUE(golden);
  Bytes frame;
  for (std::size_t at = 0; at + 1 < golden->size(); at += (*golden)[at] == '\n' ? 1 : 2)
    if ((*golden)[at] != '\n')
      frame.push_back(static_cast<std::uint8_t>(std::stoi(golden->substr(at, 2), nullptr, 16)));
  const auto read = decode_from_coordinator(frame, samples::coordinator_identity().open.signing);
  ASSERT_TRUE(read) << read.error().what;
  const auto* announce = std::get_if<Announce>(&read->message);
  ASSERT_NE(announce, nullptr);
  EXPECT_EQ(announce->plan, samples::plan());
}

TEST(Golden, TheDescriptorKeepsItsBytes) {
  expect_golden("descriptor", canonical_bytes(samples::descriptor()));
  expect_golden("sid", to_bytes(sid_of(samples::descriptor())));
}

}  // namespace
}  // namespace freshet
