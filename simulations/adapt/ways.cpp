#include "simulations/adapt/ways.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <numeric>

#include "base/rng.h"
#include "simulations/adapt/bench.h"

namespace freshet {
namespace {

constexpr std::int64_t kSequencesOfAllCandidates = 96;  // what they take is rows times vocabulary
constexpr std::uint64_t kRandomExpert = 0x72616e64;  // stream of the generator of a random expert

using WornModel = std::shared_ptr<const Worn>;

// An adapter of the same size in every direction, which means nothing: signs of B are drawn again.
std::vector<float> random_expert(const Layout& layout, std::vector<float> values,
                                 std::uint64_t seed) {
  Rng rng(seed, kRandomExpert);
  for (const LayoutEntry& entry : layout.entries)
    for (std::size_t i = entry.offset; i < entry.offset + entry.size(); ++i)
      if (entry.factor == Factor::kB && rng.below(2) == 0) values[i] = -values[i];
  return values;
}

}  // namespace

struct Ways::Bench : AdaptBench {
  using AdaptBench::AdaptBench;
  using Way = Result<void> (Bench::*)(WayOutcome&);
  struct Known {
    std::string name;
    Standing standing;
    Way way;
  };
  static const std::vector<Known>& known();

  Result<void> score_llm(WayOutcome& outcome, const Lora& lora) {
    TRY_ASSIGN(outcome.score, score_of(pair().llm, lora));
    return {};
  }

  // The large model after these lessons.
  Result<void> learn_and_score(WayOutcome& outcome, const std::vector<LessonShare>& shares,
                               WornModel* learned = nullptr, double share_of_steps = 1) {
    const double steps = share_of_steps * recipe().learning.steps;
    TRY_ASSIGN(const WornModel adapted, learn(shares, nullptr, static_cast<int>(steps)));
    if (learned != nullptr) *learned = adapted;
    TRY(score_llm(outcome, adapted->lora()));
    if (outcome.standing == Standing::kWay) {
      TRY(tell_membership(outcome, adapted->lora()));
    }
    return kept().keep("llm-" + outcome.name, adapted->values());
  }

  Result<void> tell_membership(WayOutcome& outcome, const Lora& lora) {
    ModelLogits before(pair().llm, none()), after(pair().llm, lora);
    TRY_ASSIGN(const MembershipAttack attack,
               attack_membership(before, after, pair(), recipe().score));
    outcome.notes["membership_area"] = attack.area;
    outcome.notes["membership_found_at_1_percent"] = attack.found_at_one_percent;
    return {};
  }

  int for_lessons() const { return recipe().batch - recipe().keeping; }

  // The public text as the tuned small model (or none) and the large one have it together, open
  // where they know more.
  Result<Lesson> public_lesson(const Lora& tuned) {
    TRY_ASSIGN(const Prompts* prompts, public_prompts());
    ModelLogits speaks(pair().slm, tuned), base(pair().slm, none()), large(pair().llm, none());
    ContextMixture teacher(large, speaks, base, recipe().mixture);
    Lesson lesson = lesson_of(teacher, *prompts, recipe().candidates, recipe().temperature);
    lesson.gate =
        gate_where_better(next_log_probs(teacher, *prompts), next_log_probs(large, *prompts));
    fill_closed_gates(lesson,
                      lesson_of(large, *prompts, recipe().candidates, recipe().temperature));
    return lesson;
  }

  Result<void> charge_federation(WayOutcome& outcome) {
    TRY_ASSIGN(const Federated* made, federated());
    outcome.bytes_up = made->bytes_up;
    outcome.notes["federation_seconds"] = made->seconds;
    return {};
  }

  Result<void> base(WayOutcome& outcome) { return score_llm(outcome, none()); }

  Result<void> slm_base(WayOutcome& outcome) {
    TRY_ASSIGN(outcome.score, score_of(pair().slm, none()));
    return {};
  }

  Result<void> slm_tuned(WayOutcome& outcome) {
    TRY_ASSIGN(const Worn* model, tuned());
    TRY(charge_federation(outcome));
    TRY_ASSIGN(outcome.score, score_of(pair().slm, model->lora()));
    return {};
  }

