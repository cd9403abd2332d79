// A node that takes part with random bytes in place of sealed updates.

#include <array>

#include "base/check.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "edge_node/driver.h"
#include "model/files/model_parts.h"
#include "protocol/sealed_update.h"
#include "tests/integration/fleet.h"

namespace freshet {
namespace {

template <class T>
T surely(Result<T> result) {
  CHECK(result.has_value(), "{}", result.error().what);
  return std::move(*result);
}
void surely(const Result<void>& result) { CHECK(result.has_value(), "{}", result.error().what); }

UploadChunk random_upload(const ModelConfig& config, const Announce& announce,
                          const Invite& invite) {
  const CampaignPlan& plan = announce.plan;
  const Layout whole = surely(adapter_layout(config, {plan.lora.rank, plan.lora.alpha, {}}));
  const Factors factors = factors_of(plan.method, invite.base.value);
  Bytes lie(sealed_update_bytes(plan.grid, phase_layout(whole, factors.a, factors.b).size));
  random_bytes(lie);
  return {invite.campaign, invite.round, digest_of(lie), lie.size(), 0, lie};
}

}  // namespace

Child World::start_liar(int number, const std::string& address) const {
  return Child::start([this, number, address](int stop, int) {
    log::set_level(log::Level::kWarning);
    const KeyRing keys = surely(load_or_make_keys(node(number)));
    const PublicIdentity to = surely(load_or_make_keys(coordinator())).identity.open;
    auto dealer = surely(ZeromqDealer::connect(address, keys.identity, to.transport));
    CoordinatorLink link(*dealer, keys.identity, {to, {}});
    const ModelConfig config = surely(read_config(surely(open_model_folder(model()))));
    const SystemClock clock;
    const Hello hello{1, "liar", surely(model_digest(surely(open_model_folder(model()))))};
    std::optional<Announce> announced;
    for (Instant hello_at = clock.now();;) {
      if (clock.now() >= hello_at) {  // like a node that is told nothing: who vanished comes again
        surely(link.send(hello, clock.now()));
        hello_at = clock.now() + 1000;
      }
      surely(dealer->wait(std::array<int, 1>{stop}, 100));
      link.flush(clock.now());
      while (auto message = surely(link.receive())) {
        if (std::holds_alternative<Finished>(*message)) return 0;
        if (const auto* announce = std::get_if<Announce>(&*message)) {
          announced = *announce;
          surely(link.send(Ready{announce->campaign, announce->version}, clock.now()));
        }
        const auto* invite = std::get_if<Invite>(&*message);
        if (invite == nullptr || !announced) continue;
        (void)dealer->send(to.transport, as_bytes("no frame at all"));
        surely(link.send(random_upload(config, *announced, *invite), clock.now()));
      }
    }
  });
}

}  // namespace freshet
