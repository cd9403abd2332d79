// How a campaign's decisions become durable: many at once, before anything that rests on them is
// said; and what happens while the disk is full.

#include "base/crash_point.h"
#include "base/limits.h"
#include "base/log.h"
#include "coordinator/campaign_run.h"

namespace freshet {
namespace {

// How long a decision waits for others that become durable with it, where nobody waits for either.
constexpr std::int64_t kTogetherMs = 20;

}  // namespace

Result<void> CampaignRun::commit(Instant now) {
  if (full_until_ || unwritten_.empty()) return {};
  if (!shared_.peers.holds_urgent() && now - unwritten_since_ < kTogetherMs) return {};
  TRY(write_down({}, now));
  return {};
}

// First what the entries name, then the entries, then what rests on them. False: the disk is full,
// and all since the last time never happened.
Result<bool> CampaignRun::write_down(std::span<const campaign::Effect> effects, Instant now) {
  Result<void> written;
  for (const campaign::Effect& effect : effects)
    if (const auto* receipt = std::get_if<campaign::SendReceipt>(&effect); receipt && written)
      written = publish_receipt(*receipt);
  if (written) written = unsynced_.commit();
  if (written && !unwritten_.empty()) written = journal_->append_all(unwritten_);
  if (written) {
    next_entry_ += unwritten_.size();
    unwritten_.clear();
    crash_point("written down");
    shared_.peers.release(now);
    if (std::exchange(decided_, false)) TRY(audit());
    return true;
  }
  unwritten_.clear();
  decided_ = false;
  if (written.error().code != Code::kNoSpace) return tl::unexpected(written.error());
  log::error("{}; nothing is taken until there is room", written.error().what);
  TRY(forget_undurable(now));
  return false;
}

// Back to what is on the disk, until it has room.
Result<void> CampaignRun::forget_undurable(Instant now) {
  shared_.peers.forget_held();
  pending_.clear();
  const auto heard = std::move(state_.heard);
  TRY(reload());
  state_.heard = heard;
  book_.reset();
  owed_.reset();
  owed_groups_.reset();
  candidate_.reset();
  full_until_ = now + limits::kRetryMs;
  return {};
}

// A journal that failed takes nothing until it is opened again.
Result<void> CampaignRun::look_for_room(Instant now) {
  if (now < *full_until_) return {};
  full_until_ = now + limits::kRetryMs;
  journal_.reset();
  auto journal = shared_.open_journal(folder_ / "journal");
  if (!journal && journal.error().code == Code::kNoSpace) return {};
  if (!journal) return tl::unexpected(journal.error());
  journal_ = std::move(*journal);
  full_until_.reset();
  const auto heard = std::move(state_.heard);
  TRY(reload());
  state_.heard = heard;
  TRY(audit());
  TRY(sweep());
  TRY(follow_round(now));
  owe_again(now);
  return {};
}

}  // namespace freshet
