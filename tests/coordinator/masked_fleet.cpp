#include "tests/coordinator/masked_fleet.h"

#include <algorithm>

#include "aggregation/clip.h"
#include "aggregation/pack.h"
#include "base/rng.h"
#include "crypto/digest.h"
#include "protocol/codec.h"

namespace freshet {
namespace {

constexpr CampaignId kCampaign{5};
constexpr Digest kAdapter{2};

FillRandom rounding(std::size_t node) {
  return [rng = Rng(node + 1)](std::span<std::uint32_t> out) mutable {
    for (std::uint32_t& word : out) word = rng.next_u32();
  };
}

}  // namespace

MaskedFleet::MaskedFleet(std::size_t count, std::uint32_t honest_min)
    : nodes(count), uploads_(BlobStore::open(folder_ / "uploads").value()) {
  for (Node& node : nodes)
    node.certificate = issue(authority.certificate_of(node.identity), authority.issuer);
  std::sort(nodes.begin(), nodes.end(), [](const Node& a, const Node& b) {
    return a.identity.open.id() < b.identity.open.id();
  });
  Rng rng(9);
  for (Node& node : nodes) {
    Update update;
    for (std::size_t i = 0; i < kEntries; ++i)
      update.values.push_back(static_cast<float>(rng.uniform() - 0.5));
    node.update = clip(update, 1.0).value().update;
  }
  plan.name = "test";
  plan.mode = Mode::kMasked;
  plan.clip = 1;
  plan.grid = {.range = 1, .bits = 16};
  plan.cohort_min = static_cast<std::uint32_t>(count);
  plan.cohort_max = 64;
  plan.ready_ms = 0;
  plan.rounds = 2;
  plan.masking.honest_min = honest_min;
  state = campaign::begin(kCampaign, campaign::rules_of(plan), kAdapter, now);
  initial_ = state;
}

std::size_t MaskedFleet::index_of(NodeId id) const {
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (nodes[i].identity.open.id() == id) return i;
  return nodes.size();
}

std::string_view MaskedFleet::phase() const {
  if (const round::Round* open = campaign::open_round(state)) return round::name_of(open->phase);
  return campaign::is_over(state) ? "over" : "gathering";
}

RoundBookHooks MaskedFleet::hooks() {
  RoundBookHooks hooks;
  hooks.put = [this](ByteView bytes) -> Result<Digest> {
    documents_[digest_of(bytes)] = to_bytes(bytes);
    return digest_of(bytes);
  };
  hooks.get = [this](const Digest& digest) -> Result<Bytes> {
    ++documents_read;
    const auto found = documents_.find(digest);
    if (found == documents_.end()) return fail(Code::kCorrupt, "a document is missing");
    return found->second;
  };
  hooks.trust = [this] { return trust; };
  hooks.wall_s = [] { return kNow; };
  return hooks;
}

// ---- the coordinator

void MaskedFleet::all_ready() {
  for (Node& node : nodes)
    if (!node.away) feed(campaign::Ready{node.identity.open.id(), state.version, now});
}

void MaskedFleet::tick(std::int64_t ms) {
  now = now + ms;
  for (campaign::Event& event : campaign::due(state, now, 1)) {
    if (auto* opened = std::get_if<campaign::RoundOpened>(&event)) {
      open_round(*opened);
    } else {
      feed(event);
    }
  }
}

void MaskedFleet::wait_out_the_phase() {
  for (const Node& node : nodes)
    if (!node.away) state.heard[node.identity.open.id()] = now + plan.masking.phase_ms;
  tick(plan.masking.phase_ms);
  tick(1);
}

void MaskedFleet::open_round(campaign::RoundOpened opened) {
  const RoundFacts facts{kCampaign,     {state.last_round.value + 1},
                         state.version, state.adapter,
                         Digest{7},     kEntries,
                         plan.clip,     trust->serial()};
  const RoundDocument document = describe_round(plan, facts).value();
  opened.sid = sid_of(document.descriptor);
  opened.document = hooks().put(to_bytes(document)).value();
  feed(opened);
}

void MaskedFleet::feed(campaign::Event event) {
  pending_.push_back(std::move(event));
  while (!pending_.empty()) {
    const campaign::Event next = std::move(pending_.front());
    pending_.pop_front();
    campaign::Step step = campaign::step(std::move(state), next);
    if (step.durable) journal_.push_back(campaign::encode(next));
    state = std::move(step.next);
    follow_round();
    for (const campaign::Effect& effect : step.effects) act(effect);
  }
}

void MaskedFleet::follow_round() {
  const round::Round* open = campaign::open_round(state);
  if (open == nullptr) return book.reset();
  if (!book || book->sid() != open->plan.masked->sid) {
    book.reset();
    book.emplace(RoundBook::open(*open, hooks()).value());
  }
  if (const auto settled = book->settle(*open); !settled) {
    ruined = settled.error().what;
    pending_.push_front(campaign::Ruined{open->plan.id, ruined, book->liars(), now});
  }
}

void MaskedFleet::restart() {
  letters_.clear();
  book.reset();
  state = initial_;
  for (const Bytes& entry : journal_) {
    const auto replayed = campaign::replay(state, entry);
    ASSERT_TRUE(replayed) << replayed.error().what;
  }
  feed(campaign::Recovered{now});
  for (const campaign::Effect& effect : campaign::resume(state, now)) act(effect);
}

void MaskedFleet::send(NodeId to, CoordinatorMessage message) {
  static const Identity coordinator = Identity::generate();
  const Bytes frame = encode(message, {NodeId{0}, 1}, coordinator);
  letters_.push_back(
      {index_of(to), decode_from_coordinator(frame, coordinator.open.signing).value().message});
}

void MaskedFleet::act(const campaign::Effect& effect) {
  const round::Round* open = campaign::open_round(state);
  if (const auto* phase = std::get_if<campaign::SendPhase>(&effect)) {
    if (open == nullptr) return;
    if (!std::holds_alternative<round::Advertising>(open->phase)) {
      auto owed = book->owed(*open, phase->node, Bytes{1, 2}).value();
      for (const auto& message : owed) send(phase->node, *message);
      return;
    }
    MaskedInvite invite{kCampaign, canonical_bytes(book->descriptor()), {}, 1'000, {}};
    for (const round::Round& given_up : state.given_up)
      invite.aborted.push_back(abort_certificate(given_up, hooks().get).value());
    send(phase->node, std::move(invite));
  } else if (const auto* accepted = std::get_if<campaign::SendAccepted>(&effect)) {
    send(accepted->node,
         ChunkAck{accepted->round, accepted->upload, uploads_.size_of(accepted->upload).value()});
  } else if (const auto* receipt = std::get_if<campaign::SendReceipt>(&effect)) {
    receipt_ = *receipt;
    for (const NodeId to : receipt->to)
      send(to, Receipt{kCampaign,
                       receipt->round,
                       receipt->published,
                       receipt->version,
                       receipt->survivors,
                       {}});
  } else if (const auto* add = std::get_if<campaign::AddAndStep>(&effect)) {
    sum(*add);
  }
}

void MaskedFleet::sum(const campaign::AddAndStep& effect) {
  if (!book->recovery()) return;
  auto made = masked_mean(uploads_, *book, effect.survivors, kEntries);
  if (!made) {
    ruined = made.error().what;
    return pending_.push_back(campaign::Ruined{effect.round, ruined, {}, now});
  }
  mean = std::move(*made);
  pending_.push_back(
      campaign::Summed{effect.round, {effect.base.value + 1}, Digest{3}, now, mean->sum});
}

void MaskedFleet::arrives(std::size_t from, const NodeMessage& message) {
  const NodeId node = nodes[from].identity.open.id();
  if (const auto* chunk = std::get_if<UploadChunk>(&message)) return upload(from, *chunk);
  std::visit(
      [&](const auto& each) {
        if constexpr (requires { each.sid; }) {
          const round::Round* open = campaign::open_round(state);
          if (!book || open == nullptr || each.sid != book->sid()) return;
          auto heard = book->take(*open, node, each, now);
          if (!heard) return refused.push_back(heard.error());
          feed(std::move(*heard));
        }
      },
      message);
}

void MaskedFleet::upload(std::size_t from, const UploadChunk& chunk) {
  const NodeId node = nodes[from].identity.open.id();
  const round::Round* open = campaign::open_round(state);
  if (open == nullptr || open->plan.id != chunk.round) return;
  ASSERT_EQ(chunk.data.size(), chunk.size) << "vectors of this test fit into one chunk";
  if (const auto checked = book->check_frame(*open, node, chunk.data, kEntries); !checked)
    return refused.push_back(checked.error());
  ASSERT_TRUE(uploads_.put(chunk.data));
  feed(campaign::Uploaded{node, chunk.round, chunk.blob, now});
}

// ---- the nodes

MaskedRoundHooks MaskedFleet::hooks_of(std::size_t index) {
  MaskedRoundHooks hooks;
  hooks.send = [this, index](const NodeMessage& message) -> Result<void> {
    const Identity& identity = nodes[index].identity;  // through the wire, as it travels
    const Bytes frame = encode(message, {identity.open.id(), 1}, identity);
    TRY_ASSIGN(auto decoded, decode_from_node(frame, identity.open.signing));
    letters_.push_back({index, std::move(decoded.message)});
    return {};
  };
  hooks.record = [this, index](const SpentBase& spent) -> Result<void> {
    nodes[index].spent = spent;
    return {};
  };
  hooks.charge = []() -> Result<void> { return {}; };
  hooks.contribution = [this, index]() -> Result<QuantizedUpdate> {
    return quantize(nodes[index].update, plan.grid, rounding(index));
  };
  hooks.trust = [this] { return trust; };
  hooks.fetch_trust = [](const Digest&, std::uint64_t) {};
  hooks.wall_s = [] { return kNow; };
  hooks.made = [](ByteView, const QuantizedUpdate&) {};
  return hooks;
}

void MaskedFleet::join(std::size_t index, const MaskedInvite& invite) {
  Node& node = nodes[index];
  const Descriptor descriptor = read_descriptor(invite.descriptor).value();
  if (node.round && node.round->sid() == sid_of(descriptor)) return;
  MaskedRoundPlan joined{
      descriptor,      supplied_digest(plan.model, state.adapter, descriptor.base),
      kAdapter,        {plan.masking.honest_min, {1, 3}},
      {1, 1},          0,
      node.certificate};
  node.round = MaskedRound::join(node.identity, std::move(joined), hooks_of(index),
                                 secagg::RoundKeys::make(), now)
                   .value();
  ++node.rounds_joined;
}

void MaskedFleet::arrives(std::size_t to, const CoordinatorMessage& message) {
  Node& node = nodes[to];
  node.heard.push_back(message);
  if (const auto* invite = std::get_if<MaskedInvite>(&message)) return join(to, *invite);
  if (!node.round) return;
  std::visit(
      [&](const auto& each) {
        if constexpr (requires { node.round->take(each, now); }) {
          ASSERT_TRUE(node.round->take(each, now));
        }
      },
      message);
  if (std::holds_alternative<Receipt>(message)) {
    ASSERT_TRUE(node.round->feed(exchange::RoundEnded{now}, now));
  }
}

void MaskedFleet::deliver() {
  for (int i = 0; i < 100'000 && !letters_.empty(); ++i) {
    Letter letter = std::move(letters_.front());
    letters_.pop_front();
    if (letter.node >= nodes.size() || nodes[letter.node].away) continue;
    if (auto* from_node = std::get_if<NodeMessage>(&letter.message)) {
      if (!up || up(letter.node, *from_node)) arrives(letter.node, *from_node);
    } else {
      auto& to_node = std::get<CoordinatorMessage>(letter.message);
      if (!down || down(letter.node, to_node)) arrives(letter.node, to_node);
    }
  }
  ASSERT_TRUE(letters_.empty()) << "messages without end";
}

std::vector<RosterMember> MaskedFleet::roster() const {
  for (const Node& node : nodes)
    for (const CoordinatorMessage& message : node.heard)
      if (const auto* page = std::get_if<RosterPage>(&message)) return page->members;
  return {};
}

QuantizedSum MaskedFleet::expected(const std::vector<std::size_t>& who) const {
  QuantizedSum sum{std::vector<std::uint32_t>(kEntries + 1, 0), 0};
  for (const std::size_t i : who)
    EXPECT_TRUE(add(sum, quantize(nodes[i].update, plan.grid, rounding(i)), plan.grid));
  return sum;
}

Digest digest_of_sum(const QuantizedSum& sum) {
  return digest_of("freshet/sum/v1", as_bytes(std::span<const std::uint32_t>(sum.words)));
}

std::vector<std::size_t> all_but(std::size_t count, std::vector<std::size_t> out) {
  std::vector<std::size_t> rest;
  for (std::size_t i = 0; i < count; ++i)
    if (std::find(out.begin(), out.end(), i) == out.end()) rest.push_back(i);
  return rest;
}

void expect_published(const MaskedFleet& fleet, const std::vector<std::size_t>& who) {
  ASSERT_TRUE(fleet.mean) << fleet.phase() << " " << fleet.ruined;
  EXPECT_EQ(fleet.state.version, VersionId{1});
  EXPECT_EQ(fleet.mean->sum, digest_of_sum(fleet.expected(who)));
  ASSERT_NE(fleet.receipt(), nullptr);
  ASSERT_TRUE(fleet.receipt()->masked);
  EXPECT_EQ(fleet.receipt()->masked->survivors.size(), who.size());
  EXPECT_TRUE(fleet.refused.empty()) << fleet.refused[0].what;
}

}  // namespace freshet
