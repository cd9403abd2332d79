#include "membership/member.h"

#include <fmt/format.h>

#include "base/limits.h"
#include "base/log.h"

namespace freshet::membership {
namespace {

constexpr std::int64_t kAnswerMs = 30'000;  // without one: it is said once

}  // namespace

Member::Member(Path folder, Membership membership, Certificate certificate, AuthorityLink link)
    : folder_(std::move(folder)),
      membership_(std::move(membership)),
      certificate_(certificate),
      link_(std::move(link)) {}

Result<std::unique_ptr<Member>> Member::open(const Path& folder, const Identity& identity,
                                             std::int64_t every_ms) {
  TRY_ASSIGN(std::optional<Membership> membership, load_membership(folder));
  if (!membership) return std::unique_ptr<Member>();
  TRY_ASSIGN(const Certificate own, read_certificate(membership->certificate));
  if (own.keys != identity.open)
    return fail(Code::kRefused, folder.string() +
                                    ": its certificate is of other keys than identity.key; join "
                                    "again from a fresh --dir");
  TRY_ASSIGN(AuthorityLink link,
             AuthorityLink::connect(membership->authority_at, identity, membership->authority));
  const SigningPublic root = membership->root;
  std::unique_ptr<Member> member(new Member(folder, std::move(*membership), own, std::move(link)));
  member->every_ms_ = every_ms;
  if (!member->membership_.coordinator.empty()) {
    TRY_ASSIGN(member->coordinator_, read_certificate(member->membership_.coordinator));
  }
  TRY_ASSIGN(member->trust_, TrustStore::open(folder, root));
  if (own.role == Role::kCoordinator) {
    TRY_ASSIGN(member->directory_, Directory::open(folder, member->trust_));
  }
  return member;
}

void Member::tick(Instant now) {
  auto answer = link_.poll(now);
  if (!answer) {
    complain(answer.error().what);
  } else if (*answer) {
    take(**answer, now);
  }
  if (link_.asks()) {
    if (now - *asked_at_ >= kAnswerMs)
      complain(fmt::format("the authority at {} does not answer; going on with revocation list {}",
                           membership_.authority_at, trust_->revocations()));
    return;
  }
  if (directory_ && more_) {
    more_ = false;
    link_.begin(authority::AskDirectory{directory_->newest()});
  } else if (!asked_at_ || now - *asked_at_ >= every_ms_) {
    asked_at_ = now;
    link_.begin(authority::AskTrust{trust_->trust()->serial()});
  }
}

Result<void> Member::refresh(int patience_ms, int stop) {
  auto answer = link_.ask(authority::AskTrust{trust_->trust()->serial()}, patience_ms, stop);
  if (answer) {
    take(*answer, SystemClock().now());
  } else {
    TRY(link_.pause(0, stop));
    complain(answer.error().what);
  }
  return {};
}

void Member::take(const authority::Answer& answer, Instant now) {
  if (const auto* news = std::get_if<authority::TrustIs>(&answer)) {
    take_trust(*news);
    more_ = directory_ != nullptr;
  } else if (const auto* page = std::get_if<authority::DirectoryPage>(&answer)) {
    take_page(*page);
  } else if (const auto* denied = std::get_if<authority::Denied>(&answer)) {
    complain("the authority says: " + denied->why);
  }
  asked_at_ = now;
}

void Member::take_trust(const authority::TrustIs& news) {
  if (!news.bundle.empty()) {
    auto taken = trust_->take(news.bundle);
    if (!taken) return complain(taken.error().what);
    if (*taken) log::info("revocation list {} is in use", trust_->revocations());
    changes_ += *taken ? 1 : 0;
  }
  if (!news.coordinator.empty() && certificate_.role != Role::kCoordinator &&
      news.coordinator != membership_.coordinator) {
    auto checked =
        check_certificate(*trust_->trust(), news.coordinator, Role::kCoordinator, wall_clock_s());
    if (!checked) return complain(checked.error().what);
    auto saved = save_coordinator(folder_, news.coordinator);
    if (!saved) return complain(saved.error().what);
    membership_.coordinator = news.coordinator;
    ++changes_;
  }
  trouble_.clear();
  look_at_own(wall_clock_s());
}

// Said once, and early enough for somebody to do something about it.
void Member::look_at_own(std::int64_t now_s) {
  const std::int64_t left_s = certificate_.not_after_s - now_s;
  const auto stands = standing(now_s);
  std::string kind = stands ? "" : std::string(name_of(stands.error().code));
  if (stands && left_s < (certificate_.not_after_s - certificate_.not_before_s) / 10) kind = "soon";
  if (!kind.empty() && kind != own_trouble_)
    log::warning("{}", stands ? fmt::format("the certificate ends in {1} days: stop this {0}, run "
                                            "`freshet {0} rotate`, and start it again",
                                            name_of(certificate_.role), left_s / 86'400)
                              : stands.error().what);
  own_trouble_ = kind;
}

void Member::take_page(const authority::DirectoryPage& page) {
  if (page.certificates.empty()) return;
  auto taken = directory_->take(page.certificates);
  if (!taken) return complain(taken.error().what);
  more_ = page.more;
  ++changes_;
}

void Member::complain(const std::string& what) {
  if (trouble_ != what) log::warning("{}", what);
  trouble_ = what;
}

Result<void> Member::standing(std::int64_t now_s) const {
  return check_standing(*trust_->trust(), certificate_, certificate_.role, now_s);
}

Result<PublicIdentity> Member::follow_coordinator(const PublicIdentity& keys, std::int64_t now_s) {
  if (!coordinator_ || coordinator_->keys != keys) return keys;
  if (membership_.coordinator.empty()) return keys;
  const auto certified =
      check_certificate(*trust_->trust(), membership_.coordinator, Role::kCoordinator, now_s);
  if (certified && certified->device == coordinator_->device &&
      certified->epoch > coordinator_->epoch) {
    coordinator_ = *certified;
    return coordinator_->keys;
  }
  const std::uint32_t least = trust_->trust()->revocations.least_epoch(coordinator_->device);
  if (coordinator_->epoch >= least) return keys;
  return fail(Code::kRefused,
              least == Revocation::kRevoked
                  ? "the coordinator was revoked; start again when another one has "
                    "joined the fleet"
                  : "the coordinator's keys were replaced, and its new ones are not "
                    "certified here yet; start again when the authority answers");
}

Result<PublicIdentity> Member::coordinator(std::int64_t now_s) const {
  if (membership_.coordinator.empty())
    return fail(Code::kUnavailable,
                "no coordinator has joined this fleet yet: `freshet coordinator join TOKEN` there");
  TRY_ASSIGN(
      const Certificate certificate,
      check_certificate(*trust_->trust(), membership_.coordinator, Role::kCoordinator, now_s));
  return certificate.keys;
}

}  // namespace freshet::membership
