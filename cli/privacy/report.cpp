#include "cli/privacy/report.h"

#include <fmt/format.h>

#include <cmath>

#include "aggregation/privacy/pld.h"
#include "base/json.h"
#include "storage/record_file.h"

namespace freshet {
namespace {

constexpr std::pair<Ledger::Owner, std::string_view> kKinds[] = {
    {Ledger::Owner::kCampaign, kCampaignLedger},
    {Ledger::Owner::kNode, kLifetimeLedger},
    {Ledger::Owner::kExamples, kExampleLedger}};

std::string_view name_of(Ledger::Owner owner) {
  if (owner == Ledger::Owner::kExamples) return "examples";
  return owner == Ledger::Owner::kCampaign ? "campaign" : "node";
}

double node_sigma(const Charge& charge) {
  return std::sqrt(static_cast<double>(charge.variance_256) / 256);
}

Json training_json(const Charge& charge) {
  return Json{{"training", to_hex(charge.sid)},
              {"mechanism", "poisson sampled discrete gaussian"},
              {"noise_multiplier", charge.multiplier},
              {"sampling_rate", charge.sampling_rate},
              {"steps", charge.times},
              {"clip", charge.sensitivity},
              {"entries", charge.entries}};
}

Json to_json(const Charge& charge) {
  return Json{{"sid", to_hex(charge.sid)},
              {"campaign", fmt::format("{:016x}", charge.campaign.value)},
              {"round", charge.round.value},
              {"mechanism", "distributed discrete gaussian"},
              {"noise_multiplier", charge.multiplier},
              {"sampling_rate", charge.sampling_rate},
              {"slack", charge.slack},
              {"sensitivity", charge.sensitivity},
              {"node_sigma", node_sigma(charge)},
              {"honest_min", charge.honest_min},
              {"survivors", charge.survivors},
              {"entries", charge.entries}};
}

std::string trainings_text(const Ledger& ledger) {
  std::string text = fmt::format("\n{:<16}  {:>8}  {:>10}  {:>10}  {:>8}  {:>10}\n", "training",
                                 "steps", "multiplier", "rate", "clip", "entries");
  for (const Charge& charge : ledger.charges())
    text += fmt::format("{:<16}  {:>8}  {:>10.4g}  {:>10.4g}  {:>8.3g}  {:>10}\n",
                        to_hex(charge.sid).substr(0, 16), charge.times, charge.multiplier,
                        charge.sampling_rate, charge.sensitivity, charge.entries);
  return text;
}

struct Figures {
  double renyi = 0, tight = 0;
};
Figures figures_of(const Ledger& ledger, bool amplified) {
  if (ledger.charges().empty()) return {};
  const std::vector<Release> releases = ledger.releases(amplified);
  const double delta = ledger.budget().delta;
  return {renyi_epsilon(releases, delta), pld_epsilon(releases, delta)};
}

}  // namespace

Result<LedgerReport> read_ledger(const Path& file) {
  Result<void> last;
  for (const auto& [owner, kind] : kKinds) {
    LedgerReport report{owner, Ledger(owner)};
    last = read_records(file, kind, [&](ByteView record) { return report.ledger.take(record); });
    if (last && report.ledger.budget().epsilon > 0) return report;
    if (last) return fail(Code::kBadInput, file.string() + ": nothing in it yet");
    if (last.error().code != Code::kCorrupt) break;
  }
  return tl::unexpected(last.error());
}

Json to_json(const LedgerReport& report) {
  const Ledger& ledger = report.ledger;
  const Figures with = figures_of(ledger, true), without = figures_of(ledger, false);
  Json charges = Json::array();
  for (const Charge& charge : ledger.charges())
    charges.push_back(report.owner == Ledger::Owner::kExamples ? training_json(charge)
                                                               : to_json(charge));
  return Json{{"owner", name_of(report.owner)},
              {"budget", {{"epsilon", ledger.budget().epsilon}, {"delta", ledger.budget().delta}}},
              {"epsilon", with.renyi},
              {"epsilon_without_amplification", without.renyi},
              {"pld_epsilon", with.tight},
              {"pld_epsilon_without_amplification", without.tight},
              {"charges", std::move(charges)}};
}

std::string to_text(const LedgerReport& report) {
  const Ledger& ledger = report.ledger;
  const Figures with = figures_of(ledger, true), without = figures_of(ledger, false);
  const Budget& budget = ledger.budget();
  std::string text =
      fmt::format("{} ledger: {} charges, budget epsilon {:.4g} at delta {:.3g}\n",
                  name_of(report.owner), ledger.charges().size(), budget.epsilon, budget.delta);
  text += fmt::format(
      "spent, against who does not know who took part   {:.4g} (tight: {:.4g})\n"
      "spent, against who knows, as the coordinator     {:.4g} (tight: {:.4g})\n",
      with.renyi, with.tight, without.renyi, without.tight);
  if (ledger.charges().empty()) return text;
  if (report.owner == Ledger::Owner::kExamples) return text + trainings_text(ledger);
  text += fmt::format("\n{:<16}  {:>6}  {:>10}  {:>8}  {:>9}  {:>10}\n", "campaign", "round",
                      "multiplier", "rate", "survivors", "node sigma");
  for (const Charge& charge : ledger.charges())
    text += fmt::format(
        "{:016x}  {:>6}  {:>10.4g}  {:>8.3g}  {:>9}  {:>10.4g}\n", charge.campaign.value,
        charge.round.value, charge.multiplier, charge.sampling_rate,
        charge.survivors == 0 ? "-" : std::to_string(charge.survivors), node_sigma(charge));
  return text;
}

}  // namespace freshet
