// The transcript game: two nodes exchange their inputs or not, so that the sum says nothing, and an
// adversary with everything that the coordinator ever sees says which it was. It always wins where
// updates are sealed to the coordinator; masked, it does no better than a coin.
#include <cmath>

#include "base/rng.h"
#include "crypto/remembered_signatures.h"
#include "crypto/secagg/derive.h"
#include "crypto/secagg/mask_stream.h"
#include "protocol/sealed_update.h"
#include "tests/simulations/puppet.h"

namespace freshet::sim {
namespace {

constexpr std::uint32_t kPlayers = 4;
constexpr int kTrials = 1'000, kBits = 20;
const double kThreeSigma = 3 * std::sqrt(kTrials / 4.0);

using Words = std::vector<std::uint32_t>;

struct Inputs {
  explicit Inputs(Rng& rng) {
    for (Words* words : {&x, &y}) {
      for (std::size_t i = 0; i < Puppet::kWords; ++i)
        words->push_back(static_cast<std::uint32_t>(rng.below(1 << 12)));
      words->push_back(1);
    }
  }
  Words x, y;
};

// How far apart two vectors are on the circle of words, entry by entry.
double distance(const Words& a, const Words& b) {
  constexpr std::uint32_t kTurn = 1u << kBits;
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::uint32_t apart = (a[i] - b[i]) & (kTurn - 1);
    sum += std::min(apart, kTurn - apart);
  }
  return sum;
}

bool looks_like_x(const Words& seen, const Inputs& inputs) {
  return distance(seen, inputs.x) < distance(seen, inputs.y);
}

TEST(Transcript, TellsInputsApartWhereUpdatesAreSealedToTheCoordinator) {
  const Identity coordinator = Identity::generate();
  const Grid grid{0.5f, 12, 1};
  Rng rng(41);
  int right = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    const Inputs inputs(rng);
    const bool exchanged = rng.below(2) == 1;
    const UpdateContext context{CampaignId{1}, RoundId{1}, NodeId{1}, {}};
    const SealedUpdate sealed = seal_update(QuantizedUpdate{exchanged ? inputs.y : inputs.x}, grid,
                                            coordinator.open.sealing, context);
    const auto seen = open_update(sealed.bytes, grid, Puppet::kWords, coordinator, context);
    ASSERT_TRUE(seen);
    right += looks_like_x(seen->words, inputs) == !exchanged;
  }
  EXPECT_GT(right - kTrials / 2, kThreeSigma);
  EXPECT_EQ(right, kTrials);
}

// What the coordinator sees of node 0: its vector, and once the round is opened its self mask too.
struct View {
  Words masked, without_self_mask, sum;
};

View play(const std::shared_ptr<const Members>& members, const Inputs& inputs, bool exchanged) {
  Puppet puppet(kPlayers, {}, members);
  puppet.rules.honest_min = 2;
  puppet.updates[0].words = exchanged ? inputs.y : inputs.x;
  puppet.updates[1].words = exchanged ? inputs.x : inputs.y;
  puppet.run_to_vectors();
  puppet.name_survivors(all_of(kPlayers));
  puppet.send_quorum(all_of(kPlayers));
  EXPECT_EQ(puppet.count_all<Reveal>(), kPlayers);
  View view;
  std::vector<Words> vectors;
  for (std::uint32_t i = 0; i < kPlayers; ++i)
    vectors.push_back(
        unpack(ByteView(puppet.heard<UploadChunk>(i)->data).subspan(kFrameSignatureBytes),
               Puppet::kWords + 1, kBits)
            .value());
  view.masked = view.without_self_mask = vectors[0];
  const secagg::Bound bound{sid_of(puppet.descriptor), puppet.descriptor.supplied,
                            puppet.spent[0]->roster};
  view.sum.assign(Puppet::kWords + 1, 0);
  for (std::uint32_t owner = 0; owner < kPlayers; ++owner) {
    std::vector<std::uint32_t> xs;
    std::vector<secagg::Scalar> shares;
    for (std::uint32_t i = 0; i < kPlayers; ++i)
      for (const auto& share : puppet.heard<Reveal>(i)->shares)
        if (share.of == owner) xs.push_back(i + 1), shares.push_back(share.value);
    const secagg::Scalar seed = secagg::combine(secagg::lagrange(xs), shares);
    std::array<std::uint8_t, 32> root, key;
    secagg::self_mask_root(seed, root);
    secagg::self_mask_key(root, bound, owner, key);
    Words& words = vectors[owner];
    secagg::apply_masks(words, std::vector<secagg::MaskKey>{{key, false}});
    for (std::size_t w = 0; w < words.size(); ++w) view.sum[w] += words[w];
  }
  secagg::keep_bits(view.sum, kBits);
  view.without_self_mask = vectors[0];
  secagg::keep_bits(view.without_self_mask, kBits);
  return view;
}

TEST(Transcript, TellsNothingWhereTheyAreMasked) {
  const RememberSignatures remembered;
  const auto members = std::make_shared<const Members>(kPlayers, std::vector<std::size_t>());
  Rng rng(42);
  int right_masked = 0, right_opened = 0;
  std::vector<double> seen(256);
  double bytes = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    const Inputs inputs(rng);
    const bool exchanged = rng.below(2) == 1;
    const View view = play(members, inputs, exchanged);
    Words expected(Puppet::kWords + 1);  // the other two nodes' updates
    for (std::size_t w = 0; w < Puppet::kWords; ++w)
      expected[w] = inputs.x[w] + inputs.y[w] + 500 + 2 * static_cast<std::uint32_t>(w);
    expected.back() = 4;
    ASSERT_EQ(view.sum, expected) << "trial " << trial;  // it sees what it should see
    right_masked += looks_like_x(view.masked, inputs) == !exchanged;
    right_opened += looks_like_x(view.without_self_mask, inputs) == !exchanged;
    for (const std::uint32_t word : view.masked)
      ++seen[word & 255], ++seen[word >> 8 & 255], bytes += 2;
  }
  EXPECT_LE(std::abs(right_masked - kTrials / 2), kThreeSigma) << right_masked;
  EXPECT_LE(std::abs(right_opened - kTrials / 2), kThreeSigma) << right_opened;
  double chi2 = 0;
  for (const double count : seen)
    chi2 += (count - bytes / 256) * (count - bytes / 256) / (bytes / 256);
  EXPECT_LT(chi2, 370);  // p = 1e-6 of 255 degrees of freedom
}

}  // namespace
}  // namespace freshet::sim
