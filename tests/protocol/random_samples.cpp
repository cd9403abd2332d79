#include <set>

#include "base/limits.h"
#include "tests/protocol/samples.h"

namespace freshet::samples {
namespace {

template <class Tag>
Id<Tag> random_id(Rng& rng) {
  return {rng.next_u64()};
}

Digest random_digest(Rng& rng) {
  Digest digest;
  for (auto& byte : digest) byte = static_cast<std::uint8_t>(rng.next_u32());
  return digest;
}

std::string random_text(Rng& rng, std::size_t bytes_max) {
  std::string text(rng.below(bytes_max + 1), ' ');
  for (char& c : text) c = static_cast<char>(0x20 + rng.below(0x5f));
  return text;
}

Bytes random_data(Rng& rng) {
  Bytes data(rng.below(20) == 0 ? limits::kChunkBytes : rng.below(100));
  for (auto& byte : data) byte = static_cast<std::uint8_t>(rng.next_u32());
  return data;
}

float random_rate(Rng& rng) { return static_cast<float>(1e-6 + rng.uniform()); }

ServerRule random_rule(Rng& rng) {
  const float lr = random_rate(rng), tau = random_rate(rng);
  const auto beta1 = static_cast<float>(rng.uniform() * 0.99);
  const auto beta2 = static_cast<float>(rng.uniform() * 0.99);
  switch (rng.below(4)) {
    case 0: return Sgd{lr};
    case 1: return Momentum{lr, beta1};
    case 2: return Adam{lr, beta1, beta2, tau};
    default: return Yogi{lr, beta1, beta2, tau};
  }
}

Bytes random_bytes_of(Rng& rng, std::size_t count) {
  Bytes bytes(count);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(rng.next_u32());
  return bytes;
}

template <std::size_t N>
void fill(Rng& rng, std::array<std::uint8_t, N>& out) {
  for (auto& byte : out) byte = static_cast<std::uint8_t>(rng.next_u32());
}

Signature random_signature(Rng& rng) {
  Signature signature;
  fill(rng, signature);
  return signature;
}

secagg::Advert random_advert(Rng& rng) {
  return {{random_digest(rng)},
          {random_digest(rng)},
          random_digest(rng),
          random_digest(rng),
          random_signature(rng)};
}

std::vector<std::uint32_t> random_places(Rng& rng) {
  std::vector<std::uint32_t> places;
  const std::uint64_t one_in = 1 + rng.below(60);
  for (std::uint32_t place = 0; place < limits::kMaskedCohortMax; ++place)
    if (rng.below(one_in) == 0) places.push_back(place);
  return places;
}

SignedBox random_box(Rng& rng, std::uint32_t peer) {
  SignedBox box{peer, {}, random_signature(rng)};
  fill(rng, box.box);
  return box;
}

std::vector<SignedBox> random_boxes(Rng& rng) {
  std::vector<SignedBox> boxes;
  for (const std::uint32_t place : random_places(rng)) boxes.push_back(random_box(rng, place));
  return boxes;
}

std::vector<IndexedSignature> random_signatures(Rng& rng) {
  std::vector<IndexedSignature> list;
  for (const std::uint32_t place : random_places(rng))
    list.push_back({place, random_signature(rng)});
  return list;
}

int one_to(Rng& rng, int most) {
  return 1 + static_cast<int>(rng.below(static_cast<std::uint64_t>(most)));
}

}  // namespace

CampaignPlan random_plan(Rng& rng) {
  CampaignPlan plan;
  plan.name = "n" + random_text(rng, limits::kPlanNameBytesMax - 1);
  plan.method = static_cast<Method>(rng.below(3));
  plan.rule = random_rule(rng);
  plan.rounds = static_cast<std::uint32_t>(one_to(rng, limits::kRoundsMax));
  plan.cohort_max = static_cast<std::uint32_t>(one_to(rng, 100));
  plan.cohort_min = 1 + static_cast<std::uint32_t>(rng.below(plan.cohort_max));
  plan.survivors_min = 1 + static_cast<std::uint32_t>(rng.below(plan.cohort_min));
  plan.ready_ms = static_cast<std::int64_t>(rng.below(limits::kReadyMsMax));
  plan.round_ms = 1 + static_cast<std::int64_t>(rng.below(limits::kRoundMsMax));
  plan.lora = {
      one_to(rng, limits::kAdapterRankMax), random_rate(rng) * 100, {}, rng.next_u64() >> 1};
  for (const char* target : {"up_proj", "down_proj", "k_proj"})
    if (rng.below(2) == 0) plan.lora.targets.push_back(target);
  plan.training = {one_to(rng, limits::kTrainingStepsMax), one_to(rng, limits::kTrainingBatchMax),
                   1 + one_to(rng, limits::kTrainingWindowMax - 1), random_rate(rng),
                   rng.next_u64() >> 1};
  plan.clip = 1e-3 + rng.uniform() * 1e3;
  plan.grid = {random_rate(rng), 1 + one_to(rng, 15), static_cast<std::uint32_t>(one_to(rng, 600))};
  plan.model = random_digest(rng);
  if (rng.below(2) == 0) {  // masked
    plan.mode = Mode::kMasked;
    plan.cohort_min = 10 + static_cast<std::uint32_t>(rng.below(90));
    plan.cohort_max = plan.cohort_min + static_cast<std::uint32_t>(rng.below(100));
    plan.survivors_min = 1 + static_cast<std::uint32_t>(rng.below(7));
    plan.masking = {1 + static_cast<std::uint32_t>(rng.below(4)),
                    {1, 3},
                    {1, 5},
                    {2, 3},
                    1 + static_cast<std::int64_t>(rng.below(limits::kRoundMsMax))};
    plan.grid = {random_rate(rng), 1 + one_to(rng, 15), 1};
    if (rng.below(2) == 0)
      plan.privacy = {.on = true,
                      .epsilon = rng.uniform() * 10 + 0.1,
                      .honest_min = 1,
                      .adaptive_clip = rng.below(2) == 0};
    else
      plan.evaluation = rng.below(2) == 0;
    if (!plan.evaluation && !plan.privacy.adaptive_clip && rng.below(3) == 0) {
      plan.logits = {true,
                     random_digest(rng),
                     static_cast<std::uint32_t>(one_to(rng, 10'000)),
                     static_cast<std::uint32_t>(one_to(rng, 100)),
                     random_rate(rng) + 0.01f,
                     random_rate(rng),
                     random_rate(rng)};
      fit_to_answers(plan);
    }
  }
  return plan;
}

NodeMessage random_node_message(Rng& rng) {
  const auto campaign = random_id<CampaignTag>(rng);
  const auto version = random_id<VersionTag>(rng);
  switch (rng.below(12)) {
    case 5:
      return Advertise{random_digest(rng), random_bytes_of(rng, rng.below(513)), random_advert(rng),
                       random_signature(rng)};
    case 6: return ShareBundle{random_digest(rng), random_digest(rng), random_boxes(rng)};
    case 7: {
      Complaint complaint{random_digest(rng), random_box(rng, rng.next_u32() % 1024), {}, {}};
      fill(rng, complaint.evidence.shared);
      fill(rng, complaint.evidence.proof);
      return complaint;
    }
    case 8: return AgreeSurvivors{random_digest(rng), random_signature(rng)};
    case 9: return AgreeAbort{random_digest(rng), random_signature(rng)};
    case 10: {
      Reveal reveal{random_digest(rng), {}};
      for (const std::uint32_t place : random_places(rng))
        reveal.shares.push_back({place, rng.below(2) == 0, random_digest(rng)});
      return reveal;
    }
    case 11: return Decline{random_digest(rng), static_cast<Declined>(rng.below(9))};
    case 0:
      return Hello{rng.next_u32(), random_text(rng, limits::kTextBytesMax), random_digest(rng)};
    case 1: return Heartbeat{campaign, version, static_cast<Activity>(rng.below(5))};
    case 2: return Ready{campaign, version};
    case 3: return Fetch{random_digest(rng), rng.next_u64()};
    default: {
      UploadChunk chunk{campaign, random_id<RoundTag>(rng), random_digest(rng),
                        0,        rng.below(1 << 20),       random_data(rng)};
      chunk.size = chunk.offset + chunk.data.size() + rng.below(1000);
      return chunk;
    }
  }
}

CoordinatorMessage random_coordinator_message(Rng& rng) {
  const auto campaign = random_id<CampaignTag>(rng);
  const auto round = random_id<RoundTag>(rng);
  const auto version = random_id<VersionTag>(rng);
  switch (rng.below(13)) {
    case 7: {
      MaskedInvite invite{campaign,
                          random_bytes_of(rng, rng.below(513)),
                          random_signature(rng),
                          static_cast<std::int64_t>(rng.below(limits::kRoundMsMax)),
                          {}};
      for (std::uint64_t i = rng.below(4); i > 0; --i)
        invite.aborted.push_back({random_digest(rng), random_signatures(rng)});
      return invite;
    }
    case 8: {
      RosterPage page{random_digest(rng),
                      random_digest(rng),
                      random_digest(rng),
                      rng.below(70000),
                      static_cast<std::uint32_t>(rng.below(700)),
                      0,
                      {}};
      for (std::uint64_t i = rng.below(20) == 0 ? limits::kRosterPageMembers : rng.below(8); i > 0;
           --i)
        page.members.push_back(
            {random_bytes_of(rng, rng.below(246)), random_advert(rng), random_signature(rng)});
      page.total = page.first + static_cast<std::uint32_t>(page.members.size() + rng.below(60));
      return page;
    }
    case 9: return Forward{random_digest(rng), random_places(rng), random_boxes(rng)};
    case 10: return Survivors{random_digest(rng), random_places(rng)};
    case 11: return Quorum{random_digest(rng), random_signatures(rng)};
    case 12: return AskAbort{random_digest(rng), random_text(rng, limits::kTextBytesMax)};
    case 0:
      return Announce{campaign,
                      random_plan(rng),
                      version,
                      random_digest(rng),
                      rng.below(limits::kBlobBytesMax),
                      random_digest(rng)};
    case 1:
      return Invite{campaign,
                    round,
                    version,
                    static_cast<std::uint32_t>(one_to(rng, limits::kCohortMax)),
                    static_cast<std::int64_t>(rng.below(limits::kRoundMsMax)),
                    {random_digest(rng)}};
    case 2: return ChunkAck{round, random_digest(rng), rng.next_u64()};
    case 3: {
      Chunk chunk{random_digest(rng), 0, rng.below(1 << 20), random_data(rng)};
      chunk.size = chunk.offset + chunk.data.size() + rng.below(1000);
      return chunk;
    }
    case 4: {
      std::set<NodeId> survivors;
      for (std::uint64_t count = rng.below(30) == 0 ? limits::kCohortMax : rng.below(20);
           survivors.size() < count;)
        survivors.insert(random_id<NodeTag>(rng));
      Receipt receipt{
          campaign, round, rng.below(2) == 0, version, {survivors.begin(), survivors.end()}, {}};
      if (rng.below(2) == 0)
        receipt.masked =
            MaskedReceipt{random_digest(rng), random_digest(rng), rng.next_u32(),
                          random_digest(rng), rng.uniform() * 9,  random_signature(rng)};
      return receipt;
    }
    case 5: return Finished{campaign, version};
    default:
      return Refused{static_cast<Code>(rng.below(6)), random_text(rng, limits::kTextBytesMax)};
  }
}

}  // namespace freshet::samples