  Result<void> oracle(WayOutcome& outcome) {
    TRY_ASSIGN(Direct direct, tune_directly(pair(), pair().llm, recipe().oracle));
    outcome.notes = {{"rate", direct.rate},
                     {"step", direct.step},
                     {"at_the_end", direct.at_the_end ? 1 : 0},
                     {"at_an_edge", direct.at_an_edge ? 1 : 0}};
    const Worn worn(pair().llm, recipe().oracle.adapter, std::move(direct.adapter));
    TRY(tell_membership(outcome, worn.lora()));
    return score_llm(outcome, worn.lora());
  }

  Result<void> public_only(WayOutcome& outcome) {
    TRY_ASSIGN(const Prompts* prompts, public_prompts());
    const Lesson lesson = taught_by_slm(*prompts, none(), false);  // whose teacher is not heard
    return learn_and_score(outcome, {{&lesson, for_lessons(), 0, 0}});
  }

  Result<void> distill(WayOutcome& outcome) {
    TRY_ASSIGN(const Worn* model, tuned());
    TRY(charge_federation(outcome));
    TRY_ASSIGN(const Lesson lesson, public_lesson(model->lora()));
    return learn_and_score(outcome,
                           {{&lesson, for_lessons(), recipe().weight, recipe().weight_end}});
  }

  Result<void> generate(WayOutcome& outcome) {
    TRY_ASSIGN(const Worn* model, tuned());
    TRY(charge_federation(outcome));
    TRY_ASSIGN(const Prompts* prompts, written());
    outcome.bytes_up += beginnings_bytes();
    const Lesson lesson = taught_by_slm(*prompts, model->lora(), true);
    return learn_and_score(outcome, {{&lesson, for_lessons(), 1, 1}});
  }

  Result<void> generate_untuned(WayOutcome& outcome) {
    TRY_ASSIGN(const Prompts* prompts, written_untuned());
    const Lesson lesson = taught_by_slm(*prompts, none(), false);
    return learn_and_score(outcome, {{&lesson, for_lessons(), 1, 1}});
  }

  // The same few sequences, with some candidates and the rest in one bucket, or with all of them.
  Result<void> learn_of_candidates(WayOutcome& outcome, int size) {
    TRY_ASSIGN(const Worn* model, tuned());
    TRY_ASSIGN(const Prompts* all, written());
    const std::int64_t few = std::min<std::int64_t>(all->sequences(), kSequencesOfAllCandidates);
    const auto rows = static_cast<std::ptrdiff_t>(few * all->window);
    const Prompts some{all->window,
                       {all->ids.begin(), all->ids.begin() + rows},
                       {all->next.begin(), all->next.begin() + rows}};
    ModelLogits speaks(pair().slm, model->lora());
    const Lesson lesson = lesson_of(speaks, some, size, recipe().temperature);
    return learn_and_score(outcome, {{&lesson, for_lessons(), 1, 1}}, nullptr, 0.5);
  }
  Result<void> some_candidates(WayOutcome& outcome) {
    return learn_of_candidates(outcome, recipe().candidates);
  }
  Result<void> all_candidates(WayOutcome& outcome) {
    return learn_of_candidates(outcome, pair().llm.config.vocab_size);
  }

  Result<void> score_proxy(WayOutcome& outcome, const Lora& large_lora, const Lora& expert,
                           float alpha) {
    ModelLogits large(pair().llm, large_lora), tuned(pair().slm, expert), base(pair().slm, none());
    ProxyLogits proxy(large, tuned, base, alpha);
    TRY_ASSIGN(outcome.score, score(proxy, pair(), recipe().score));
    outcome.notes["alpha"] = alpha;
    return {};
  }

  Result<void> score_mixed(WayOutcome& outcome, const Lora& large_lora, const Lora& expert) {
    ModelLogits large(pair().llm, large_lora), tuned(pair().slm, expert), base(pair().slm, none());
    ContextMixture mixture(large, tuned, base, recipe().mixture);
    TRY_ASSIGN(outcome.score, score(mixture, pair(), recipe().score));
    return {};
  }

  Result<void> proxy(WayOutcome& outcome) {
    TRY_ASSIGN(const Worn* model, tuned());
    TRY(charge_federation(outcome));
    return score_mixed(outcome, none(), model->lora());
  }

  Result<void> proxy_fixed(WayOutcome& outcome) {
    TRY_ASSIGN(const Worn* model, tuned());
    TRY(charge_federation(outcome));
    return score_proxy(outcome, none(), model->lora(), recipe().alpha);
  }

