// A campaign's masked rounds: what is written down before one opens, what members are told, and how
// its sum becomes the next version.

#include <fmt/format.h>

#include <fstream>

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "coordinator/campaign_run.h"
#include "coordinator/masked_sum.h"
#include "crypto/digest.h"

namespace freshet {
namespace {

template <class T>
bool in(const round::Round& round) {
  return std::holds_alternative<T>(round.phase);
}

Path clip_file(const Path& folder, VersionId version) {
  return folder / fmt::format("clip-{}", version.value);
}

}  // namespace

RoundBookHooks CampaignRun::book_hooks() {
  RoundBookHooks hooks;
  hooks.put = [this](ByteView bytes) { return documents_.put(bytes); };
  hooks.get = [this](const Digest& digest) -> Result<Bytes> {
    if (!documents_.has(digest))
      return fail(Code::kCorrupt, fmt::format("{}: document {} of a masked round is missing",
                                              folder_.string(), short_hex(digest)));
    TRY_ASSIGN(const std::uint64_t size, documents_.size_of(digest));
    return documents_.read(digest, 0, size);
  };
  hooks.trust = [this] { return shared_.member->trust().trust(); };
  hooks.wall_s = [] { return wall_clock_s(); };
  return hooks;
}

// ---- before a round opens

Result<double> CampaignRun::clip_of(VersionId version) const {
  std::error_code error;
  const Path file = clip_file(folder_, version);
  if (!plan_.privacy.adaptive_clip || !std::filesystem::exists(file, error)) return plan_.clip;
  TRY_ASSIGN(const std::string text, read_file(file, limits::kTextBytesMax));
  TRY_ASSIGN(const Json json, parse_json(text, file.string()));
  return json_get<double>(json, "clip", file.string());
}

std::optional<double> CampaignRun::next_clip_of(const MaskedMean& mean) const {
  if (!plan_.privacy.adaptive_clip) return std::nullopt;
  const std::size_t entries = mean.mean.values.size();
  return clip_after(book_->descriptor(), mean.share_within,
                    {plan_.privacy.clip_quantile, plan_.privacy.clip_rate}, entries);
}

Result<void> CampaignRun::keep_clip(std::optional<double> next) {
  if (!next) return {};
  return write_file_durably(clip_file(folder_, {state_.version.value + 1}),
                            as_bytes(to_text(Json{{"clip", *next}})), 0600);
}

Result<Charge> CampaignRun::charge_for(const Descriptor& descriptor, std::size_t entries) const {
  TRY_ASSIGN(const Noise noise,
             noise_of(descriptor.noise, descriptor.clip, descriptor.grid, entries));
  Charge charge = charge_of(descriptor.noise, noise, entries);
  charge.sid = sid_of(descriptor);
  charge.campaign = descriptor.campaign;
  charge.round = descriptor.round;
  return charge;
}

// False: none can be opened now, and it was said why.
Result<bool> CampaignRun::describe(campaign::RoundOpened& event) {
  const auto refused = [this](const std::string& why) {
    if (why != trouble_) log::error("no masked round can be opened: {}", why);
    trouble_ = why;
    return false;
  };
  if (shared_.member == nullptr) return refused("this coordinator has not joined a fleet");
  if (auto standing = shared_.member->standing(wall_clock_s()); !standing)
    return refused(standing.error().what);
  const RoundShape shape = round_shape(plan_, layout_, state_.version);
  TRY_ASSIGN(const double clip, clip_of(state_.version));
  const RoundFacts facts{.campaign = state_.id,
                         .round = {state_.last_round.value + 1},
                         .base = state_.version,
                         .adapter = state_.adapter,
                         .layout = shape.digest,
                         .entries = shape.phase.size,
                         .clip = clip,
                         .trust = shared_.member->trust().trust()->serial()};
  auto document = describe_round(plan_, facts);
  if (!document) return refused(document.error().what);
  if (ledger_ && state_.groups.empty()) {
    TRY_ASSIGN(const Charge charge, charge_for(document->descriptor, shape.phase.size));
    if (auto admitted = ledger_->ledger().admit(charge); !admitted) {
      pending_.push_back(campaign::GaveUp{event.now, admitted.error().what});
      return refused(admitted.error().what);
    }
  }
  trouble_.clear();
  event.sid = sid_of(document->descriptor);
  TRY_ASSIGN(event.document, documents_.put(to_bytes(*document)));
  return true;
}

// ---- while it is open

// The sum may be opened once enough of its members have revealed: the budget is charged before they
// are asked to. A node is in one group of a version alone, so the first of them pays for all.
Result<void> CampaignRun::charge(const round::Round& round) {
  if (!ledger_ || in<round::Finished>(round) || !state_.groups.empty()) return {};
  const RoundShape shape = round_shape(plan_, layout_, state_.version);
  TRY_ASSIGN(Charge charge, charge_for(book_->descriptor(), shape.phase.size));
  charge.survivors = static_cast<std::uint32_t>(round::survivors(round).size());
  TRY_ASSIGN(const Spent spent, ledger_->charge(charge));
  log::info("round {}: {} survivors, epsilon {:.3f} spent", round.plan.id.value, charge.survivors,
            spent.epsilon);
  return {};
}

Result<void> CampaignRun::follow_round(Instant now) {
  const round::Round* open = campaign::open_round(state_);
  if (open == nullptr || !open->plan.masked) {
    if (!book_) return {};
    book_.reset();
    return sweep_documents();
  }
  if (!book_ || book_->sid() != open->plan.masked->sid) {
    book_.reset();
    TRY_ASSIGN(RoundBook book, RoundBook::open(*open, book_hooks()));
    book_.emplace(std::move(book));
  }
  auto settled = book_->settle(*open);
  if (settled && in<round::Unmasking>(*open)) settled = charge(*open);
  if (settled) return {};
  if (settled.error().code == Code::kCorrupt) return settled;
  pending_.push_front(campaign::Ruined{
      open->plan.id, fmt::format("round {}: {}", open->plan.id.value, settled.error().what),
      book_->liars(), now});
  return {};
}

// A roster is checked with the newest list of revocations, or not at all.
void CampaignRun::look_at_trust(Instant now) {
  const round::Round* open = campaign::open_round(state_);
  if (!book_ || open == nullptr) return;
  if (!in<round::Advertising>(*open) && !in<round::Sharing>(*open)) return;
  if (book_->descriptor().trust == shared_.member->trust().trust()->serial()) return;
  pending_.push_back(campaign::Ruined{
      open->plan.id,
      fmt::format("round {}: the list of revocations changed meanwhile", open->plan.id.value),
      {},
      now});
}

Result<void> CampaignRun::take_masked(NodeId node, const NodeMessage& message, Instant now) {
  return std::visit(
      [&](const auto& each) -> Result<void> {
        if constexpr (requires { each.sid; }) return take_one_masked(node, each, now);
        return {};
      },
      message);
}

template <class Message>
Result<void> CampaignRun::take_one_masked(NodeId node, const Message& message, Instant now) {
  const round::Round* open = campaign::open_round(state_);
  if (!book_ || open == nullptr || message.sid != book_->sid())
    return feed(campaign::Hello{node, now}, now);
  if constexpr (std::is_same_v<Message, Decline>)
    log::info("node {:016x} takes no part in round {}: {}", node.value, open->plan.id.value,
              name_of(message.why));
  auto heard = book_->take(*open, node, message, now);
  if (!heard) {
    const Error& error = heard.error();
    if (error.code == Code::kCorrupt) return tl::unexpected(error);
    log::warning("from node {:016x} in round {}: {}", node.value, open->plan.id.value, error.what);
    shared_.peers.refuse(node, error.code == Code::kNoSpace ? Code::kUnavailable : error.code,
                         error.what, now);
    return {};
  }
  const RoundId round = open->plan.id;
  TRY(feed(std::move(*heard), now));
  if constexpr (std::is_same_v<Message, Reveal>) {
    const std::vector<NodeId> liars = book_ ? book_->liars() : std::vector<NodeId>();
    for (const NodeId liar : liars) TRY(feed(campaign::Complained{liar, liar, round, now}, now));
  }
  return {};
}

Result<void> CampaignRun::invite(NodeId node, const round::Round& round, Instant now) {
  const round::Member* member = round::find(round, node);
  if (member == nullptr || member->document(round::Document::kAdvert)) return {};
  MaskedInvite invite;
  invite.campaign = state_.id;
  invite.descriptor = canonical_bytes(book_->descriptor());
  invite.signature = sign(shared_.identity, kDescriptorDomain, invite.descriptor);
  invite.remaining_ms = std::max<std::int64_t>(round.deadline - now, 0);
  for (const round::Round& given_up : state_.given_up) {
    if (!round::place_of(given_up, node)) continue;
    TRY_ASSIGN(AbortCertificate certificate, abort_certificate(given_up, book_hooks().get));
    invite.aborted.push_back(std::move(certificate));
  }
  shared_.peers.send(node, invite, now);
  return {};
}

Result<void> CampaignRun::on(const campaign::SendPhase& effect, Instant now) {
  const round::Round* open = campaign::open_round(state_);
  if (!book_ || open == nullptr || open->plan.id != effect.round) return {};
  if (in<round::Advertising>(*open)) return invite(effect.node, *open, now);
  TRY_ASSIGN(const RoundBook::Owed messages,
             book_->owed(*open, effect.node, shared_.member->trust().bundle()));
  for (const auto& message : messages) shared_.peers.send(effect.node, *message, now);
  return {};
}

// ---- its end

Result<void> CampaignRun::sum_masked(Instant now) {
  const RoundShape shape = round_shape(plan_, layout_, owed_->base);
  if (!book_ || book_->recovery() == nullptr) {  // follow_round() has said why
    owed_.reset();
    return {};
  }
  auto mean = masked_mean(uploads_, *book_, owed_->survivors, shape.phase.size);
  if (!mean && mean.error().code == Code::kBadInput) {
    log::error("round {} is void: {}", owed_->round.value, mean.error().what);
    pending_.push_back(campaign::Ruined{
        owed_->round, fmt::format("round {}: {}", owed_->round.value, mean.error().what), {}, now});
    owed_.reset();
    return {};
  }
  if (!mean) return tl::unexpected(mean.error());
  if (state_.rules.groups > 1) return keep_group(*mean, now);
  TRY_ASSIGN(const Digest adapter,
             plan_.logits.on
                 ? store_floats(adapters_, mean->mean.values)
                 : step_with({adapters_, uploads_}, shape,
                             sum_plan(owed_->round, owed_->base, owed_->survivors), mean->mean));
  return promote({.round = owed_->round,
                  .adapter = adapter,
                  .sum = mean->sum,
                  .totals = mean->totals,
                  .clip = next_clip_of(*mean)},
                 now);
}

// What anybody may hold a published version against: DIR/campaigns/<id>/receipts.jsonl.
void CampaignRun::publish_receipt(const Receipt& receipt) {
  const MaskedReceipt& masked = *receipt.masked;
  const Json json = {{"round", receipt.round.value}, {"version", receipt.version.value},
                     {"sid", to_hex(masked.sid)},    {"survivors", to_hex(masked.survivors)},
                     {"count", masked.count},        {"sum", to_hex(masked.sum)},
                     {"epsilon", masked.epsilon},    {"signature", to_hex(masked.signature)}};
  std::ofstream file(folder_ / "receipts.jsonl", std::ios::app);
  file << to_text(json) << '\n';
  if (!file.flush())
    log::warning("the receipt of round {} is not kept in {}", receipt.round.value,
                 folder_.string());
}

std::optional<MaskedReceipt> CampaignRun::masked_receipt(const campaign::SendReceipt& effect,
                                                         Receipt receipt) const {
  if (!effect.masked) return std::nullopt;
  MaskedReceipt masked;
  masked.sid = effect.masked->sid;
  masked.survivors = index_list_digest(effect.masked->survivors);
  masked.count = static_cast<std::uint32_t>(effect.masked->survivors.size());
  masked.sum = effect.masked->sum;
  masked.epsilon = ledger_ ? ledger_->ledger().spent().epsilon : 0;
  receipt.masked = masked;
  masked.signature = sign(shared_.identity, kReceiptDomain, signed_receipt(receipt));
  return masked;
}

Result<void> CampaignRun::sweep_documents() {
  const std::vector<Digest> list = campaign::wanted_documents(state_);
  return sweep_folder("documents", {list.begin(), list.end()});
}

}  // namespace freshet
