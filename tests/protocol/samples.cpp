#include "tests/protocol/samples.h"

#include <algorithm>
#include <set>

#include "base/limits.h"

namespace freshet::samples {
namespace {

Identity identity_of(std::string_view secret, std::string_view open) {
  Identity identity;
  identity.open.signing.bytes = digest_from_hex(open).value();
  identity.signing = Secret::copy_of(from_hex(std::string(secret) + std::string(open)).value());
  return identity;
}

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

int one_to(Rng& rng, int most) {
  return 1 + static_cast<int>(rng.below(static_cast<std::uint64_t>(most)));
}

}  // namespace

Identity node_identity() {
  return identity_of("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
}

Identity coordinator_identity() {
  return identity_of("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
}

Digest digest(std::uint8_t first) {
  Digest digest;
  for (auto& byte : digest) byte = first++;
  return digest;
}

CampaignPlan plan() {
  return {.name = "sample",
          .mode = Mode::kTrustedCoordinator,
          .method = Method::kFfa,
          .rule = Yogi{.lr = 0.02f, .beta1 = 0.8f, .beta2 = 0.95f, .tau = 0.01f},
          .rounds = 3,
          .cohort_min = 4,
          .cohort_max = 9,
          .survivors_min = 3,
          .ready_ms = 1234,
          .round_ms = 5678,
          .lora = {.rank = 4, .alpha = 6, .targets = {"q_proj", "v_proj"}, .seed = 11},
          .training = {.steps = 5, .batch = 2, .window = 64, .lr = 0.125f, .seed = 12},
          .clip = 2.5,
          .grid = {.range = 0.75f, .bits = 12, .weight_max = 100},
          .model = digest(0x40)};
}

std::vector<std::pair<std::string, NodeMessage>> node_messages() {
  return {
      {"hello", Hello{1, "freshet 0.1.0", digest(1)}},
      {"heartbeat", Heartbeat{{0x1122334455667788}, {3}, Activity::kTraining}},
      {"ready", Ready{{0x1122334455667788}, {3}}},
      {"fetch", Fetch{digest(2), 262144}},
      {"upload_chunk",
       UploadChunk{
           {0x1122334455667788}, {5}, digest(3), 1000, 988, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}}}};
}

std::vector<std::pair<std::string, CoordinatorMessage>> coordinator_messages() {
  return {
      {"announce", Announce{{0x1122334455667788}, plan(), {3}, digest(4), 4096, digest(5)}},
      {"invite", Invite{{0x1122334455667788}, {5}, {3}, 8, 59000, {digest(6)}}},
      {"chunk_ack", ChunkAck{{5}, digest(3), 999}},
      {"chunk", Chunk{digest(2), 524288, 262144, {0xff, 0xfe, 0xfd}}},
      {"receipt", Receipt{{0x1122334455667788}, {5}, true, {4}, {{1}, {2}, {0xffffffffffffffff}}}},
      {"finished", Finished{{0x1122334455667788}, {20}}},
      {"refused", Refused{Code::kExpired, "round 5 is over"}}};
}

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
  return plan;
}

NodeMessage random_node_message(Rng& rng) {
  const auto campaign = random_id<CampaignTag>(rng);
  const auto version = random_id<VersionTag>(rng);
  switch (rng.below(5)) {
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
  switch (rng.below(7)) {
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
      return Receipt{
          campaign, round, rng.below(2) == 0, version, {survivors.begin(), survivors.end()}};
    }
    case 5: return Finished{campaign, version};
    default:
      return Refused{static_cast<Code>(rng.below(6)), random_text(rng, limits::kTextBytesMax)};
  }
}

Bytes encode_from_node(const NodeMessage& message, std::uint64_t sequence) {
  const Identity identity = node_identity();
  return encode(message, {identity.open.id(), sequence}, identity);
}

Bytes encode_from_coordinator(const CoordinatorMessage& message, std::uint64_t sequence) {
  return encode(message, {{}, sequence}, coordinator_identity());
}

}  // namespace freshet::samples
