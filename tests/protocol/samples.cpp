#include "tests/protocol/samples.h"

namespace freshet::samples {
namespace {

Identity identity_of(std::string_view secret, std::string_view open) {
  Identity identity;
  identity.open.signing.bytes = digest_from_hex(open).value();
  identity.signing = Secret::copy_of(from_hex(std::string(secret) + std::string(open)).value());
  return identity;
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

Signature signature(std::uint8_t first) {
  Signature signature;
  for (auto& byte : signature) byte = first++;
  return signature;
}

namespace {

Bytes bytes(std::size_t count) {
  Bytes made(count);
  for (std::size_t i = 0; i < count; ++i) made[i] = static_cast<std::uint8_t>(i * 7);
  return made;
}

secagg::Advert advert() {
  return {{digest(40)}, {digest(41)}, digest(42), digest(43), signature(44)};
}

secagg::Evidence evidence() {
  secagg::Evidence evidence{digest(44), {}};
  evidence.proof = signature(45);
  return evidence;
}

SignedBox box(std::uint32_t peer) {
  SignedBox box{peer, {}, signature(static_cast<std::uint8_t>(46 + peer))};
  for (std::size_t i = 0; i < box.box.size(); ++i) box.box[i] = static_cast<std::uint8_t>(i + peer);
  return box;
}

}  // namespace

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

CampaignPlan logits_plan() {
  CampaignPlan plan;
  plan.name = "asks";
  plan.mode = Mode::kMasked;
  plan.cohort_min = 6;
  plan.model = digest(0x40);
  plan.logits = {true, digest(0x50), 256, 16, 2, 4, 0.5f};
  fit_to_answers(plan);
  return plan;
}

std::vector<std::pair<std::string, NodeMessage>> node_messages() {
  return {
      {"hello", Hello{1, "freshet 0.1.0", digest(1)}},
      {"heartbeat", Heartbeat{{0x1122334455667788}, {3}, Activity::kTraining}},
      {"ready", Ready{{0x1122334455667788}, {3}}},
      {"fetch", Fetch{digest(2), 262144}},
      {"upload_chunk",
       UploadChunk{
           {0x1122334455667788}, {5}, digest(3), 1000, 988, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}}},
      {"advertise", Advertise{digest(7), bytes(245), advert(), signature(8)}},
      {"share_bundle", ShareBundle{digest(7), digest(9), {box(1), box(3)}}},
      {"complaint", Complaint{digest(7), box(2), evidence(), signature(11)}},
      {"agree_survivors", AgreeSurvivors{digest(7), signature(12)}},
      {"agree_abort", AgreeAbort{digest(7), signature(13)}},
      {"reveal", Reveal{digest(7), {{0, true, digest(14)}, {2, false, digest(15)}}}},
      {"decline", Decline{digest(7), Declined::kTrust}}};
}

std::vector<std::pair<std::string, CoordinatorMessage>> coordinator_messages() {
  return {
      {"announce", Announce{{0x1122334455667788}, plan(), {3}, digest(4), 4096, digest(5)}},
      {"announce_logits",
       Announce{{0x1122334455667788}, logits_plan(), {0}, digest(0x50), 4096, digest(5)}},
      {"invite", Invite{{0x1122334455667788}, {5}, {3}, 8, 59000, {digest(6)}}},
      {"chunk_ack", ChunkAck{{5}, digest(3), 999}},
      {"chunk", Chunk{digest(2), 524288, 262144, {0xff, 0xfe, 0xfd}}},
      {"receipt", Receipt{{0x1122334455667788}, {5}, true, {4}, {{1}, {2}, {0xffffffffffffffff}}}},
      {"finished", Finished{{0x1122334455667788}, {20}}},
      {"refused", Refused{Code::kExpired, "round 5 is over"}},
      {"masked_receipt",
       Receipt{{0x1122334455667788},
               {5},
               true,
               {4},
               {{1}, {2}},
               MaskedReceipt{digest(7), digest(16), 2, digest(17), 1.5, signature(18)}}},
      {"masked_invite", MaskedInvite{{0x1122334455667788},
                                     canonical_bytes(descriptor()),
                                     signature(19),
                                     30000,
                                     {{digest(20), {{0, signature(21)}, {4, signature(22)}}}}}},
      {"roster_page",
       RosterPage{digest(7),
                  digest(23),
                  digest(24),
                  1234,
                  256,
                  258,
                  {{bytes(245), advert(), signature(25)}, {bytes(245), advert(), signature(26)}}}},
      {"forward", Forward{digest(7), {0, 2, 3}, {box(0), box(2)}}},
      {"survivors", Survivors{digest(7), {0, 3}}},
      {"quorum", Quorum{digest(7), {{0, signature(27)}, {3, signature(28)}}}},
      {"ask_abort", AskAbort{digest(7), "too few vectors came"}}};
}

Descriptor descriptor() {
  Descriptor d;
  d.campaign = {0x1122334455667788};
  d.plan = digest(30);
  d.round = {5};
  d.base = {3};
  d.supplied = digest(31);
  d.layout = digest(32);
  d.clip = 2.5;
  d.grid = {.range = 0.75f, .bits = 12, .weight_max = 100};
  d.word_bits = 27;
  d.cohort_max = 64;
  d.survivors_min = 3;
  d.honest_min = 4;
  d.corrupt = {1, 3};
  d.dropped = {1, 5};
  d.newcomers = {1, 2};
  d.phase_ms = 25'000;
  d.trust = {2, 7};
  d.beacon = digest(33);
  d.extras = 6;
  d.noise = {.multiplier = 1.25,
             .sampling_rate = 0.5,
             .delta = 1e-5,
             .honest_min = 4,
             .counts_clipped = true};
  return d;
}

Bytes encode_from_node(const NodeMessage& message, std::uint64_t sequence) {
  const Identity identity = node_identity();
  return encode(message, {identity.open.id(), sequence}, identity);
}

Bytes encode_from_coordinator(const CoordinatorMessage& message, std::uint64_t sequence) {
  return encode(message, {{}, sequence}, coordinator_identity());
}

}  // namespace freshet::samples
