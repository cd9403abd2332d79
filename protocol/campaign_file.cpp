#include "protocol/campaign_file.h"

#include <fmt/core.h>
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <concepts>
#include <limits>
#include <numeric>
#include <optional>

#include "base/limits.h"

namespace freshet {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

// "did you mean x?" for a slip of the finger, else all there is.
std::string suggestion(std::string_view unknown, const std::vector<std::string_view>& known) {
  constexpr std::size_t kLongest = 64;  // an edit distance over more is no slip
  std::string_view best;
  std::size_t least = 3;
  for (const auto name : known) {
    const std::size_t distance =
        unknown.size() <= kLongest ? edit_distance(unknown, name) : kLongest;
    if (distance < std::min(least, name.size())) best = name, least = distance;
  }
  if (!best.empty()) return fmt::format("did you mean \"{}\"?", best);
  return fmt::format("use {}", fmt::join(known, ", "));
}

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "a list";
    case toml::node_type::string: return "a text";
    case toml::node_type::integer: return "a whole number";
    case toml::node_type::floating_point: return "a number";
    case toml::node_type::boolean: return "true or false";
    default: return "a date or time";
  }
}

// Reads the keys of one section into variables, which keep their defaults where a key is absent.
// The first mistake is kept; finish() gives it, or else the first key that nobody asked for.
class Section {
 public:
  Section(const toml::table& root, std::string_view name, std::string_view source)
      : name_(name), source_(source) {
    const toml::node* node = root.get(name);
    if (node == nullptr) return;
    table_ = node->as_table();
    if (table_ == nullptr)
      note(*node, fmt::format("{} is {}: write it as a section, [{}]", name, kind_of(*node), name));
  }

  bool has(std::string_view key) const { return table_ != nullptr && table_->contains(key); }
  bool is_there() const { return table_ != nullptr; }

  void text(std::string_view key, std::string& to) {
    if (const toml::node* node = find(key, "a text", toml::node_type::string))
      to = **node->as_string();
  }

  void flag(std::string_view key, bool& to) {
    if (const toml::node* node = find(key, "true or false", toml::node_type::boolean))
      to = **node->as_boolean();
  }

