#include "aggregation/privacy/ledger.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"
#include "base/limits.h"

namespace freshet {
namespace {

// A record: one byte for its form, then its fields in their order, numbers little-endian in their
// full width, floats by their bits.
enum class Form : std::uint8_t { kBudget = 1, kCharge = 2, kTraining = 3 };

struct Writer {
  Bytes bytes;
  void field(std::uint64_t value, int width = 8) {
    for (int i = 0; i < width; ++i) bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  void field(double value) { field(std::bit_cast<std::uint64_t>(value)); }
  void field(std::uint32_t value) { field(value, 4); }
  void field(const Digest& value) { bytes.insert(bytes.end(), value.begin(), value.end()); }
};

// REQUIRES: enough bytes, which take() checks once by the form's size.
struct Reader {
  ByteView bytes;
  void field(std::uint64_t& value, int width = 8) {
    value = 0;
    for (int i = 0; i < width; ++i)
      value |= std::uint64_t{bytes[static_cast<std::size_t>(i)]} << (8 * i);
    bytes = bytes.subspan(static_cast<std::size_t>(width));
  }
  void field(double& value) {
    std::uint64_t bits = 0;
    field(bits);
    value = std::bit_cast<double>(bits);
  }
  void field(std::uint32_t& value) {
    std::uint64_t wide = 0;
    field(wide, 4);
    value = static_cast<std::uint32_t>(wide);
  }
  void field(Digest& value) {
    std::copy_n(bytes.begin(), value.size(), value.begin());
    bytes = bytes.subspan(value.size());
  }
};

template <class Fields>
void visit(Fields& fields, auto& charge) {
  fields.field(charge.sid);
  fields.field(charge.campaign.value);
  fields.field(charge.round.value);
  fields.field(charge.multiplier);
  fields.field(charge.sampling_rate);
  fields.field(charge.slack);
  fields.field(charge.sensitivity);
  fields.field(charge.variance_256);
  fields.field(charge.honest_min);
  fields.field(charge.survivors);
  fields.field(charge.entries);
}

// A training has one field more than a sum: how often.
Bytes bytes_of(const Charge& charge, Form form) {
  Writer writer;
  writer.field(static_cast<std::uint64_t>(form), 1);
  visit(writer, charge);
  if (form == Form::kTraining) writer.field(charge.times);
  return std::move(writer.bytes);
}

Form form_of(Ledger::Owner owner) {
  return owner == Ledger::Owner::kExamples ? Form::kTraining : Form::kCharge;
}

bool is_sound(const Charge& charge) {
  return charge.multiplier > 0 && std::isfinite(charge.multiplier) && charge.sampling_rate > 0 &&
         charge.sampling_rate <= 1 && charge.slack >= 0 && std::isfinite(charge.slack) &&
         charge.times > 0 && charge.times <= limits::kChargedStepsMax;
}

bool is_sound(const Budget& budget) {
  return budget.epsilon > 0 && std::isfinite(budget.epsilon) && budget.delta > 0 &&
         budget.delta < 1;
}

Release release_of(const Charge& charge, bool amplified) {
  return {charge.multiplier, amplified ? charge.sampling_rate : 1, charge.times, charge.slack};
}

void add(std::vector<Release>& releases, Release release) {
  for (Release& each : releases) {
    Release alike = each;
    alike.times = release.times;
    if (alike == release) {
      each.times += release.times;
      return;
    }
  }
  releases.push_back(release);
}

}  // namespace

Charge charge_of(const NoisePlan& plan, const Noise& noise, std::size_t entries) {
  Charge charge;
  charge.multiplier = plan.multiplier;
  charge.sampling_rate = plan.sampling_rate;
  charge.sensitivity = noise.sensitivity;
  charge.variance_256 = noise.variance_256;
  charge.honest_min = plan.honest_min;
  charge.entries = entries;
  // Of the noise of honest_min nodes; what more of them add is noise upon it.
  const double sigma = std::sqrt(static_cast<double>(noise.variance_256) / 256);
  charge.slack = sum_slack(sigma, plan.honest_min) * static_cast<double>(words_of(plan, entries));
  return charge;
}

Result<Bytes> Ledger::admit(const Charge& charge) const {
  CHECK(is_sound(charge), "multiplier {}, rate {}, slack {}", charge.multiplier,
        charge.sampling_rate, charge.slack);
  CHECK(is_sound(budget_), "a ledger without a budget");
  CHECK(charge.times == 1 || owner_ == Owner::kExamples, "{} sums at once", charge.times);
  const std::string what =
      owner_ == Owner::kExamples ? "this training" : fmt::format("round {}", charge.round.value);
  if (const auto known = by_sid_.find(charge.sid); known != by_sid_.end()) {
    if (charges_[known->second] == charge) return Bytes{};
    return fail(Code::kBadInput, what +
                                     " was charged before with other figures: they must not "
                                     "change for one descriptor");
  }
  std::vector<Release> after = releases(amplified());
  add(after, release_of(charge, amplified()));
  const double epsilon = renyi_epsilon(after, budget_.delta);
  if (epsilon > budget_.epsilon)
    return fail(Code::kRefused,
                fmt::format("the privacy budget is spent: {} would make epsilon {:.4g} of "
                            "{:.4g} at delta {:.3g}",
                            what, epsilon, budget_.epsilon, budget_.delta));
  return bytes_of(charge, form_of(owner_));
}

Bytes Ledger::record_of(const Budget& budget) const {
  CHECK(is_sound(budget), "epsilon {}, delta {}", budget.epsilon, budget.delta);
  if (budget == budget_) return {};
  Writer writer;
  writer.field(static_cast<std::uint64_t>(Form::kBudget), 1);
  writer.field(budget.epsilon);
  writer.field(budget.delta);
  return std::move(writer.bytes);
}

Result<void> Ledger::take(ByteView record) {
  const Form charges = form_of(owner_);
  const std::size_t charge_bytes = bytes_of({}, charges).size();
  constexpr std::size_t kBudgetBytes = 17;
  const auto form = record.empty() ? 0 : record[0];
  if (form == static_cast<std::uint8_t>(Form::kBudget) && record.size() == kBudgetBytes) {
    Reader reader{record.subspan(1)};
    Budget budget;
    reader.field(budget.epsilon);
    reader.field(budget.delta);
    if (!is_sound(budget)) return fail(Code::kCorrupt, "a privacy budget that is no number");
    budget_ = budget;
    return {};
  }
  if (form == static_cast<std::uint8_t>(charges) && record.size() == charge_bytes) {
    Reader reader{record.subspan(1)};
    Charge charge;
    visit(reader, charge);
    if (charges == Form::kTraining) reader.field(charge.times);
    if (!is_sound(charge)) return fail(Code::kCorrupt, "a privacy charge that is no number");
    if (!by_sid_.try_emplace(charge.sid, charges_.size()).second)
      return fail(Code::kCorrupt, "two privacy charges of one round");
    charges_.push_back(charge);
    return {};
  }
  return fail(Code::kCorrupt, fmt::format("a privacy record of {} bytes and form {}: it was "
                                          "written by another version",
                                          record.size(), form));
}

std::vector<Release> Ledger::releases(bool amplified) const {
  std::vector<Release> all;
  for (const Charge& charge : charges_) add(all, release_of(charge, amplified));
  return all;
}

Spent Ledger::spent() const {
  if (charges_.empty()) return {0, 0, budget_.delta};
  return {renyi_epsilon(releases(true), budget_.delta),
          renyi_epsilon(releases(false), budget_.delta), budget_.delta};
}

}  // namespace freshet
