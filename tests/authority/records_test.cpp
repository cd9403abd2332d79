#include "authority/records.h"

#include <gtest/gtest.h>

namespace freshet::authority {
namespace {

PublicIdentity some_keys() { return Identity::generate().open; }

const std::vector<Record>& samples() {
  static const std::vector<Record> kSamples = {
      Founded{some_keys().signing},
      IssuerAdded{Bytes(kCertificateBytes, 1), true},
      ListHead{7, 100, 200},
      Invited{Digest{1}, Role::kCoordinator, "attic", 300, true},
      Held{Digest{2}, some_keys()},
      Enrolled{Digest{3}, Bytes(kCertificateBytes, 2)},
      Rotated{Bytes(kCertificateBytes, 3), Signature{4}, {8, 101, 201}},
      Revoked{NodeId{9}, {9, 102, 202}},
  };
  return kSamples;
}

TEST(Records, ReadBackAsTheyWereWritten) {
  for (const Record& record : samples()) {
    const auto read = decode_record(encode(record));
    ASSERT_TRUE(read) << record.index();
    EXPECT_EQ(*read, record) << record.index();
  }
}

TEST(Records, AreCorruptWhenCutOrExtended) {
  for (const Record& record : samples()) {
    Bytes bytes = encode(record);
    for (std::size_t size = 0; size < bytes.size(); ++size)
      EXPECT_FALSE(decode_record(ByteView(bytes).first(size))) << record.index() << " " << size;
    bytes.push_back(0);
    EXPECT_FALSE(decode_record(bytes)) << record.index();
  }
}

}  // namespace
}  // namespace freshet::authority