  Result<void> proxy_random(WayOutcome& outcome) {
    TRY_ASSIGN(const Federated* made, federated());
    TRY_ASSIGN(const Layout layout, adapter_layout(pair().slm.config, made->spec));
    const Worn expert(pair().slm, made->spec, random_expert(layout, made->adapter, recipe().seed));
    return score_mixed(outcome, none(), expert.lora());
  }

  Result<void> direct(WayOutcome& outcome) {
    TRY_ASSIGN(Federated made, federate_once("llm-federated", pair().llm, recipe().of_llm));
    outcome.bytes_up = made.bytes_up;
    const Worn worn(pair().llm, made.spec, std::move(made.adapter));
    TRY(tell_membership(outcome, worn.lora()));
    return score_llm(outcome, worn.lora());
  }

  // What the nodes' own models say of prompts that the large model wrote, or learned to write.
  Result<JointAnswer> ask(const Prompts& prompts, const Lora& writer, bool untuned) {
    if (home_.empty() && !untuned) {
      TRY_ASSIGN(home_, tune_at_home(node_models(), pair().nodes, recipe().home));
    }
    ModelLogits large(pair().llm, writer), small(pair().slm, none());
    AnswerPlan plan = recipe().answers;
    plan.untuned = untuned;
    return answer_together(node_models(), home_, pair().nodes, prompts,
                           candidate_sets(large, &small, prompts, recipe().candidates), plan);
  }

  // What one node would have sent of adapters in a whole campaign, of the largest of its models.
  Result<double> adapter_bytes_of_largest() {
    std::uint64_t most = 0;
    CampaignPlan campaign = recipe().campaign;
    campaign.grid.range = default_range(campaign.clip);
    const AdapterSpec spec{campaign.lora.rank, campaign.lora.alpha, campaign.lora.targets};
    for (const NodeModel& node : node_models()) {
      TRY_ASSIGN(const Layout layout, adapter_layout(node.model->config, spec));
      TRY_ASSIGN(const std::uint64_t bytes, campaign_bytes(layout, campaign, pair().nodes.size()));
      most = std::max(most, bytes);
    }
    return static_cast<double>(most);
  }

  // In every round the large model writes as it has learned to, the nodes answer, and it learns of
  // all that they have said so far.
  Result<void> logits_of(WayOutcome& outcome, bool untuned) {
    TRY_ASSIGN(outcome.notes["adapter_bytes_of_largest"], adapter_bytes_of_largest());
    std::deque<Lesson> said;
    WornModel adapted;
    for (int round = 0; round < recipe().asking_rounds; ++round) {
      const Lora& writer = adapted ? adapted->lora() : none();
      TRY_ASSIGN(const Prompts prompts, written_by_large(writer, round));
      TRY_ASSIGN(JointAnswer answered, ask(prompts, writer, untuned));
      outcome.bytes_up += answered.bytes_up;
      const std::vector<float>& gate = answered.lesson.gate;
      outcome.notes["answered_in_round_" + std::to_string(round + 1)] =
          static_cast<double>(std::accumulate(gate.begin(), gate.end(), 0.0f)) /
          static_cast<double>(gate.size());
      said.push_back(std::move(answered.lesson));
      std::vector<LessonShare> shares;
      for (const Lesson& lesson : said)
        shares.push_back({&lesson, std::max(1, for_lessons() / static_cast<int>(said.size()))});
      TRY_ASSIGN(adapted, learn(shares, adapted.get(), recipe().learning.steps / 2));
    }
    outcome.bytes_up += beginnings_bytes();
    if (!untuned) TRY(tell_membership(outcome, adapted->lora()));
    return score_llm(outcome, adapted->lora());
  }

  Result<void> logits(WayOutcome& outcome) { return logits_of(outcome, false); }
  Result<void> logits_untuned(WayOutcome& outcome) { return logits_of(outcome, true); }

  // Written text with the tuned small model's shift, public text with the gate, and at decoding
  // time the mixture on top.
  Result<void> mix(WayOutcome& outcome) {
    TRY_ASSIGN(const Worn* model, tuned());
    TRY(charge_federation(outcome));
    TRY_ASSIGN(const Prompts* prompts, written());
    outcome.bytes_up += beginnings_bytes();
    const Lesson of_written = taught_by_slm(*prompts, model->lora(), true);
    TRY_ASSIGN(const Lesson of_public, public_lesson(model->lora()));
    const int few = std::max(1, for_lessons() / 3);
    TRY(learn_and_score(
        outcome, {{&of_written, for_lessons() - few, 1, 1}, {&of_public, few, 1, 1}}, &mixed_));
    return score_mixed(outcome, mixed_->lora(), model->lora());
  }

