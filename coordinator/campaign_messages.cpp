#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"
#include "coordinator/campaign_run.h"
#include "crypto/digest.h"

namespace freshet {
namespace {

constexpr std::uint32_t kProtocol = 1;

}  // namespace

Result<void> CampaignRun::receive(NodeId node, const NodeMessage& message, Instant now) {
  if (full_until_) return {};  // it says it again
  if (strangers_.contains(node) && !std::holds_alternative<Hello>(message)) return {};
  return std::visit(
      [&](const auto& each) -> Result<void> {
        if constexpr (requires { each.sid; }) {
          return take_masked(node, message, now);
        } else {
          return on_message(node, each, now);
        }
      },
      message);
}

Result<void> CampaignRun::on_message(NodeId node, const Hello& hello, Instant now) {
  // In a campaign of logits a node's model is its own business; it checks the tokenizer itself.
  const bool same_model = plan_.logits.on || hello.model == plan_.model;
  if (hello.protocol == kProtocol && same_model) {
    strangers_.erase(node);
    return feed(campaign::Hello{node, now}, now);
  }
  strangers_.insert(node);
  const std::string why = same_model
                              ? fmt::format(
                                    "this coordinator speaks protocol {}, the node {}: install the "
                                    "same version of Freshet",
                                    kProtocol, hello.protocol)
                              : fmt::format(
                                    "campaign \"{}\" trains model {}, the node holds {}: start it "
                                    "with --model of the same model",
                                    plan_.name, short_hex(plan_.model), short_hex(hello.model));
  shared_.peers.refuse(node, Code::kBadInput, why, now);
  return {};
}

Result<void> CampaignRun::on_message(NodeId node, const Heartbeat& heartbeat, Instant now) {
  if (heartbeat.campaign != state_.id) return feed(campaign::Hello{node, now}, now);
  return feed(campaign::Heartbeat{node, heartbeat.base, heartbeat.activity, now}, now);
}

Result<void> CampaignRun::on_message(NodeId node, const Ready& ready, Instant now) {
  if (ready.campaign != state_.id) return feed(campaign::Hello{node, now}, now);
  return feed(campaign::Ready{node, ready.base, now}, now);
}

Result<void> CampaignRun::on_message(NodeId node, const Fetch& fetch, Instant now) {
  auto size = adapters_.size_of(fetch.blob);
  if (!size && shared_.member != nullptr && state_.rules.masked) {
    const Bytes bundle = shared_.member->trust().bundle();
    if (digest_of(bundle) == fetch.blob && fetch.offset < bundle.size()) {
      const ByteView rest = ByteView(bundle).subspan(fetch.offset);
      Bytes data = to_bytes(rest.first(std::min(rest.size(), limits::kChunkBytes)));
      shared_.peers.send(node, Chunk{fetch.blob, bundle.size(), fetch.offset, std::move(data)},
                         now);
      return {};
    }
  }
  if (!size) {  // replaced by a newer version
    announce_to(node, now);
    return {};
  }
  if (fetch.offset >= *size) {
    shared_.peers.refuse(node, Code::kBadInput, "asked for bytes behind the end of an adapter",
                         now);
    return {};
  }
  TRY_ASSIGN(Bytes data, adapters_.read(fetch.blob, fetch.offset, limits::kChunkBytes));
  const Digest digest = fetched_.of(fetch.blob, fetch.offset, data);
  shared_.peers.send_at_once(node, Chunk{fetch.blob, *size, fetch.offset, std::move(data)}, now,
                             &digest);
  return {};
}

Result<void> CampaignRun::on_message(NodeId node, const UploadChunk& chunk, Instant now) {
  TRY_ASSIGN(bool staged_here, may_stage(node, chunk, now));
  if (!staged_here) return {};
  auto before = uploads_.staged_bytes(chunk.blob, chunk.size);
  if (!before) {
    shared_.peers.refuse(node, before.error().code, before.error().what, now);
    return {};
  }
  std::uint64_t staged = *before;
  if (chunk.offset == staged && staged < chunk.size) {
    auto next = uploads_.stage(chunk.blob, chunk.size, chunk.offset, chunk.data);
    if (!next && next.error().code == Code::kCorrupt) return tl::unexpected(next.error());
    if (!next) {
      const bool full = next.error().code == Code::kNoSpace;
      if (full) log::error("an upload was not taken: {}", next.error().what);
      shared_.peers.refuse(node, full ? Code::kUnavailable : next.error().code, next.error().what,
                           now);
      return {};
    }
    staged = *next;
    TRY(feed(campaign::Staged{node, chunk.round, now}, now));
  }
  if (staged == chunk.size) return take_whole(node, chunk, now);
  shared_.peers.send_at_once(node, ChunkAck{chunk.round, chunk.blob, staged, upload_credit()}, now);
  return {};
}

// What all uploads of a round may have under way is bounded, whatever their number.
std::uint32_t CampaignRun::upload_credit() const {
  const auto uploads = static_cast<std::uint32_t>(std::max<std::size_t>(tries_.size(), 1));
  return std::clamp<std::uint32_t>(limits::kUploadsCredit / uploads, 1, limits::kChunkCreditMax);
}

// False: it was answered; no bytes of it are wanted.
Result<bool> CampaignRun::may_stage(NodeId node, const UploadChunk& chunk, Instant now) {
  const round::Round* open = campaign::open_round(state_);
  const bool this_round =
      chunk.campaign == state_.id && open != nullptr && open->plan.id == chunk.round;
  const round::Member* member = this_round ? round::find(*open, node) : nullptr;
  if (chunk.campaign != state_.id) {
    TRY(feed(campaign::Hello{node, now}, now));
    return false;
  }
  const bool collects =
      this_round && std::holds_alternative<round::Collecting>(open->phase) &&
      (!open->plan.masked || (member != nullptr && member->document(round::Document::kShares)));
  if (member == nullptr || member->upload || !collects) {
    TRY(feed(campaign::Uploaded{node, chunk.round, chunk.blob, now},
             now));  // refused, or accepted before
    return false;
  }
  const RoundShape shape = round_shape(plan_, layout_, state_.version);
  const std::size_t size = book_ ? masked_frame_bytes(book_->descriptor(), shape.phase.size)
                                 : sealed_update_bytes(plan_.grid, shape.phase.size);
  if (chunk.size != size) {
    shared_.peers.refuse(
        node, Code::kBadInput,
        fmt::format("an update of {} bytes, this round's have {}", chunk.size, size), now);
    return false;
  }
  return may_try(node, chunk, now);
}

// A node may seal anew after it lost what it sealed first, but not fill the disk.
Result<bool> CampaignRun::may_try(NodeId node, const UploadChunk& chunk, Instant now) {
  if (tries_round_ != chunk.round) TRY(forget_tries());
  tries_round_ = chunk.round;
  std::set<Digest>& tries = tries_[node];
  if (tries.contains(chunk.blob)) return true;
  if (tries.size() >= limits::kUploadTriesMax) {
    shared_.peers.refuse(node, Code::kRefused, "too many different uploads for one round", now);
    return false;
  }
  for (const Digest& before : tries) TRY(uploads_.drop_staged(before, chunk.size));
  tries.insert(chunk.blob);
  tries_size_ = chunk.size;
  return true;
}

Result<void> CampaignRun::forget_tries() {
  for (const auto& [node, tries] : tries_)
    for (const Digest& upload : tries) TRY(uploads_.drop_staged(upload, tries_size_));
  tries_.clear();
  return {};
}

// Opened here once, before it is accepted: what is no valid update never reaches a sum.
Result<void> CampaignRun::take_whole(NodeId node, const UploadChunk& chunk, Instant now) {
  const round::Round* open = campaign::open_round(state_);
  if (open == nullptr || open->plan.id != chunk.round) return {};
  const RoundShape shape = round_shape(plan_, layout_, state_.version);
  Result<void> checked;
  {
    TRY_ASSIGN(MappedFile file, uploads_.map(chunk.blob));
    checked = book_ ? book_->check_frame(*open, node, file.view(), shape.phase.size)
                    : check_update(file.view(), shape, shared_.identity,
                                   {state_.id, chunk.round, node, shape.digest});
  }
  if (checked) return feed(campaign::Uploaded{node, chunk.round, chunk.blob, now}, now);
  log::warning("refused an update for round {}: {}", chunk.round.value, checked.error().what);
  const auto accepted = round::survivors(*open);
  const bool of_another = std::any_of(accepted.begin(), accepted.end(),
                                      [&](const auto& s) { return s.upload == chunk.blob; });
  if (!of_another) TRY(uploads_.remove(chunk.blob));
  shared_.peers.refuse(node, Code::kBadInput, checked.error().what, now);
  // The round does not wait for it.
  if (book_) return feed(campaign::Left{node, chunk.round, now}, now);
  return feed(campaign::Vanished{node, now}, now);
}

}  // namespace freshet
