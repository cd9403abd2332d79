#pragma once
// A party of a fleet at run time: its own certificate, the trust it works with and, for a
// coordinator, the directory of nodes; kept fresh from the authority without ever waiting for it.
// While the authority is away it works with what it has, until the revocation list expires.
//
// For a driver: open() once, tick() in every turn. A node gives its certificate_bytes() and checks
// others with trust(); a coordinator forms its list of who may connect from directory() whenever
// changes() rises, and hands trust().bundle() on.

#include "base/clock.h"
#include "crypto/key_file.h"
#include "membership/authority_link.h"
#include "membership/directory.h"
#include "membership/files.h"

namespace freshet::membership {

class Member {
 public:
  // Nothing when the folder never joined. kRefused: the keys are not those of its certificate.
  // `every_ms`: how often the authority is asked.
  static Result<std::unique_ptr<Member>> open(const Path& folder, const Identity& identity,
                                              std::int64_t every_ms);

  // Asks for news once and waits for them; without an answer it says so and goes on. kUnavailable:
  // `stop` (-1: none) became readable.
  Result<void> refresh(int patience_ms, int stop);

  // Asks when it is time and takes what has come; says in the log what went wrong, and goes on.
  void tick(Instant now);
  void take(const authority::Answer& answer, Instant now);  // what has come
  bool asks() const { return link_.asks(); }  // and tick() may find the answer at any moment

  const Membership& membership() const { return membership_; }
  const Certificate& certificate() const { return certificate_; }
  ByteView certificate_bytes() const { return membership_.certificate; }
  TrustStore& trust() const { return *trust_; }
  const std::shared_ptr<TrustStore>& shared_trust() const { return trust_; }
  const std::shared_ptr<Directory>& directory() const { return directory_; }  // a coordinator's

  // Rises when trust, directory or coordinator changed.
  std::uint64_t changes() const { return changes_; }
  // Whether this party may still act: its own certificate stands.
  Result<void> standing(std::int64_t now_s) const;
  // The coordinator's keys, checked. kUnavailable: it has not joined yet, as far as is known here.
  Result<PublicIdentity> coordinator(std::int64_t now_s) const;
  // Whom to talk to, for a party that talks to `keys` as its coordinator: the same, or the keys
  // that the authority has certified for that very device since. kRefused: they were revoked or
  // replaced, and no others are certified.
  Result<PublicIdentity> follow_coordinator(const PublicIdentity& keys, std::int64_t now_s);

 private:
  Member(Path folder, Membership membership, Certificate certificate, AuthorityLink link);
  void take_trust(const authority::TrustIs& news);
  void take_page(const authority::DirectoryPage& page);
  void complain(const std::string& what);
  void look_at_own(std::int64_t now_s);

  const Path folder_;
  Membership membership_;
  const Certificate certificate_;
  std::optional<Certificate> coordinator_;  // whom this party talks to
  AuthorityLink link_;
  std::shared_ptr<TrustStore> trust_;
  std::shared_ptr<Directory> directory_;
  std::int64_t every_ms_ = 0;
  std::optional<Instant> asked_at_;
  bool more_ = false;  // of the directory
  std::uint64_t changes_ = 1;
  std::string trouble_, own_trouble_;  // told last
};

}  // namespace freshet::membership