  // The small model, taught by the large one that the mix made, where that one knows more.
  Result<void> back(WayOutcome& outcome) {
    TRY(find_mixed());
    TRY_ASSIGN(const Federated* made, federated());
    TRY_ASSIGN(const Worn* model, tuned());
    TRY_ASSIGN(const Prompts* prompts, written());
    ModelLogits large(pair().llm, mixed_->lora()), small(pair().slm, model->lora());
    Lesson lesson = lesson_of(large, *prompts, recipe().candidates, recipe().temperature);
    lesson.gate =
        gate_where_better(next_log_probs(large, *prompts), next_log_probs(small, *prompts));
    fill_closed_gates(lesson,
                      lesson_of(small, *prompts, recipe().candidates, recipe().temperature));
    AdaptationPlan plan = recipe().learning;
    plan.adapter = made->spec;
    plan.lr = recipe().back_lr;
    const LessonShare share[] = {{&lesson, recipe().batch, 1, 1}};
    TRY_ASSIGN(Finetuned learned, adapt(pair().slm, plan, made->adapter, share));
    const Worn worn(pair().slm, made->spec, std::move(learned.adapter));
    TRY_ASSIGN(outcome.score, score_of(pair().slm, worn.lora()));
    return {};
  }

 private:
  // What the mix made, now or before.
  Result<void> find_mixed() {
    if (mixed_) return {};
    TRY_ASSIGN(std::optional<std::vector<float>> found, kept().adapter("llm-mix"));
    if (!found) return fail(Code::kBadInput, "back needs mix before it");
    mixed_ = std::make_shared<const Worn>(pair().llm, recipe().learning.adapter, std::move(*found));
    return {};
  }

  WornModel mixed_;
  std::vector<std::vector<float>> home_;  // each node's own
};

const std::vector<Ways::Bench::Known>& Ways::Bench::known() {
  static const std::vector<Known> all = {
      {"base", Standing::kReference, &Bench::base},
      {"oracle", Standing::kReference, &Bench::oracle},
      {"slm-base", Standing::kReference, &Bench::slm_base},
      {"slm-tuned", Standing::kReference, &Bench::slm_tuned},
      {"public-only", Standing::kControl, &Bench::public_only},
      {"distill", Standing::kWay, &Bench::distill},
      {"generate-untuned", Standing::kControl, &Bench::generate_untuned},
      {"generate", Standing::kWay, &Bench::generate},
      {"proxy-random", Standing::kControl, &Bench::proxy_random},
      {"proxy-fixed", Standing::kReference, &Bench::proxy_fixed},
      {"proxy", Standing::kWay, &Bench::proxy},
      {"logits-untuned", Standing::kControl, &Bench::logits_untuned},
      {"logits", Standing::kWay, &Bench::logits},
      {"mix", Standing::kWay, &Bench::mix},
      {"back", Standing::kReference, &Bench::back},
      {"some-candidates", Standing::kReference, &Bench::some_candidates},
      {"all-candidates", Standing::kReference, &Bench::all_candidates},
      {"direct", Standing::kWay, &Bench::direct},
  };
  return all;
}

const std::vector<std::string>& Ways::names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& known : Ways::Bench::known()) all.push_back(known.name);
    return all;
  }();
  return names;
}

Ways::Ways(const AdaptPair& pair, AdaptRecipe recipe, std::vector<NodeModel> node_models,
           ExperimentFolder kept)
    : bench_(std::make_unique<Bench>(pair, std::move(recipe), std::move(node_models),
                                     std::move(kept))) {}
Ways::~Ways() = default;

Result<WayOutcome> Ways::run(const std::string& name) {
  for (const Bench::Known& known : Bench::known()) {
    if (known.name != name) continue;
    TRY_ASSIGN(const std::optional<WayOutcome> known_already, bench_->kept().outcome(name));
    if (known_already) return *known_already;
    WayOutcome outcome;
    outcome.name = name;
    outcome.standing = known.standing;
    const auto begun = std::chrono::steady_clock::now();
    TRY((bench_.get()->*known.way)(outcome));
    outcome.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    TRY(bench_->kept().keep(outcome));
    return outcome;
  }
  return fail(Code::kBadInput, "no way is called \"" + name + "\"");
}

const Prompts* Ways::written() const { return bench_->written_if_any(); }

}  // namespace freshet
