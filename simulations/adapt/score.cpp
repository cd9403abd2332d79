#include "simulations/adapt/score.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/rng.h"

namespace freshet {
namespace {

constexpr int kDraws = 1000;

// The first windows of a text, and the bytes that stand for them.
Result<Measured> measure_some(LogitSource& source, const TokenStream& text, const ScorePlan& plan,
                              std::size_t windows_max) {
  std::span<const TokenId> ids(text.ids);
  std::uint64_t bytes = text.bytes;
  const std::size_t most = windows_max * static_cast<std::size_t>(plan.window) + 1;
  if (windows_max > 0 && ids.size() > most) {
    bytes = static_cast<std::uint64_t>(static_cast<double>(bytes) * static_cast<double>(most) /
                                       static_cast<double>(ids.size()));
    ids = ids.first(most);
  }
  return measure(source, ids, bytes, plan.window);
}

double mean(const std::vector<double>& values, const std::vector<std::size_t>& at) {
  double sum = 0;
  for (const std::size_t i : at) sum += values[i];
  return sum / static_cast<double>(at.size());
}

// Of the loss, by which the adapted model is better than its base, by window.
Result<std::vector<double>> gains(LogitSource& base, LogitSource& adapted, const TokenStream& text,
                                  const ScorePlan& plan) {
  TRY_ASSIGN(const Measured before, measure_some(base, text, plan, plan.windows_max));
  TRY_ASSIGN(const Measured after, measure_some(adapted, text, plan, plan.windows_max));
  std::vector<double> found(before.window_nll.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    found[i] = before.window_nll[i] - after.window_nll[i];
  return found;
}

}  // namespace

Result<Score> score(LogitSource& source, const AdaptPair& pair, const ScorePlan& plan) {
  Score result;
  Calibration calibration;
  for (const FleetNode& node : pair.nodes) {
    TRY_ASSIGN(const Measured measured,
               measure_some(source, node.corpus.heldout, plan, plan.windows_max));
    DomainScore domain{node.name, measured.evaluation.bits_per_byte(), {}};
    const double bytes = static_cast<double>(measured.evaluation.bytes) /
                         static_cast<double>(measured.window_nll.size());
    for (const double nll : measured.window_nll)
      domain.window_bits.push_back(nll / std::numbers::ln2 / bytes);
    result.bits_per_byte += domain.bits_per_byte / static_cast<double>(pair.nodes.size());
    calibration.add(measured.calibration);
    result.domains.push_back(std::move(domain));
  }
  TRY_ASSIGN(const Measured general,
             measure_some(source, pair.general, plan, plan.windows_max * 8));
  result.general_bits_per_byte = general.evaluation.bits_per_byte();
  result.calibration_error = calibration.error();
  return result;
}

double gap_recovered(const Score& base, const Score& adapted, const Score& direct) {
  return (base.bits_per_byte - adapted.bits_per_byte) / (base.bits_per_byte - direct.bits_per_byte);
}

Interval gap_interval(const Score& base, const Score& adapted, const Score& direct,
                      std::uint64_t seed) {
  Rng rng(seed);
  std::vector<double> drawn;
  for (int draw = 0; draw < kDraws; ++draw) {
    double of_base = 0, of_adapted = 0, of_direct = 0;
    for (std::size_t d = 0; d < base.domains.size(); ++d) {
      const std::size_t windows = base.domains[d].window_bits.size();
      std::vector<std::size_t> at(windows);
      for (std::size_t& i : at) i = static_cast<std::size_t>(rng.below(windows));
      of_base += mean(base.domains[d].window_bits, at);
      of_adapted += mean(adapted.domains[d].window_bits, at);
      of_direct += mean(direct.domains[d].window_bits, at);
    }
    drawn.push_back((of_base - of_adapted) / (of_base - of_direct));
  }
  std::sort(drawn.begin(), drawn.end());
  return {gap_recovered(base, adapted, direct), drawn[kDraws / 40],
          drawn[kDraws - 1 - kDraws / 40]};
}

Interval over_seeds(const std::vector<double>& values) {
  // Student's t at 97.5 %, by degrees of freedom from 1.
  constexpr double kStudent[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262};
  const auto count = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  const double middle = sum / count;
  if (values.size() < 2) return {middle, middle, middle};
  for (const double value : values) squares += (value - middle) * (value - middle);
  const double error = std::sqrt(squares / (count - 1) / count);
  const double t = kStudent[std::min(values.size() - 2, std::size(kStudent) - 1)];
  return {middle, middle - t * error, middle + t * error};
}

Result<MembershipAttack> attack_membership(LogitSource& base, LogitSource& adapted,
                                           const AdaptPair& pair, const ScorePlan& plan) {
  MembershipAttack attack;
  double area = 0, found = 0;
  for (const FleetNode& node :
       pair.nodes) {  // within a domain, so that no domain gives itself away
    TRY_ASSIGN(const std::vector<double> members, gains(base, adapted, node.corpus.train, plan));
    TRY_ASSIGN(std::vector<double> strangers, gains(base, adapted, node.corpus.heldout, plan));
    std::sort(strangers.begin(), strangers.end());
    const auto of = static_cast<double>(strangers.size());
    const double bar = strangers[static_cast<std::size_t>(std::ceil(of * 0.99)) - 1];
    double below = 0, over = 0;
    for (const double member : members) {
      below += static_cast<double>(std::lower_bound(strangers.begin(), strangers.end(), member) -
                                   strangers.begin());
      over += member > bar ? 1 : 0;
    }
    area += below / of / static_cast<double>(members.size());
    found += over / static_cast<double>(members.size());
  }
  attack.area = area / static_cast<double>(pair.nodes.size());
  attack.found_at_one_percent = found / static_cast<double>(pair.nodes.size());
  return attack;
}

}  // namespace freshet
