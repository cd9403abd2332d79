#pragma once
// A root, its issuer and what they sign, for tests. Times are seconds that stand still.

#include <gtest/gtest.h>

#include "base/limits.h"
#include "crypto/certificates/trust.h"

namespace freshet {

inline constexpr std::int64_t kDay = 86'400;
inline constexpr std::int64_t kNow = 1'800'000'000;

struct AuthorityKeys {
  Identity root = Identity::generate();
  Identity issuer = Identity::generate();
  RevocationList list{1, kNow - kDay, kNow + kDay, issuer.open.signing, {}};

  Certificate issuer_certificate(const Identity& of, std::uint32_t epoch = 1) const {
    return {.role = Role::kIssuer,
            .serial = epoch,
            .device = of.open.id(),
            .keys = of.open,
            .not_before_s = kNow - 100 * kDay,
            .not_after_s = kNow + 100 * kDay,
            .enrolled_s = kNow - 100 * kDay,
            .epoch = epoch,
            .capabilities = kMayIssue,
            .issuer = root.open.signing};
  }
  Certificate certificate_of(const Identity& party, Role role = Role::kNode) const {
    return {.role = role,
            .serial = 7,
            .device = party.open.id(),
            .keys = party.open,
            .not_before_s = kNow - kDay,
            .not_after_s = kNow + kDay,
            .enrolled_s = kNow - kDay,
            .epoch = 1,
            .capabilities = capabilities_of(role),
            .issuer = issuer.open.signing};
  }
  Bytes bundle() const {
    return make_bundle(root.open.signing, {issue(issuer_certificate(issuer), root)},
                       issue(list, issuer));
  }
  Trust trust() const { return open_trust(root.open.signing, bundle()).value(); }
};

template <class T>
std::string what(const Result<T>& result) {
  return result ? "no error" : result.error().what;
}

template <class T>
void expect_error(const Result<T>& result, Code code, std::string_view says) {
  ASSERT_FALSE(result) << "wanted: " << says;
  EXPECT_EQ(result.error().code, code) << result.error().what;
  EXPECT_NE(result.error().what.find(says), std::string::npos) << result.error().what;
}

}  // namespace freshet