  template <std::integral T>
  void whole(std::string_view key, T& to) {
    const toml::node* node = find(key, "a whole number", toml::node_type::integer);
    if (node == nullptr) return;
    const std::int64_t value = **node->as_integer();
    if (std::in_range<T>(value))
      to = static_cast<T>(value);
    else
      note(*node, fmt::format("[{}] {} is {}: it must be in [{}, {}]", name_, key, value,
                              std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  }

  template <std::floating_point T>
  void real(std::string_view key, T& to) {
    const toml::node* node =
        find(key, "a number", toml::node_type::floating_point, toml::node_type::integer);
    if (node != nullptr) to = static_cast<T>(*node->value<double>());
  }

  void texts(std::string_view key, std::vector<std::string>& to) {
    const toml::node* node = find(key, "a list of texts", toml::node_type::array);
    if (node == nullptr) return;
    to.clear();
    for (const toml::node& item : *node->as_array()) {
      if (!item.is_string())
        return note(item, fmt::format("[{}] {} holds {}: it must be a list of texts", name_, key,
                                      kind_of(item)));
      to.push_back(**item.as_string());
    }
  }

  // A name that `named` turns into the value.
  template <class T, class Named>
  void choice(std::string_view key, T& to, Named named) {
    const toml::node* node = find(key, "a text", toml::node_type::string);
    if (node == nullptr) return;
    auto chosen = named(std::string_view(**node->as_string()));
    if (chosen)
      to = std::move(*chosen);
    else
      note(*node, fmt::format("[{}] {}: {}", name_, key, chosen.error().what));
  }

  void require(std::string_view key, std::string_view how) {
    if (!error_ && !has(key))
      error_ = fmt::format("{}: [{}] has no {}: {}", source_, name_, key, how);
  }

  Result<void> finish() const {
    if (error_) return fail(Code::kBadInput, *error_);
    if (table_ == nullptr) return {};
    for (const auto& [key, node] : *table_)
      if (std::find(known_.begin(), known_.end(), key.str()) == known_.end())
        return fail(Code::kBadInput, fmt::format("{}:{}: unknown key \"{}\" in [{}]: {}", source_,
                                                 key.source().begin.line, key.str(), name_,
                                                 suggestion(key.str(), known_)));
    return {};
  }

 private:
  template <class... Types>
  const toml::node* find(std::string_view key, std::string_view wanted, Types... types) {
    known_.push_back(key);
    const toml::node* node = table_ == nullptr ? nullptr : table_->get(key);
    if (node == nullptr || ((node->type() == types) || ...)) return node;
    note(*node, fmt::format("[{}] {} is {}: it must be {}", name_, key, kind_of(*node), wanted));
    return nullptr;
  }

  void note(const toml::node& node, std::string what) {
    if (!error_) error_ = fmt::format("{}:{}: {}", source_, node.source().begin.line, what);
  }

  std::string_view name_, source_;
  const toml::table* table_ = nullptr;
  std::vector<std::string_view> known_;
  std::optional<std::string> error_;
};

struct Document {
  const toml::table& root;
  std::string_view source;
  Section section(std::string_view name) const { return {root, name, source}; }
};

Result<void> read_campaign(const Document& document, CampaignFile& file) {
  Section section = document.section("campaign");
  section.text("name", file.plan.name);
  section.text("model", file.model);
  section.choice("mode", file.plan.mode, mode_named);
  section.choice("method", file.plan.method, method_named);
  section.choice("rule", file.plan.rule, server_rule_named);
  section.whole("rounds", file.plan.rounds);
  section.require("name", "write name = \"...\", for people to know it by");
  section.require("model", "write model = \"FOLDER\", the small model that the nodes train");
  section.require("mode",
                  "write mode = \"trusted-coordinator\" to say that the coordinator may open every "
                  "update");
  return section.finish();
}

Result<void> read_cohort(const Document& document, CampaignPlan& plan) {
  Section section = document.section("cohort");
  section.whole("min", plan.cohort_min);
  section.whole("max", plan.cohort_max);
  plan.survivors_min = std::min(plan.survivors_min, plan.cohort_min);
  section.whole("survivors_min", plan.survivors_min);
  section.whole("ready_ms", plan.ready_ms);
  section.whole("round_ms", plan.round_ms);
  return section.finish();
}

Result<void> read_lora(const Document& document, LoraPlan& lora) {
  Section section = document.section("lora");
  section.whole("rank", lora.rank);
  section.real("alpha", lora.alpha);
  section.texts("targets", lora.targets);
  section.whole("seed", lora.seed);
  return section.finish();
}

Result<void> read_training(const Document& document, LocalTraining& training) {
  Section section = document.section("training");
  section.whole("steps", training.steps);
  section.whole("batch", training.batch);
  section.whole("window", training.window);
  section.real("lr", training.lr);
  section.whole("seed", training.seed);
  return section.finish();
}

Result<void> read_update(const Document& document, CampaignPlan& plan) {
  Section section = document.section("update");
  section.real("clip", plan.clip);
  plan.grid.range = default_range(plan.clip);
  section.real("range", plan.grid.range);
  section.whole("bits", plan.grid.bits);
  section.whole("weight_max", plan.grid.weight_max);
  return section.finish();
}

void read_rule(Section& section, Sgd& rule) { section.real("lr", rule.lr); }
void read_rule(Section& section, Momentum& rule) {
  section.real("lr", rule.lr);
  section.real("beta", rule.beta);
}
template <class Adaptive>
void read_rule(Section& section, Adaptive& rule) {
  section.real("lr", rule.lr);
  section.real("beta1", rule.beta1);
  section.real("beta2", rule.beta2);
  section.real("tau", rule.tau);
}

Result<void> read_server(const Document& document, ServerRule& rule) {
  Section section = document.section("server");
  std::visit([&](auto& chosen) { read_rule(section, chosen); }, rule);
  auto result = section.finish();
  if (!result) result.error().what += fmt::format(" (the rule is {})", name_of(rule));
  return result;
}

Result<void> read_adapt(const Document& document, AdaptPlan& adapt) {
  Section section = document.section("adapt");
  adapt.enabled = section.is_there();
  section.flag("enabled", adapt.enabled);
  section.text("llm", adapt.llm);
  section.text("public_text", adapt.public_text);
  section.whole("rank", adapt.rank);
  section.real("alpha", adapt.alpha);
  section.whole("steps", adapt.steps);
  section.whole("batch", adapt.batch);
  section.whole("window", adapt.window);
  section.whole("top_k", adapt.top_k);
  section.real("lr", adapt.lr);
  section.real("temperature", adapt.temperature);
  section.real("weight", adapt.weight);
  adapt.weight_end = adapt.weight;
  section.real("weight_end", adapt.weight_end);
  section.flag("shift", adapt.shift);
  section.whole("seed", adapt.seed);
  if (adapt.enabled) {
    section.require("llm", "write llm = \"FOLDER\", the cloud model that learns");
    section.require("public_text", "write public_text = \"FOLDER\", text that no node holds");
  }
  return section.finish();
}

Result<void> check_sections(const Document& document) {
  const std::vector<std::string_view> known = {"campaign", "cohort", "lora", "training",
                                               "update",   "server", "adapt"};
  for (const auto& [key, node] : document.root)
    if (std::find(known.begin(), known.end(), key.str()) == known.end())
      return fail(Code::kBadInput,
                  fmt::format("{}:{}: unknown section [{}]: {}", document.source,
                              key.source().begin.line, key.str(), suggestion(key.str(), known)));
  return {};
}

Result<CampaignFile> read_document(const Document& document) {
  CampaignFile file;
  TRY(check_sections(document));
  TRY(read_campaign(document, file));
  TRY(read_cohort(document, file.plan));
  TRY(read_lora(document, file.plan.lora));
  TRY(read_training(document, file.plan.training));
  TRY(read_update(document, file.plan));
  TRY(read_server(document, file.plan.rule));
  TRY(read_adapt(document, file.adapt));
  if (auto valid = validate(file.plan); !valid) return fail_in(document.source, valid.error());
  if (auto valid = validate(file.adapt); !valid) return fail_in(document.source, valid.error());
  return file;
}

}  // namespace

Result<CampaignFile> parse_campaign_file(std::string_view toml, std::string_view source) {
  if (toml.size() > limits::kCampaignFileBytesMax)
    return fail(Code::kBadInput, fmt::format("{}: {} bytes, where a campaign file has at most {}",
                                             source, toml.size(), limits::kCampaignFileBytesMax));
  try {
    const toml::table root = toml::parse(toml, source);
    return read_document({root, source});
  } catch (const toml::parse_error& error) {
    return fail(Code::kBadInput,
                fmt::format("{}:{}: {}", source, error.source().begin.line, error.description()));
  }
}

}  // namespace freshet
