#include "edge_node/spent_bases.h"

#include <gtest/gtest.h>

#include "tests/temp_folder.h"

namespace freshet {
namespace {

constexpr std::uint32_t kMembers = 8, kQuorum = 6;

struct Cohort {
  std::vector<Identity> members;
  Cohort() {
    for (std::uint32_t i = 0; i < kMembers; ++i) members.push_back(Identity::generate());
  }
  SpentBase spent() const {
    SpentBase spent{{5}, {3}, Digest{1}, {10}, Digest{2}, Digest{3}, kQuorum, {}, true, {}};
    for (const Identity& member : members) spent.members.push_back(member.open.signing);
    return spent;
  }
  AbortCertificate aborted(const Digest& sid, std::uint32_t count) const {
    AbortCertificate certificate{sid, {}};
    for (std::uint32_t i = 0; i < count; ++i)
      certificate.signatures.push_back({i, sign(members[i], kAbortDomain, signed_abort(sid))});
    return certificate;
  }
};

SpentBases::Asked next() { return {{3}, Digest{1}, {11}, Digest{4}}; }

std::string refusal(const SpentBase& last, const SpentBases::Asked& asked,
                    std::vector<AbortCertificate> aborted = {}) {
  const SpentBases::Notes notes{
      last, last.left && last.adapter == asked.adapter ? std::optional(last) : std::nullopt};
  const auto admitted = SpentBases::admit(notes, asked, aborted);
  if (admitted) return "";
  EXPECT_EQ(admitted.error().code, Code::kRefused);
  return admitted.error().what;
}

TEST(SpentBases, StaySpentOverARestart) {
  const Cohort cohort;
  TempFolder folder;
  const Secret storage = Secret::random(32);
  SpentBase spent = cohort.spent();
  {
    auto bases = SpentBases::open(folder.path(), storage).value();
    EXPECT_EQ(bases.find({5}).value(), std::nullopt);
    ASSERT_TRUE(bases.put(spent));
    spent.choice = exchange::Choice::kSurvivors;
    ASSERT_TRUE(bases.put(spent));
  }
  auto bases = SpentBases::open(folder.path(), storage).value();
  const auto found = bases.find({5}).value();
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, spent);
  EXPECT_EQ(bases.find({6}).value(), std::nullopt);
  EXPECT_NE(refusal(*found, next()).find("is spent"), std::string::npos);
}

TEST(SpentBases, PromisesAreNotTakenBack) {
  const Cohort cohort;
  TempFolder folder;
  auto bases = SpentBases::open(folder.path(), Secret::random(32)).value();
  SpentBase spent = cohort.spent();
  spent.choice = exchange::Choice::kAbort;
  ASSERT_TRUE(bases.put(spent));
  SpentBase other = spent;
  other.choice = exchange::Choice::kSurvivors;
  EXPECT_DEATH((void)bases.put(other), "taken back");
  other = spent;
  other.left = false;
  EXPECT_DEATH((void)bases.put(other), "taken back");
}

TEST(SpentBases, ARecordThatDoesNotOpenStopsTheNode) {
  const Cohort cohort;
  TempFolder folder;
  auto bases = SpentBases::open(folder.path(), Secret::random(32)).value();
  ASSERT_TRUE(bases.put(cohort.spent()));
  const Path file = folder / "0000000000000005.sealed";
  std::string bytes = read_file(file, 1 << 20).value();
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_TRUE(write_file_durably(file, as_bytes(bytes)));
  const auto found = bases.find({5});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kCorrupt);
}

TEST(SpentBases, AQuorumOfAbortsFreesABase) {
  const Cohort cohort;
  const SpentBase spent = cohort.spent();
  const Digest sid = spent.sid;
  EXPECT_EQ(refusal(spent, next(), {cohort.aborted(sid, kQuorum)}), "");
  EXPECT_EQ(refusal(spent, next(), {cohort.aborted(Digest{9}, 8), cohort.aborted(sid, 8)}), "");
  struct Row {
    std::string_view what;
    AbortCertificate certificate;
  };
  std::vector<Row> rows = {{"one too few", cohort.aborted(sid, kQuorum - 1)},
                           {"another round's", cohort.aborted(Digest{9}, 8)},
                           {"renamed", cohort.aborted(Digest{9}, 8)},
                           {"one of them twice", cohort.aborted(sid, kQuorum - 1)},
                           {"a wrong signature", cohort.aborted(sid, kQuorum)},
                           {"out of the roster", cohort.aborted(sid, kQuorum - 1)},
                           {"strangers", Cohort().aborted(sid, 8)}};
  rows[2].certificate.sid = sid;
  rows[3].certificate.signatures.push_back(rows[3].certificate.signatures.back());
  rows[4].certificate.signatures[2].signature[5] ^= 1;
  rows[5].certificate.signatures.push_back({kMembers, rows[5].certificate.signatures[0].signature});
  for (const Row& row : rows)
    EXPECT_NE(refusal(spent, next(), {row.certificate}).find("is spent"), std::string::npos)
        << row.what;
}

