#pragma once
// An authority over a journal in memory, which can crash and be opened again, and parties that ask
// it what a link would carry.

#include <gtest/gtest.h>

#include "authority/office.h"
#include "base/log.h"
#include "storage/memory_journal.h"

namespace freshet::authority {

inline constexpr std::int64_t kStart = 1'800'000'000, kHour = 3600, kDay = 24 * kHour;

inline Identity copy_of(const Identity& identity) {
  return {identity.open, identity.signing.clone(), identity.transport.clone(),
          identity.sealing.clone()};
}

class Fleet {
 public:
  // `founded`: with an issuer in office.
  explicit Fleet(bool founded = true) {
    log::set_level(log::Level::kError);  // hundreds of parties enrol
    open();
    if (!founded) return;
    EXPECT_TRUE(office_->found(root_.open.signing));
    EXPECT_TRUE(add_issuer(1));
  }

  void open() {
    office_.reset();
    journal_.crash();
    auto opened = Office::open(journal_, {copy_of(own_), storage_.clone()}, terms_);
    ASSERT_TRUE(opened) << opened.error().what;
    office_ = std::move(*opened);
    const auto& issuers = office_->registry().issuers();
    if (issuers.empty()) return;
    ASSERT_TRUE(office_->take_office(copy_of(issuer(issuers.back().certificate.epoch))));
  }

  const Identity& issuer(std::uint32_t epoch) {
    while (issuers_.size() < epoch) issuers_.push_back(Identity::generate());
    return issuers_[epoch - 1];
  }
  Result<void> add_issuer(std::uint32_t epoch, bool revokes_others = false) {
    const Identity& keys = issuer(epoch);
    Certificate certificate{.role = Role::kIssuer,
                            .serial = epoch,
                            .device = keys.open.id(),
                            .keys = keys.open,
                            .not_before_s = now_s,
                            .not_after_s = now_s + 700 * kDay,
                            .enrolled_s = now_s,
                            .epoch = epoch,
                            .capabilities = kMayIssue,
                            .issuer = root_.open.signing};
    return office_->add_issuer(issue(certificate, root_), copy_of(keys), revokes_others, now_s);
  }

  JoinToken invite(Role role = Role::kNode, bool approve_first = false) {
    auto token = office_->invite({.role = role,
                                  .label = "kitchen",
                                  .valid_s = kDay,
                                  .approve_first = approve_first,
                                  .authority_at = "tcp://a:1",
                                  .coordinator_at = "tcp://c:1"},
                                 now_s);
    EXPECT_TRUE(token) << token.error().what;
    return std::move(*token);
  }
  Result<Answer> ask(const Request& request, const Identity& from) {
    return office_->answer(request, from.open.transport, now_s);
  }
  Answer join(const JoinToken& token, const Identity& party) {
    auto answer = ask(make_join(token.secret, token.role, party), party);
    EXPECT_TRUE(answer) << answer.error().what;
    return std::move(*answer);
  }
  Answer rotate(const Identity& from, const Identity& to) {
    auto answer = ask(make_rotate(from, to), to);
    EXPECT_TRUE(answer) << answer.error().what;
    return std::move(*answer);
  }

  Result<Certificate> check(const Bytes& certificate, Role role = Role::kNode) {
    const auto trust = open_trust(root_.open.signing, office_->bundle());
    if (!trust) return tl::unexpected(trust.error());
    return check_certificate(*trust, certificate, role, now_s);
  }

  Office& office() { return *office_; }
  MemoryJournal& journal() { return journal_; }
  const Identity& root() const { return root_; }
  std::int64_t now_s = kStart;

 private:
  Identity root_ = Identity::generate(), own_ = Identity::generate();
  std::vector<Identity> issuers_;
  Secret storage_ = Secret::random(32);
  Terms terms_;
  MemoryJournal journal_;
  std::unique_ptr<Office> office_;
};

inline std::string why(const Answer& answer) {
  const auto* denied = std::get_if<Denied>(&answer);
  return denied == nullptr ? "not denied" : denied->why;
}
inline Bytes certificate_in(const Answer& answer) {
  const auto* joined = std::get_if<Joined>(&answer);
  EXPECT_NE(joined, nullptr) << why(answer);
  return joined == nullptr ? Bytes() : joined->certificate;
}
inline void expect_denied(const Answer& answer, Code code, std::string_view says) {
  const auto* denied = std::get_if<Denied>(&answer);
  ASSERT_NE(denied, nullptr) << "wanted: " << says;
  EXPECT_EQ(denied->code, code) << denied->why;
  EXPECT_NE(denied->why.find(says), std::string::npos) << denied->why;
}

}  // namespace freshet::authority
