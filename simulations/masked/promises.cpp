#include "simulations/masked/promises.h"

#include <fmt/core.h>

#include <algorithm>

#include "aggregation/mask.h"
#include "base/limits.h"

namespace freshet::sim {

void Promises::violated(std::string what) {
  if (!violation_) violation_ = std::move(what);
}

bool Promises::lies(NodeId node) const {
  return world_.nodes[index_of(world_, node)].lie != Lie::kNone;
}

// ---- honest nodes

void Promises::charged(std::size_t node, const Digest& sid) { charged_.insert({node, sid}); }

void Promises::recorded(std::size_t node, const SpentBase& spent) {
  bool& left = spent_[{node, spent.sid}];
  if (left && !spent.left)
    violated(fmt::format("I15: node {} takes back that its vector left", node));
  left = spent.left;
  facts_[spent.sid].quorum = spent.quorum;
}

void Promises::frame_made(std::size_t node, const Descriptor& descriptor, const Digest& frame) {
  const Digest sid = sid_of(descriptor);
  if (!frames_.emplace(NodeRound{node, sid}, frame).second)
    violated(fmt::format("I3: node {} makes a second masked vector in one round", node));
  const auto bits = word_bits(descriptor.grid, descriptor.cohort_max, 0);
  if (!bits || *bits > static_cast<int>(descriptor.word_bits))
    violated(fmt::format("I10: sums of {} updates wrap in words of {} bits", descriptor.cohort_max,
                         descriptor.word_bits));
  auto [before, fresh] = masked_from_.emplace(std::pair{node, descriptor.base}, sid);
  if (fresh || before->second == sid) return;
  const Facts& earlier = facts_[before->second];
  if (earlier.aborts.size() < earlier.quorum)
    violated(
        fmt::format("I15: node {} masks again from version {}, and {} of {} signed that the "
                    "earlier round was given up",
                    node, descriptor.base.value, earlier.aborts.size(), earlier.quorum));
  before->second = sid;
}

void Promises::sent(std::size_t node, const NodeMessage& message,
                    const exchange::Exchange& exchange) {
  const NodeRound here{node, exchange.terms.sid};
  if (const auto* chunk = std::get_if<UploadChunk>(&message)) {
    if (frames_[here] != chunk->blob)
      violated(fmt::format("I3: node {} sends another masked vector than it made", node));
    if (!charged_.contains(here))
      violated(fmt::format("I7: a masked vector of node {} leaves before it is charged", node));
    if (!spent_[here])
      violated(fmt::format("I15: a masked vector of node {} leaves before that is recorded", node));
  } else if (std::holds_alternative<AgreeSurvivors>(message)) {
    agreed(node, exchange);
  } else if (std::holds_alternative<AgreeAbort>(message)) {
    aborted_.insert(here);
    facts_[here.second].aborts.insert(node);
    if (agreed_.contains(here))
      violated(fmt::format("I3: node {} signs survivors, and that their round was given up", node));
  } else if (const auto* reveal = std::get_if<Reveal>(&message)) {
    revealed(node, *reveal, exchange);
  }
}

void Promises::agreed(std::size_t node, const exchange::Exchange& exchange) {
  const auto* phase = std::get_if<exchange::Agreed>(&exchange.phase);
  if (phase == nullptr) return;  // sent again later, as it was
  const NodeRound here{node, exchange.terms.sid};
  const Digest list = index_list_digest(phase->survivors);
  if (const auto [at, fresh] = agreed_.emplace(here, list); !fresh && at->second != list)
    violated(fmt::format("I3: node {} signs two lists of survivors", node));
  if (aborted_.contains(here))
    violated(fmt::format("I3: node {} signs survivors of a round that it gave up", node));
  const std::uint32_t n = phase->roster.members;
  const std::uint32_t needed =
      std::max(quorum_of(n, world_.plan.masking.corrupt),
               world_.plan.masking.honest_min + part_of(n, world_.plan.masking.corrupt));
  if (phase->survivors.size() < needed)
    violated(fmt::format("I4: node {} agrees to {} survivors of {}, {} are needed", node,
                         phase->survivors.size(), n, needed));
  Facts& facts = facts_[here.second];
  if (facts.survivors.empty()) {
    facts.roster = phase->roster;
    facts.sharers = phase->sharers;
    facts.survivors = phase->survivors;
  } else if (facts.roster.digest != phase->roster.digest || facts.sharers != phase->sharers ||
             facts.survivors != phase->survivors) {
    violated(fmt::format("I6: node {} signs another roster or other lists than others do", node));
  }
}

void Promises::revealed(std::size_t node, const Reveal& reveal,
                        const exchange::Exchange& exchange) {
  const NodeRound here{node, exchange.terms.sid};
  if (!agreed_.contains(here))
    violated(fmt::format("I4: node {} reveals shares before it agreed to survivors", node));
  for (const secagg::RevealedShare& share : reveal.shares) {
    const auto [at, fresh] = kinds_[here].emplace(share.of, share.self_mask);
    if (!fresh && at->second != share.self_mask)
      violated(fmt::format("I2: node {} reveals both shares of member {}", node, share.of));
  }
}

void Promises::left(const exchange::Exchange& exchange, bool has_keys) {
  if (exchange::is_over(exchange) && has_keys) violated("I5: the keys of a round outlive it");
}

// ---- the coordinator

void Promises::read(const campaign::Event& event) {
  if (const auto* said = std::get_if<campaign::Said>(&event)) {
    const bool revoked = world_.nodes[index_of(world_, said->node)].lie == Lie::kRevokedCertificate;
    if (revoked && said->kind == round::Document::kAdvert)
      violated(fmt::format("I9: node {} is revoked and in a roster", said->node.value));
    return;
  }
  const auto accuse = [&](NodeId node) {
    if (!lies(node))
      violated(fmt::format("I12: node {} is honest and is called a liar", node.value));
  };
  if (const auto* complained = std::get_if<campaign::Complained>(&event)) accuse(complained->liar);
  if (const auto* ruined = std::get_if<campaign::Ruined>(&event))
    for (const NodeId liar : ruined->liars) accuse(liar);
}

void Promises::opens(const round::Round& round) {
  std::uint32_t signatures = 0;
  for (const round::Member& member : round.cohort)
    signatures += member.document(round::Document::kAgreement) ? 1 : 0;
  const auto survivors = static_cast<std::uint32_t>(round::survivors(round).size());
  if (signatures < round::quorum(round))
    violated(fmt::format("I1: round {} is opened with {} signatures, {} are needed",
                         round.plan.id.value, signatures, round::quorum(round)));
  if (survivors < round::survivors_needed(round))
    violated(fmt::format("I4: round {} is opened over {} survivors, {} are needed",
                         round.plan.id.value, survivors, round::survivors_needed(round)));
}

void Promises::published(const round::Round& round) {
  ++opened_;
  for (const round::Survivor& survivor : round::survivors(round))
    if (!opened_from_.insert({survivor.node, round.plan.base}).second)
      violated(fmt::format("I15: node {} is in two opened sums from version {}",
                           survivor.node.value, round.plan.base.value));
}

void Promises::holds(std::size_t documents, const campaign::Campaign& state) {
  const std::size_t rounds = 1 + state.given_up.size();
  const std::size_t most =
      rounds * (world_.nodes.size() * round::kDocuments + 1) * limits::kUploadTriesMax;
  if (documents > most)
    violated(fmt::format("I11: the coordinator keeps {} documents of {} nodes", documents,
                         world_.nodes.size()));
}

}  // namespace freshet::sim
