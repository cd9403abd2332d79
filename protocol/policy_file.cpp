#include "protocol/policy_file.h"

#include <fmt/format.h>

#include <cmath>

#include "base/limits.h"
#include "protocol/bounds.h"
#include "protocol/device_toml.h"
#include "protocol/toml_section.h"

namespace freshet {
namespace {

using toml_file::Document;
using toml_file::fraction_named;
using toml_file::Section;

// A list of texts, each through `named`.
template <class T, class Named>
Result<void> names(Section& section, std::string_view key, std::vector<T>& to, Named named) {
  if (!section.has(key)) {
    std::vector<std::string> none;
    section.texts(key, none);  // the key is known
    return {};
  }
  std::vector<std::string> texts;
  section.texts(key, texts);
  to.clear();
  for (const std::string& text : texts) {
    auto value = named(text);
    if (!value) return fail_in(key, value.error());
    to.push_back(*value);
  }
  return {};
}

Result<void> read_campaigns(const Document& document, NodePolicy& policy) {
  Section section = document.section("campaigns");
  section.texts("names", policy.names);
  auto read = names(section, "modes", policy.modes, mode_named);
  if (read) read = names(section, "methods", policy.methods, method_named);
  if (read) read = names(section, "models", policy.models, digest_from_hex);
  if (read) read = names(section, "layouts", policy.layouts, digest_from_hex);
  if (read) read = names(section, "questions", policy.questions, digest_from_hex);
  section.whole("weight_max", policy.weight_max);
  section.flag("evaluation", policy.evaluation);
  TRY(section.finish());
  if (!read) return fail_in(fmt::format("{}: [campaigns]", document.source), read.error());
  return {};
}

Result<void> read_cohort(const Document& document, NodePolicy& policy) {
  Section section = document.section("cohort");
  section.whole("honest_min", policy.honest_min);
  section.choice("corrupt", policy.corrupt, fraction_named);
  section.choice("newcomers", policy.newcomers, fraction_named);
  section.whole("newcomer_days", policy.newcomer_days);
  return section.finish();
}

Result<void> read_privacy(const Document& document, NodePolicy& policy) {
  Section section = document.section("privacy");
  double epsilon_max = 0;
  section.real("epsilon_max", epsilon_max);
  if (section.has("epsilon_max")) policy.epsilon_max = epsilon_max;
  section.real("delta", policy.delta);
  return section.finish();
}

Result<void> fraction_within(std::string_view field, const Fraction& fraction) {
  if (fraction.whole > 0 && fraction.part <= fraction.whole) return {};
  return fail(Code::kBadInput, fmt::format("{} is {}/{}: it must be between \"0/1\" and \"1/1\"",
                                           field, fraction.part, fraction.whole));
}

Result<void> validate(const NodePolicy& policy) {
  if (policy.modes.empty())
    return fail(Code::kBadInput,
                "modes is empty: this node would never take part; write modes = [\"masked\"]");
  TRY(within<std::size_t>("the number of names", policy.names.size(), 0, 256));
  for (const std::string& each : policy.names) {
    TRY(within<std::size_t>("the length of a name in names", each.size(), 1,
                            limits::kPlanNameBytesMax));
    TRY(within<std::ptrdiff_t>("the number of * in a name of names",
                               std::count(each.begin(), each.end(), '*'), 0, 4));
  }
  TRY(within<std::uint32_t>("weight_max", policy.weight_max, 1, limits::kWeightMax));
  // One honest node beside this one is the least that hides anything.
  TRY(within<std::uint32_t>("honest_min", policy.honest_min, 2, limits::kCohortMax));
  TRY(fraction_within("corrupt", policy.corrupt));
  TRY(fraction_within("newcomers", policy.newcomers));
  if (2 * std::uint64_t{policy.corrupt.part} >= policy.corrupt.whole)
    return fail(Code::kBadInput,
                fmt::format("corrupt is {}/{}: no quorum stands up to a half or more",
                            policy.corrupt.part, policy.corrupt.whole));
  TRY(within<std::uint32_t>("newcomer_days", policy.newcomer_days, 0, 3650));
  if (policy.epsilon_max) TRY(above_zero("epsilon_max", *policy.epsilon_max));
  TRY(above_zero("delta", policy.delta));
  TRY(within("delta", policy.delta, 0.0, 0.1));
  return {};
}

template <class T, class Text>
std::string list(const std::vector<T>& values, Text text) {
  std::string result;
  for (const T& value : values)
    result += fmt::format("{}\"{}\"", result.empty() ? "" : ", ", text(value));
  return "[" + result + "]";
}

}  // namespace

Result<NodePolicy> parse_policy_file(std::string_view toml, std::string_view source) {
  if (toml.size() > limits::kCampaignFileBytesMax)
    return fail(Code::kBadInput, fmt::format("{}: {} bytes, where a policy file has at most {}",
                                             source, toml.size(), limits::kCampaignFileBytesMax));
  try {
    const toml::table root = toml::parse(toml, source);
    const Document document{root, source};
    NodePolicy policy;
    TRY(document.check_sections({"campaigns", "cohort", "privacy", "training", "data"}));
    TRY(read_campaigns(document, policy));
    TRY(read_cohort(document, policy));
    TRY(read_privacy(document, policy));
    TRY(read_training(document, policy.training));
    TRY(read_data(document, policy.data));
    if (auto valid = validate(policy); !valid) return fail_in(source, valid.error());
    return policy;
  } catch (const toml::parse_error& error) {
    return fail(Code::kBadInput,
                fmt::format("{}:{}: {}", source, error.source().begin.line, error.description()));
  }
}

std::string to_toml(const NodePolicy& policy) {
  const auto hex = [](const Digest& digest) { return to_hex(digest); };
  const auto name = [](auto value) { return std::string(name_of(value)); };
  std::string toml = fmt::format(
      "[campaigns]\n"
      "# Names of campaigns to take part in, * for any letters, as [\"notes-*\"]; empty: all.\n"
      "names = {}\n"
      "# \"masked\": the coordinator can open the sum alone. \"trusted-coordinator\": it opens\n"
      "# every update.\n"
      "modes = {}\n"
      "# Methods that this node trains by; empty: all.\n"
      "methods = {}\n"
      "# Digests of models; empty: the one that this node holds.\n"
      "models = {}\n"
      "# Digests of layouts; empty: what the plan and this node's model give.\n"
      "layouts = {}\n"
      "# Digests of questions that it answers in campaigns of logits; empty: none. Read one "
      "first:\n"
      "# freshet model question FILE --show MODEL\n"
      "questions = {}\n"
      "# This node's weight in a sum, at most.\n"
      "weight_max = {}\n"
      "# Lend the totals of the held-out text to masked sums, where a plan asks for them.\n"
      "evaluation = {}\n",
      list(policy.names, [](const std::string& text) { return text; }), list(policy.modes, name),
      list(policy.methods, name), list(policy.models, hex), list(policy.layouts, hex),
      list(policy.questions, hex), policy.weight_max, policy.evaluation);
  toml += fmt::format(
      "\n[cohort]\n"
      "# Members of a round that are honest and answered, at least, when this part of its roster\n"
      "# works together with the coordinator.\n"
      "honest_min = {}\n"
      "corrupt = \"{}/{}\"\n"
      "# The part of a roster that may have enrolled in the last days.\n"
      "newcomers = \"{}/{}\"\n"
      "newcomer_days = {}\n",
      policy.honest_min, policy.corrupt.part, policy.corrupt.whole, policy.newcomers.part,
      policy.newcomers.whole, policy.newcomer_days);
  return toml +
         fmt::format(
             "\n[privacy]\n"
             "# The most that this node's contributions may ever cost its owner, at delta. Where\n"
             "# it is set, the node takes part in rounds with noise alone.\n"
             "{}\n"
             "delta = {}\n",
             policy.epsilon_max ? fmt::format("epsilon_max = {}", *policy.epsilon_max)
                                : std::string("# epsilon_max = 8"),
             policy.delta) +
         training_toml(policy.training) + data_toml(policy.data);
}

}  // namespace freshet
