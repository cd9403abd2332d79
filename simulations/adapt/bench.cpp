#include "simulations/adapt/bench.h"

#include <utility>

namespace freshet {
namespace {

constexpr int kRepeatsMax = 3;  // of one token in a row, in text that a model writes

}  // namespace

AdaptBench::AdaptBench(const AdaptPair& pair, AdaptRecipe recipe, std::vector<NodeModel> models,
                       ExperimentFolder kept)
    : pair_(pair),
      recipe_(std::move(recipe)),
      node_models_(std::move(models)),
      kept_(std::move(kept)) {
  if (node_models_.empty())
    node_models_.assign(
        pair.nodes.size(),
        {&pair_.slm, {recipe_.campaign.lora.rank, recipe_.campaign.lora.alpha}, {}});
}

Result<const Federated*> AdaptBench::federated() {
  if (!federated_) {
    TRY_ASSIGN(federated_, federate_once("slm-federated", pair_.slm, recipe_.campaign));
  }
  return &*federated_;
}

Result<Federated> AdaptBench::federate_once(const std::string& name, const Transformer& model,
                                            const CampaignPlan& campaign) {
  Federated made;
  made.spec = {campaign.lora.rank, campaign.lora.alpha, campaign.lora.targets};
  TRY_ASSIGN(std::optional<std::vector<float>> before, kept_.adapter(name));
  if (!before) {
    TRY_ASSIGN(made, federate(model, pair_.nodes, campaign, recipe_.threads));
    TRY(kept_.keep(name, made.adapter));
    return made;
  }
  TRY_ASSIGN(const Layout layout, adapter_layout(model.config, made.spec));
  TRY_ASSIGN(made.bytes_up, campaign_bytes(layout, campaign, pair_.nodes.size()));
  made.adapter = std::move(*before);
  return made;
}

Result<const Worn*> AdaptBench::tuned() {
  if (!tuned_) {
    TRY_ASSIGN(const Federated* made, federated());
    tuned_ = std::make_unique<Worn>(pair_.slm, made->spec, made->adapter);
  }
  return tuned_.get();
}

Result<const Prompts*> AdaptBench::public_prompts() {
  if (!public_) {
    TRY_ASSIGN(public_, prompts_of(pair_.public_text, recipe_.window, recipe_.public_sequences));
  }
  return &*public_;
}

Result<Prompts> AdaptBench::write(const Transformer& model, const Lora& lora,
                                  std::int64_t sequences, std::uint64_t stream,
                                  std::vector<double> beginnings) {
  return write_prompts(model, lora, pair_.bos,
                       {.window = recipe_.window,
                        .sequences = sequences,
                        .starts = std::move(beginnings),
                        .repeats_max = kRepeatsMax,
                        .seed = recipe_.seed * 1'000'000 + stream});
}

Result<const std::vector<double>*> AdaptBench::beginnings() {
  if (beginnings_.empty()) {
    TRY_ASSIGN(const MaskedMean shares,
               shares_of_ids(pair_.nodes, pair_.slm.config.vocab_size, recipe_.seed));
    beginnings_bytes_ = shares.bytes_up;
    beginnings_.assign(shares.values.begin(), shares.values.end());
  }
  return &beginnings_;
}

Result<const Prompts*> AdaptBench::written() {
  if (!written_) {
    TRY_ASSIGN(const Worn* model, tuned());
    TRY_ASSIGN(const std::vector<double>* from, beginnings());
    TRY_ASSIGN(written_, write(pair_.slm, model->lora(), recipe_.written_sequences, 0, *from));
  }
  return &*written_;
}

Result<Prompts> AdaptBench::written_by_large(const Lora& lora, int round) {
  TRY_ASSIGN(const std::vector<double>* from, beginnings());
  return write(pair_.llm, lora, recipe_.asked_sequences,
               300'000 + 50'000 * static_cast<std::uint64_t>(round), *from);
}

Result<const Prompts*> AdaptBench::written_untuned() {
  if (!untuned_) {
    TRY_ASSIGN(untuned_, write(pair_.slm, none_, recipe_.written_sequences, 100'000));
  }
  return &*untuned_;
}

Result<const Lesson*> AdaptBench::keeping() {
  if (!keeping_) {
    TRY_ASSIGN(Prompts own, write(pair_.llm, none_, recipe_.own_sequences, 200'000));
    ModelLogits says(pair_.llm, none_);
    keeping_ = lesson_of(says, std::move(own), recipe_.candidates, recipe_.temperature);
  }
  return &*keeping_;
}

Lesson AdaptBench::taught_by_slm(const Prompts& prompts, const Lora& tuned, bool moved) {
  ModelLogits of_tuned(pair_.slm, tuned), of_base(pair_.slm, none_), of_large(pair_.llm, none_);
  ProxyLogits proxy(of_large, of_tuned, of_base, recipe_.alpha);
  LogitSource& teacher = moved ? static_cast<LogitSource&>(proxy) : of_tuned;
  return lesson_of(teacher, prompts, recipe_.candidates, recipe_.temperature);
}

Result<std::shared_ptr<const Worn>> AdaptBench::learn(std::vector<LessonShare> shares,
                                                      const Worn* start, int steps) {
  if (recipe_.keeping > 0) {
    TRY_ASSIGN(const Lesson* own, keeping());
    shares.push_back({own, recipe_.keeping, 1, 1, false});
  }
  AdaptationPlan plan = recipe_.learning;
  if (steps > 0) plan.steps = steps;
  TRY_ASSIGN(
      Finetuned learned,
      adapt(pair_.llm, plan, start != nullptr ? start->values() : std::vector<float>(), shares));
  return std::make_shared<const Worn>(pair_.llm, plan.adapter, std::move(learned.adapter));
}

Result<Score> AdaptBench::score_of(const Transformer& model, const Lora& lora) {
  ModelLogits source(model, lora);
  return score(source, pair_, recipe_.score);
}

}  // namespace freshet
