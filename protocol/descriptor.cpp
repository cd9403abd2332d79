#include "protocol/descriptor.h"

#include <fmt/core.h>

#include <bit>
#include <cmath>
#include <concepts>

#include "base/check.h"
#include "base/limits.h"
#include "crypto/digest.h"
#include "protocol/bounds.h"
#include "protocol/canonical.h"

namespace freshet {
namespace {

constexpr std::uint32_t kDescriptorVersion = Descriptor{}.version;
constexpr std::string_view kDescriptorMagic = "FRD1";

class Reader {
 public:
  explicit Reader(ByteView view) : rest_(view) {}

  template <std::unsigned_integral T>
  void take(T& value) {
    value = 0;
    if (!has(sizeof(T))) return;
    for (std::size_t i = 0; i < sizeof(T); ++i)
      value = static_cast<T>(value | (static_cast<T>(rest_[i]) << (8 * i)));
    rest_ = rest_.subspan(sizeof(T));
  }
  void take(std::span<std::uint8_t> out) {
    if (!has(out.size())) return;
    std::copy_n(rest_.begin(), out.size(), out.begin());
    rest_ = rest_.subspan(out.size());
  }
  bool done() const { return good_ && rest_.empty(); }

 private:
  bool has(std::size_t count) {
    good_ = good_ && rest_.size() >= count;
    return good_;
  }
  ByteView rest_;
  bool good_ = true;
};

void put(CanonicalBytes& to, std::unsigned_integral auto value) { to.number(value); }
void put(CanonicalBytes& to, std::int64_t value) { to.number(static_cast<std::uint64_t>(value)); }
void put(CanonicalBytes& to, int value) { to.number(static_cast<std::uint32_t>(value)); }
void put(CanonicalBytes& to, double value) { to.number(value); }
void put(CanonicalBytes& to, float value) { to.number(value); }
void put(CanonicalBytes& to, const Digest& value) { to.raw(value); }

void put(Reader& from, std::unsigned_integral auto& value) { from.take(value); }
void put(Reader& from, std::int64_t& value) {
  std::uint64_t bits = 0;
  from.take(bits);
  value = static_cast<std::int64_t>(bits);
}
void put(Reader& from, int& value) {
  std::uint32_t bits = 0;
  from.take(bits);
  value = static_cast<int>(bits);
}
void put(Reader& from, double& value) {
  std::uint64_t bits = 0;
  from.take(bits);
  value = std::bit_cast<double>(bits);
}
void put(Reader& from, float& value) {
  std::uint32_t bits = 0;
  from.take(bits);
  value = std::bit_cast<float>(bits);
}
void put(Reader& from, Digest& value) { from.take(std::span(value)); }

void fraction(auto& io, auto& f) { put(io, f.part), put(io, f.whole); }

// One description of the form, walked by either side.
void walk(auto& io, auto& d) {
  put(io, d.version), put(io, d.campaign.value), put(io, d.plan), put(io, d.round.value);
  put(io, d.base.value), put(io, d.supplied), put(io, d.layout), put(io, d.clip);
  put(io, d.grid.range), put(io, d.grid.bits), put(io, d.grid.weight_max), put(io, d.word_bits);
  put(io, d.cohort_max), put(io, d.survivors_min), put(io, d.honest_min);
  fraction(io, d.corrupt), fraction(io, d.dropped), fraction(io, d.newcomers);
  put(io, d.phase_ms), put(io, d.trust.issuer_epoch), put(io, d.trust.list), put(io, d.beacon);
  put(io, d.extras), put(io, d.noise.multiplier), put(io, d.noise.sampling_rate);
  put(io, d.noise.delta), put(io, d.noise.honest_min);
}

Result<void> check_share(std::string_view field, const Fraction& fraction) {
  if (fraction.whole >= 1 && fraction.part <= fraction.whole && fraction.whole <= 1'000'000)
    return {};
  return fail(Code::kBadInput, fmt::format("{} is {}/{}: it must be a part of a whole", field,
                                           fraction.part, fraction.whole));
}

Result<void> check(const NoisePlan& noise) {
  const bool numbers = std::isfinite(noise.multiplier) && noise.multiplier >= 0 &&
                       noise.sampling_rate > 0 && noise.sampling_rate <= 1 && noise.delta >= 0 &&
                       noise.delta < 1;
  if (numbers) return {};
  return fail(Code::kBadInput, "the descriptor's noise is out of bounds");
}

Result<void> check(const Descriptor& d) {
  if (d.version != kDescriptorVersion)
    return fail(Code::kRefused, fmt::format("a descriptor of version {}, this program speaks {}",
                                            d.version, kDescriptorVersion));
  const auto cohort_max = static_cast<std::uint32_t>(limits::kMaskedCohortMax);
  TRY(above_zero("clip", d.clip));
  TRY(sum_bits(d.grid, 1));
  TRY(within<std::uint32_t>("word_bits", d.word_bits, 2, 32));
  TRY(within<std::uint32_t>("cohort_max", d.cohort_max, 1, cohort_max));
  TRY(within<std::uint32_t>("survivors_min", d.survivors_min, 1, d.cohort_max));
  TRY(within<std::uint32_t>("honest_min", d.honest_min, 1, d.cohort_max));
  TRY(check_share("corrupt", d.corrupt));
  TRY(check_share("dropped", d.dropped));
  TRY(check_share("newcomers", d.newcomers));
  TRY(within<std::int64_t>("phase_ms", d.phase_ms, 1, limits::kRoundMsMax));
  TRY(within<std::uint32_t>("extras", d.extras, 0, limits::kExtraWordsMax));
  return check(d.noise);
}

}  // namespace

Bytes canonical_bytes(const Descriptor& descriptor) {
  CanonicalBytes bytes;
  bytes.raw(as_bytes(kDescriptorMagic));
  walk(bytes, descriptor);
  bytes.number(static_cast<std::uint8_t>(descriptor.noise.counts_clipped ? 1 : 0));
  return bytes.view();
}

Result<Descriptor> read_descriptor(ByteView bytes) {
  Descriptor d;
  std::array<std::uint8_t, kDescriptorMagic.size()> magic{};
  std::uint8_t counts_clipped = 2;
  Reader reader(bytes);
  reader.take(std::span(magic));
  walk(reader, d);
  reader.take(counts_clipped);
  if (!reader.done() || as_text(magic) != kDescriptorMagic || counts_clipped > 1)
    return fail(Code::kBadInput,
                fmt::format("{} bytes that are no descriptor of a round", bytes.size()));
  d.noise.counts_clipped = counts_clipped == 1;
  TRY(check(d));
  return d;
}

Digest sid_of(const Descriptor& descriptor) {
  return digest_of("freshet/descriptor/v1", canonical_bytes(descriptor));
}

Digest supplied_digest(const Digest& model, const Digest& adapter, VersionId version) {
  CanonicalBytes bytes;
  bytes.raw(model).raw(adapter).number(version.value);
  return digest_of("freshet/supplied/v1", bytes.view());
}

Digest beacon_commitment(const Digest& opening) { return digest_of("freshet/beacon/v1", opening); }

std::uint32_t survivors_needed(const Descriptor& d, std::uint32_t n) {
  return std::max({quorum_of(n, d.corrupt), d.survivors_min, d.honest_min + part_of(n, d.corrupt)});
}

Result<GraphPlan> graph_of(const Descriptor& d, std::uint32_t n) {
  const auto value = [](const Fraction& f) { return static_cast<double>(f.part) / f.whole; };
  return plan_round_graph(
      n, GraphTarget{
             .corrupt = value(d.corrupt), .dropped = value(d.dropped), .honest_min = d.honest_min});
}

}  // namespace freshet