TEST(SpentBases, RoundsAndVersionsDoNotGoBack) {
  const Cohort cohort;
  SpentBase spent = cohort.spent();
  const std::vector<AbortCertificate> all = {cohort.aborted(spent.sid, kMembers)};
  SpentBases::Asked same = next(), earlier = next(), older = next(), forked = next(),
                    newer = next();
  same.sid = spent.sid;
  earlier.round = spent.round;
  older.version = {2};
  forked.adapter = Digest{8};
  newer.version = {4};
  newer.adapter = Digest{8};
  SpentBases::Asked renamed = newer;  // what was learned from it would be seen twice
  renamed.adapter = spent.adapter;
  EXPECT_NE(refusal(spent, same, all).find("keys are gone"), std::string::npos);
  EXPECT_NE(refusal(spent, earlier, all).find("round 10"), std::string::npos);
  EXPECT_NE(refusal(spent, older, all).find("goes back"), std::string::npos);
  EXPECT_NE(refusal(spent, forked, all).find("two adapters"), std::string::npos);
  EXPECT_EQ(refusal(spent, newer), "");
  EXPECT_NE(refusal(spent, renamed).find("is spent"), std::string::npos);
  EXPECT_EQ(refusal(spent, renamed, all), "");
  EXPECT_TRUE(SpentBases::admit(SpentBases::Notes{}, next(), {}));
  spent.left = false;  // shares left, and nothing else
  EXPECT_EQ(refusal(spent, next()), "");
  EXPECT_NE(refusal(spent, same).find("keys are gone"), std::string::npos);
}

// What a campaign's note of its last round forgets: a round that only dealt shares came after.
TEST(SpentBases, AnAdapterStaysSpentBehindLaterRounds) {
  const Cohort cohort;
  TempFolder folder;
  auto bases = SpentBases::open(folder.path(), Secret::random(32)).value();
  const SpentBase masked = cohort.spent();
  ASSERT_TRUE(bases.put(masked));
  SpentBase shared = masked;  // from the next version, and then it went no further
  shared.version = {4}, shared.adapter = Digest{7}, shared.round = {11}, shared.sid = Digest{12};
  shared.left = false;
  ASSERT_TRUE(bases.put(shared));
  const SpentBases::Asked again{{5}, masked.adapter, {12}, Digest{13}};
  const auto refused = bases.admit({5}, again, {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("is spent"), std::string::npos) << refused.error().what;
  // Given up by its quorum, in whatever round comes.
  EXPECT_TRUE(bases.admit({5}, again, std::vector{cohort.aborted(masked.sid, kQuorum)}));
  EXPECT_FALSE(bases.admit({5}, again, std::vector{cohort.aborted(shared.sid, kMembers)}));
}

TEST(SpentBases, AnAdapterIsSpentForEveryCampaign) {
  const Cohort cohort;
  TempFolder folder;
  const Secret storage = Secret::random(32);
  const SpentBase masked = cohort.spent();
  const SpentBases::Asked elsewhere{{0}, masked.adapter, {1}, Digest{13}};
  {
    auto bases = SpentBases::open(folder.path(), storage).value();
    EXPECT_TRUE(bases.admit({6}, elsewhere, {}));
    ASSERT_TRUE(bases.put(masked));
  }
  const auto bases = SpentBases::open(folder.path(), storage).value();
  const auto refused = bases.admit({6}, elsewhere, {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("round 10 of campaign 0000000000000005"), std::string::npos)
      << refused.error().what;
  EXPECT_TRUE(bases.admit({6}, elsewhere, std::vector{cohort.aborted(masked.sid, kQuorum)}));
  SpentBases::Asked other = elsewhere;
  other.adapter = Digest{99};
  EXPECT_TRUE(bases.admit({6}, other, {}));
}

TEST(SpentBases, ANoteUnderAnotherAdaptersNameStopsTheNode) {
  const Cohort cohort;
  TempFolder folder;
  auto bases = SpentBases::open(folder.path(), Secret::random(32)).value();
  const SpentBase masked = cohort.spent();
  ASSERT_TRUE(bases.put(masked));
  const Path notes = folder / "masked";
  std::filesystem::rename(notes / (to_hex(masked.adapter) + ".sealed"),
                          notes / (to_hex(Digest{99}) + ".sealed"));
  const auto found = bases.masked(Digest{99});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace freshet
