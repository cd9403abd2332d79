#include <fmt/core.h>

#include "protocol/wire.h"

namespace freshet {
namespace {

using PlanWriter = wire::Plan::Builder;
using PlanReader = wire::Plan::Reader;

void write(wire::Plan::Rule::Builder to, const Sgd& rule) { to.initSgd().setLr(rule.lr); }

void write(wire::Plan::Rule::Builder to, const Momentum& rule) {
  auto momentum = to.initMomentum();
  momentum.setLr(rule.lr);
  momentum.setBeta(rule.beta);
}

template <class Builder, class Adaptive>
void write_adaptive(Builder to, const Adaptive& rule) {
  to.setLr(rule.lr);
  to.setBeta1(rule.beta1);
  to.setBeta2(rule.beta2);
  to.setTau(rule.tau);
}
void write(wire::Plan::Rule::Builder to, const Adam& rule) { write_adaptive(to.initAdam(), rule); }
void write(wire::Plan::Rule::Builder to, const Yogi& rule) { write_adaptive(to.initYogi(), rule); }

template <class Adaptive, class Reader>
ServerRule read_adaptive(Reader from) {
  return Adaptive{
      .lr = from.getLr(), .beta1 = from.getBeta1(), .beta2 = from.getBeta2(), .tau = from.getTau()};
}

Result<ServerRule> read_rule(wire::Plan::Rule::Reader from) {
  switch (from.which()) {
    case wire::Plan::Rule::SGD: return Sgd{.lr = from.getSgd().getLr()};
    case wire::Plan::Rule::MOMENTUM:
      return Momentum{.lr = from.getMomentum().getLr(), .beta = from.getMomentum().getBeta()};
    case wire::Plan::Rule::ADAM: return read_adaptive<Adam>(from.getAdam());
    case wire::Plan::Rule::YOGI: return read_adaptive<Yogi>(from.getYogi());
  }
  return fail(Code::kBadInput, "a server rule that this program does not know");
}

void write(wire::Lora::Builder to, const LoraPlan& lora) {
  to.setRank(lora.rank);
  to.setAlpha(lora.alpha);
  to.setSeed(lora.seed);
  auto targets = to.initTargets(static_cast<unsigned>(lora.targets.size()));
  for (unsigned i = 0; i < targets.size(); ++i) targets.set(i, as_capnp_text(lora.targets[i]));
}

Result<LoraPlan> read(wire::Lora::Reader from) {
  LoraPlan lora{
      .rank = from.getRank(), .alpha = from.getAlpha(), .targets = {}, .seed = from.getSeed()};
  constexpr unsigned kTargetsMax = 16;  // validate() refuses one that is there twice
  if (from.getTargets().size() > kTargetsMax)
    return fail(Code::kBadInput, "a plan with too many LoRA targets");
  for (const auto target : from.getTargets()) {
    TRY_ASSIGN(std::string name, read_text(target, "a LoRA target"));
    lora.targets.push_back(std::move(name));
  }
  return lora;
}

void write(wire::Training::Builder to, const LocalTraining& training) {
  to.setSteps(training.steps);
  to.setBatch(training.batch);
  to.setWindow(training.window);
  to.setLr(training.lr);
  to.setSeed(training.seed);
}

LocalTraining read(wire::Training::Reader from) {
  return {.steps = from.getSteps(),
          .batch = from.getBatch(),
          .window = from.getWindow(),
          .lr = from.getLr(),
          .seed = from.getSeed()};
}

void write(wire::Fraction::Builder to, const Fraction& fraction) {
  to.setPart(fraction.part);
  to.setWhole(fraction.whole);
}
Fraction read(wire::Fraction::Reader from) { return {from.getPart(), from.getWhole()}; }

void write(wire::Masking::Builder to, const MaskingPlan& masking) {
  to.setHonestMin(masking.honest_min);
  write(to.initCorrupt(), masking.corrupt);
  write(to.initDropped(), masking.dropped);
  write(to.initNewcomers(), masking.newcomers);
  to.setPhaseMs(masking.phase_ms);
}
MaskingPlan read(wire::Masking::Reader from) {
  return {.honest_min = from.getHonestMin(),
          .corrupt = read(from.getCorrupt()),
          .dropped = read(from.getDropped()),
          .newcomers = read(from.getNewcomers()),
          .phase_ms = from.getPhaseMs()};
}

void write(wire::Privacy::Builder to, const PrivacyPlan& privacy) {
  to.setOn(privacy.on);
  to.setEpsilon(privacy.epsilon);
  to.setDelta(privacy.delta);
  to.setNoiseMultiplier(privacy.noise_multiplier);
  to.setSamplingRate(privacy.sampling_rate);
  to.setHonestMin(privacy.honest_min);
  to.setAdaptiveClip(privacy.adaptive_clip);
  to.setClipQuantile(privacy.clip_quantile);
  to.setClipRate(privacy.clip_rate);
}
PrivacyPlan read(wire::Privacy::Reader from) {
  return {.on = from.getOn(),
          .epsilon = from.getEpsilon(),
          .delta = from.getDelta(),
          .noise_multiplier = from.getNoiseMultiplier(),
          .sampling_rate = from.getSamplingRate(),
          .honest_min = from.getHonestMin(),
          .adaptive_clip = from.getAdaptiveClip(),
          .clip_quantile = from.getClipQuantile(),
          .clip_rate = from.getClipRate()};
}

void write(wire::Logits::Builder to, const LogitsPlan& logits) {
  to.setOn(logits.on);
  to.setQuestion(as_capnp_data(logits.question));
  to.setRows(logits.rows);
  to.setCandidates(logits.candidates);
  to.setTemperature(logits.temperature);
  to.setSlope(logits.slope);
  to.setFull(logits.full);
}
Result<LogitsPlan> read(wire::Logits::Reader from) {
  LogitsPlan logits{.on = from.getOn(),
                    .question = {},
                    .rows = from.getRows(),
                    .candidates = from.getCandidates(),
                    .temperature = from.getTemperature(),
                    .slope = from.getSlope(),
                    .full = from.getFull()};
  TRY_ASSIGN(logits.question, read_bytes32(from.getQuestion(), "the plan's question"));
  return logits;
}

Result<Mode> read_mode(wire::Mode mode) {
  if (mode > wire::Mode::MASKED)
    return fail(Code::kBadInput, "a mode that this program does not know");
  return static_cast<Mode>(mode);
}
static_assert(static_cast<int>(wire::Mode::MASKED) == static_cast<int>(Mode::kMasked));

Result<Method> read_method(wire::Method method) {
  switch (method) {
    case wire::Method::FEDIT: return Method::kFedit;
    case wire::Method::FFA: return Method::kFfa;
    case wire::Method::ROLORA: return Method::kRolora;
    case wire::Method::FEDSVD: return Method::kFedsvd;
    case wire::Method::FEDSB: return Method::kFedsb;
  }
  return fail(Code::kBadInput, "a method that this program does not know");
}

wire::Method wire_method(Method method) {
  switch (method) {
    case Method::kFedit: return wire::Method::FEDIT;
    case Method::kFfa: return wire::Method::FFA;
    case Method::kRolora: return wire::Method::ROLORA;
    case Method::kFedsvd: return wire::Method::FEDSVD;
    case Method::kFedsb: return wire::Method::FEDSB;
  }
  CHECK(false, "method {}", static_cast<int>(method));
}

}  // namespace

void write(PlanWriter to, const CampaignPlan& plan) {
  const auto valid = validate(plan);
  CHECK(valid.has_value(), "an invalid plan is announced: {}", valid.error().what);
  to.setName(as_capnp_text(plan.name));
  to.setMode(static_cast<wire::Mode>(plan.mode));
  to.setMethod(wire_method(plan.method));
  std::visit([&](const auto& rule) { write(to.getRule(), rule); }, plan.rule);
  to.setRounds(plan.rounds);
  to.setCohortMin(plan.cohort_min);
  to.setCohortMax(plan.cohort_max);
  to.setSurvivorsMin(plan.survivors_min);
  to.setReadyMs(plan.ready_ms);
  to.setRoundMs(plan.round_ms);
  write(to.initLora(), plan.lora);
  write(to.initTraining(), plan.training);
  to.setClip(plan.clip);
  auto grid = to.initGrid();
  grid.setRange(plan.grid.range);
  grid.setBits(plan.grid.bits);
  grid.setWeightMax(plan.grid.weight_max);
  to.setModel(as_capnp_data(plan.model));
  write(to.initMasking(), plan.masking);
  write(to.initPrivacy(), plan.privacy);
  to.setEvaluation(plan.evaluation);
  if (plan.examples.on()) {
    auto examples = to.initExamples();
    examples.setNoiseMultiplier(plan.examples.noise_multiplier);
    examples.setClip(plan.examples.clip);
  }
  if (plan.logits != LogitsPlan{}) write(to.initLogits(), plan.logits);
}

Result<CampaignPlan> read(PlanReader from) {
  CampaignPlan plan;
  TRY_ASSIGN(plan.name, read_text(from.getName(), "the plan's name"));
  TRY_ASSIGN(plan.mode, read_mode(from.getMode()));
  TRY_ASSIGN(plan.method, read_method(from.getMethod()));
  TRY_ASSIGN(plan.rule, read_rule(from.getRule()));
  plan.rounds = from.getRounds();
  plan.cohort_min = from.getCohortMin();
  plan.cohort_max = from.getCohortMax();
  plan.survivors_min = from.getSurvivorsMin();
  plan.ready_ms = from.getReadyMs();
  plan.round_ms = from.getRoundMs();
  TRY_ASSIGN(plan.lora, read(from.getLora()));
  plan.training = read(from.getTraining());
  plan.clip = from.getClip();
  const auto grid = from.getGrid();
  plan.grid = {.range = grid.getRange(), .bits = grid.getBits(), .weight_max = grid.getWeightMax()};
  TRY_ASSIGN(plan.model, read_bytes32(from.getModel(), "the plan's model"));
  if (from.hasMasking()) plan.masking = read(from.getMasking());
  if (from.hasPrivacy()) plan.privacy = read(from.getPrivacy());
  plan.evaluation = from.getEvaluation();
  if (from.hasExamples()) {
    const auto examples = from.getExamples();
    plan.examples = {examples.getNoiseMultiplier(), examples.getClip()};
  }
  if (from.hasLogits()) {
    TRY_ASSIGN(plan.logits, read(from.getLogits()));
  }
  TRY(validate(plan));
  return plan;
}

}  // namespace freshet
