// Any bytes are a certificate, a revocation list, a bundle, or an error; and one changed byte of a
// good one is always an error.

#include "base/check.h"
#include "crypto/certificates/trust.h"

namespace {

using namespace freshet;

struct Good {
  Identity root = Identity::generate(), issuer = Identity::generate();
  Bytes certificate, bundle;
  Good() {
    Certificate of_issuer{.role = Role::kIssuer,
                          .serial = 1,
                          .device = issuer.open.id(),
                          .keys = issuer.open,
                          .not_before_s = 0,
                          .not_after_s = 1'000'000,
                          .enrolled_s = 0,
                          .epoch = 1,
                          .capabilities = kMayIssue,
                          .issuer = root.open.signing};
    Certificate of_node = of_issuer;
    of_node.role = Role::kNode;
    of_node.issuer = issuer.open.signing;
    certificate = issue(of_node, issuer);
    const RevocationList list{1, 0, 1'000'000, issuer.open.signing, {{NodeId{5}, 2}}};
    bundle = make_bundle(root.open.signing, {issue(of_issuer, root)}, issue(list, issuer));
  }
};

// The input says where and how a good document is changed.
void change(Bytes& document, ByteView input) {
  for (std::size_t i = 0; i + 2 < input.size(); i += 3)
    document[(input[i] | input[i + 1] << 8) % document.size()] ^= input[i + 2];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Good good;
  const ByteView input(data, size);
  (void)read_certificate(input).has_value();
  (void)read_revocations(input).has_value();
  (void)open_trust(good.root.open.signing, input).has_value();
  (void)certificate_from_text(as_text(input)).has_value();

  Bytes certificate = good.certificate, bundle = good.bundle;
  change(certificate, input);
  change(bundle, input);
  CHECK(read_certificate(certificate).has_value() == (certificate == good.certificate));
  CHECK(open_trust(good.root.open.signing, bundle).has_value() == (bundle == good.bundle));
  return 0;
}
