// Lessons and what is learned of them: candidates and the rest, the gate, the gradient, and that
// masked answers mean what they say.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "tests/trainer/tiny_transformer.h"
#include "trainer/adaptation/adapt.h"
#include "trainer/adaptation/masked_logits.h"
#include "trainer/adaptation/measure.h"
#include "trainer/finetune.h"

namespace freshet {
namespace {

constexpr int kPupilVocabulary = 32, kPupilWindow = 16;

Transformer pupil_model(int hidden, std::uint64_t seed) {
  return tiny_transformer({.vocabulary = kPupilVocabulary, .hidden = hidden}, seed);
}

TokenStream pupil_text(std::size_t count, std::uint64_t seed, int step) {
  Rng rng(seed);
  std::vector<TokenId> ids{1};
  while (ids.size() < count)
    ids.push_back(step == 0 ? static_cast<TokenId>(rng.below(kPupilVocabulary))
                            : (ids.back() + step + static_cast<TokenId>(rng.below(2))) %
                                  kPupilVocabulary);
  TokenStream stream;
  stream.append(ids, {}, count);
  return stream;
}

Prompts pupil_prompts(std::int64_t sequences, std::uint64_t seed = 4) {
  return prompts_of(pupil_text(4000, seed, 0), kPupilWindow, sequences).value();
}

// A student with an adapter that does something, the gradient of a loss, and the loss elsewhere.
struct Pupil {
  Transformer model = pupil_model(16, 7);
  AdapterSpec spec{4, 8};
  Layout layout = adapter_layout(model.config, spec).value();
  std::vector<float> values, gradient;
  Pupil() : values(initial_adapter(layout, 5)), gradient(layout.size) {
    Rng rng(6);
    for (float& value : values) value += 0.1f * (static_cast<float>(rng.uniform()) - 0.5f);
  }
  double loss(const std::vector<float>& at, const TokenBatch& batch, const TeacherRows& said,
              bool train) {
    std::fill(gradient.begin(), gradient.end(), 0.0f);
    const Lora lora(model.config, layout, at.data(), train ? gradient.data() : nullptr, train,
                    train);
    Pass pass(model, lora, {.rows_max = batch.rows(), .train = train});
    return pass.run(batch, 1, &said);
  }
};

TeacherRows rows_said(const Lesson& lesson, float weight) {
  TeacherRows said;
  said.ids.assign(lesson.candidates.ids.begin(), lesson.candidates.ids.end());
  said.q = lesson.answers.q;
  said.kept = lesson.candidates.size;
  said.temperature = lesson.answers.temperature;
  said.teacher_weight = weight;
  said.plain_weight = 1 - weight;
  said.gate = lesson.gate;
  return said;
}

double norm_of(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(sum);
}

TEST(Lesson, CandidatesAreTheLikeliestOfBothInTurnAndNoneTwice) {
  const Transformer a = pupil_model(16, 7), b = pupil_model(24, 8);
  const Lora none;
  ModelLogits za(a, none), zb(b, none);
  const Prompts prompts = pupil_prompts(3);
  const CandidateSets alone = candidate_sets(za, nullptr, prompts, 6),
                      of_b = candidate_sets(zb, nullptr, prompts, 6),
                      both = candidate_sets(za, &zb, prompts, 6);
  for (std::size_t at = 0; at < both.ids.size(); at += 6) {
    const std::span row = std::span(both.ids).subspan(at, 6);
    EXPECT_EQ(std::set<TokenId>(row.begin(), row.end()).size(), 6u);
    for (const std::size_t first : {at, at}) {
      EXPECT_NE(std::find(row.begin(), row.end(), alone.ids[first]), row.end());
      EXPECT_NE(std::find(row.begin(), row.end(), of_b.ids[first]), row.end());
    }
  }
  EXPECT_NE(alone.ids, both.ids);
}

TEST(Lesson, AnswersAreSharesAndTheWholeVocabularyLeavesNoRest) {
  const Transformer model = pupil_model(16, 7);
  const Lora none;
  ModelLogits z(model, none);
  const Prompts prompts = pupil_prompts(2);
  const Lesson some = lesson_of(z, prompts, 4, 2), all = lesson_of(z, prompts, kPupilVocabulary, 2);
  EXPECT_TRUE(check_lesson(some, kPupilVocabulary));
  for (std::int64_t row = 0; row < prompts.rows(); ++row) {
    double of_some = 0, of_all = 0;
    for (int i = 0; i < 4; ++i) of_some += some.answers.q[static_cast<std::size_t>(row * 4 + i)];
    for (int i = 0; i < kPupilVocabulary; ++i)
      of_all += all.answers.q[static_cast<std::size_t>(row * kPupilVocabulary + i)];
    EXPECT_LT(of_some, 0.99);
    EXPECT_NEAR(of_all, 1, 1e-5);
    EXPECT_EQ(some.answers.q[static_cast<std::size_t>(row * 4)],
              all.answers.q[static_cast<std::size_t>(row * kPupilVocabulary)]);
  }
  EXPECT_EQ(answer(z, prompts, some.candidates, 2).q, some.answers.q);
}

TEST(Lesson, GradientIsThatOfFiniteDifferences) {
  Pupil pupil;
  const Transformer teacher = pupil_model(24, 9);
  const Lora none;
  ModelLogits z(teacher, none);
  for (const float temperature : {1.0f, 2.0f}) {
    Lesson lesson = lesson_of(z, pupil_prompts(2), 5, temperature);
    Rng rng(11);
    for (std::int64_t row = 0; row < lesson.prompts.rows(); ++row)
      lesson.gate.push_back(static_cast<float>(rng.uniform()));
    const TokenBatch batch = batch_of(lesson.prompts, 0, 2);
    const TeacherRows said = rows_said(lesson, 0.7f);
    pupil.loss(pupil.values, batch, said, true);
    const std::vector<float> gradient = pupil.gradient;
    std::vector<float> direction(gradient.size());
    double along = 0;
    for (std::size_t i = 0; i < direction.size(); ++i) {
      direction[i] =
          gradient[i] > 0 ? 1.0f : -1.0f;  // so that the difference is well above rounding
      along += static_cast<double>(gradient[i] * direction[i]);
    }
    const float step = 1e-4f;
    std::vector<float> up = pupil.values, down = pupil.values;
    for (std::size_t i = 0; i < up.size(); ++i) {
      up[i] += step * direction[i];
      down[i] -= step * direction[i];
    }
    const double difference =
        (pupil.loss(up, batch, said, false) - pupil.loss(down, batch, said, false)) /
        (2 * static_cast<double>(step));
    EXPECT_NEAR(difference / along, 1, 0.01) << "temperature " << temperature;
  }
}

TEST(Lesson, NothingIsLearnedOfATeacherThatSaysWhatTheStudentSays) {
  Pupil pupil;
  const Lora lora(pupil.model.config, pupil.layout, pupil.values.data(), nullptr, false, false);
  ModelLogits z(pupil.model, lora);
  for (const float temperature : {1.0f, 3.0f}) {
    Lesson lesson = lesson_of(z, pupil_prompts(2), 4, temperature);
    const TokenBatch batch = batch_of(lesson.prompts, 0, 2);
    pupil.loss(pupil.values, batch, rows_said(lesson, 1), true);
    EXPECT_LT(norm_of(pupil.gradient), 1e-3);
    // Shares of the kept ones alone, made to add up to 1, would teach a certainty nobody has.
    for (std::size_t at = 0; at < lesson.answers.q.size(); at += 4) {
      float kept = 0;
      for (std::size_t i = at; i < at + 4; ++i) kept += lesson.answers.q[i];
      for (std::size_t i = at; i < at + 4; ++i) lesson.answers.q[i] /= kept;
    }
    pupil.loss(pupil.values, batch, rows_said(lesson, 1), true);
    EXPECT_GT(norm_of(pupil.gradient), 0.1);
  }
}

TEST(Lesson, AClosedGateLeavesThePlainLossAlone) {
  Pupil pupil;
  const Transformer teacher = pupil_model(24, 9);
  const Lora none;
  ModelLogits z(teacher, none);
  Lesson lesson = lesson_of(z, pupil_prompts(2), 4, 1);
  const TokenBatch batch = batch_of(lesson.prompts, 0, 2);
  const double open = pupil.loss(pupil.values, batch, rows_said(lesson, 0.5f), false);
  const double plain = pupil.loss(pupil.values, batch, rows_said(lesson, 0), false);
  lesson.gate.assign(static_cast<std::size_t>(lesson.prompts.rows()), 0.0f);
  EXPECT_NEAR(pupil.loss(pupil.values, batch, rows_said(lesson, 0.5f), false), plain / 2, 1e-3);
  EXPECT_NE(open, plain);
}

TEST(Lesson, TheGateOpensWhereTheTeacherKnowsMoreAndTheRestSaysWhatTheStudentSays) {
  const std::vector<float> gate = gate_where_better({-1, -2, -3}, {-2, -1, -3});
  EXPECT_EQ(gate, (std::vector<float>{1, 0, 0}));
  Lesson lesson{{3, {1, 2, 3}, {2, 3, -1}}, {1, {4, 5, 6}}, {1, {0.1f, 0.2f, 0.3f}}, gate};
  const Lesson own{lesson.prompts, {1, {7, 8, 9}}, {1, {0.7f, 0.8f, 0.9f}}, {}};
  fill_closed_gates(lesson, own);
  EXPECT_EQ(lesson.candidates.ids, (std::vector<TokenId>{4, 8, 9}));
  EXPECT_EQ(lesson.answers.q, (std::vector<float>{0.1f, 0.8f, 0.9f}));
  EXPECT_TRUE(lesson.gate.empty());
}

TEST(Lesson, RefusesWhatDoesNotFit) {
  const Lesson good{{2, {1, 2}, {2, -1}}, {1, {4, 5}}, {1, {0.5f, 0.25f}}, {}};
  EXPECT_TRUE(check_lesson(good, 8));
  EXPECT_FALSE(check_lesson(good, 5));  // candidate 5
  Lesson bad = good;
  bad.answers.q.pop_back();
  EXPECT_FALSE(check_lesson(bad, 8));
  bad = good;
  bad.answers.q[1] = std::nanf("");
  EXPECT_FALSE(check_lesson(bad, 8));
  bad = good;
  bad.gate = {1.0f};
  EXPECT_FALSE(check_lesson(bad, 8));
}

TEST(Adapt, TeachesWhatTheTextDoesNotSayAndIsTheSameEveryTime) {
  const Transformer student = pupil_model(16, 7), teacher = pupil_model(24, 8);
  const TokenStream secret = pupil_text(4000, 2, 11);
  const AdapterSpec spec{8, 16};
  const FinetunePlan tuning = {.adapter = spec,
                               .train_a = true,
                               .train_b = true,
                               .steps = 200,
                               .batch = 8,
                               .window = kPupilWindow,
                               .lr = 2e-2f,
                               .seed = 3};
  const Result<Finetuned> tuned = finetune(teacher, tuning, {}, secret, {});
  ASSERT_TRUE(tuned);
  const Layout layout = adapter_layout(teacher.config, spec).value();
  const Lora lora(teacher.config, layout, tuned->adapter.data(), nullptr, false, false);
  ModelLogits z(teacher, lora);
  const Lesson lesson = lesson_of(z, pupil_prompts(100), 8, 1);
  const AdaptationPlan plan = {.adapter = spec, .steps = 150, .warmup = 5, .lr = 1e-2f, .seed = 3};
  const LessonShare taught[] = {{&lesson, 4, 1, 1}}, control[] = {{&lesson, 4, 0, 0}};
  const Result<Finetuned> learned = adapt(student, plan, {}, taught),
                          again = adapt(student, plan, {}, taught),
                          alone = adapt(student, plan, {}, control);
  ASSERT_TRUE(learned && again && alone);
  EXPECT_EQ(learned->adapter, again->adapter);
  const auto loss = [&](const std::vector<float>& adapter) {
    return evaluate(student, spec, adapter, secret.ids, 1, kPupilWindow, {})->nll_per_token();
  };
  EXPECT_LT(loss(learned->adapter), loss(alone->adapter) - 0.3);
  EXPECT_FALSE(adapt(student, plan, {}, {}));
  EXPECT_FALSE(adapt(student, plan, std::vector<float>(3), taught));
}

TEST(Proxy, MovesTheLargeModelByWhatTuningChanged) {
  const Transformer large = pupil_model(24, 9);
  Pupil small;
  const Lora none,
      lora(small.model.config, small.layout, small.values.data(), nullptr, false, false);
  ModelLogits z(large, none), tuned(small.model, lora), base(small.model, none);
  const TokenBatch batch = batch_of(pupil_prompts(1), 0, 1);
  const auto logits = [&](LogitSource& source) {
    std::vector<float> out(static_cast<std::size_t>(batch.rows() * kPupilVocabulary));
    source.read(batch);
    source.rows(0, batch.rows(), out.data());
    return out;
  };
  const std::vector<float> of_large = logits(z), of_tuned = logits(tuned), of_base = logits(base);
  ProxyLogits none_of_it(z, tuned, base, 0), moved(z, tuned, base, 0.5f), unmoved(z, base, base, 3);
  EXPECT_EQ(logits(none_of_it), of_large);
  const std::vector<float> found = logits(moved), same = logits(unmoved);
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], of_large[i] + 0.5f * (of_tuned[i] - of_base[i]), 1e-4);
    EXPECT_NEAR(same[i], of_large[i], 1e-4);
  }
}

TEST(MeasuredLogits, AgreeWithEvaluate) {
  const Transformer model = pupil_model(16, 7);
  const TokenStream text = pupil_text(333, 3, 5);
  const Lora none;
  ModelLogits z(model, none);
  const Result<Measured> found = measure(z, text.ids, text.bytes, kPupilWindow);
  const Result<Evaluation> expected =
      evaluate(model, {}, {}, text.ids, text.bytes, kPupilWindow, {});
  ASSERT_TRUE(found && expected);
  EXPECT_NEAR(found->evaluation.nll, expected->nll, 1e-3 * expected->nll);
  EXPECT_EQ(found->evaluation.tokens, expected->tokens);
  EXPECT_EQ(found->window_nll.size(), 21u);  // 20 whole ones and one of 12 tokens
  EXPECT_FALSE(measure(z, std::span(text.ids).first(1), 1, kPupilWindow));
}

TEST(MeasuredLogits, CalibrationErrorIsTheDistanceOfCertaintyFromBeingRight) {
  Calibration calibration;
  for (int i = 0; i < 10; ++i) calibration.add(0.95f, i < 5);
  EXPECT_NEAR(calibration.error(), 0.45, 1e-6);
  Calibration right;
  for (int i = 0; i < 4; ++i) right.add(0.25f, i < 1);
  EXPECT_NEAR(right.error(), 0, 1e-6);
  calibration.add(right);
  EXPECT_NEAR(calibration.error(), 0.45 * 10 / 14, 1e-6);
}

TEST(MaskedLogits, AMeanOfVectorsIsTheConfidenceWeightedMeanOfDistributions) {
  const Prompts prompts{2, {1, 2}, {2, 3}};
  const CandidateSets candidates{2, {4, 5, 6, 7}};
  const Answers a{1, {0.5f, 0.25f, 0.1f, 0.2f}}, b{1, {0.1f, 0.1f, 0.4f, 0.4f}};
  const std::vector<float> of_a = logit_vector(candidates, a, {1.0f, 0.5f}),
                           of_b = logit_vector(candidates, b, {0.5f, 0.0f});
  ASSERT_EQ(of_a.size(), logit_vector_size(prompts, candidates));
  std::vector<float> mean(of_a.size());
  for (std::size_t i = 0; i < mean.size(); ++i) mean[i] = (of_a[i] + of_b[i]) / 2;
  const Result<Lesson> lesson = lesson_of_mean(prompts, candidates, 1, mean, {.silence = 0.1f});
  ASSERT_TRUE(lesson);
  EXPECT_NEAR(lesson->answers.q[0], (0.5 + 0.5 * 0.1) / 1.5, 1e-6);
  EXPECT_NEAR(lesson->answers.q[1], (0.25 + 0.5 * 0.1) / 1.5, 1e-6);
  EXPECT_NEAR(lesson->answers.q[2], 0.1, 1e-6);  // of a alone
  EXPECT_EQ(lesson->gate, (std::vector<float>{1, 1}));
  EXPECT_EQ(lesson_of_mean(prompts, candidates, 1, mean, {.silence = 0.3f})->gate,
            (std::vector<float>{1, 0}));
}

TEST(MaskedLogits, SharpeningMakesTheLikeliestLikelier) {
  const Prompts prompts{1, {1}, {2}};
  const CandidateSets candidates{2, {4, 5}};
  const Result<Lesson> sharp =
      lesson_of_mean(prompts, candidates, 1, {0.5f, 0.25f, 0.25f}, {.sharpen = 2});
  ASSERT_TRUE(sharp);
  EXPECT_NEAR(sharp->answers.q[0], 4.0 / 6, 1e-6);
}

TEST(MaskedLogits, RefusesAMeanOfAnotherShapeOrOfNoNumbers) {
  const Prompts prompts{1, {1}, {2}};
  const CandidateSets candidates{2, {4, 5}};
  EXPECT_FALSE(lesson_of_mean(prompts, candidates, 1, {0.5f, 0.5f}, {}));
  EXPECT_FALSE(lesson_of_mean(prompts, candidates, 1, {0.5f, 0.5f, std::nanf("")}, {}));
  const Result<Lesson> negative = lesson_of_mean(prompts, candidates, 1, {0.5f, -0.1f, 0.5f}, {});
  ASSERT_TRUE(negative);  // rounding and noise
  EXPECT_EQ(negative->answers.q[1], 0);
}

TEST(MaskedLogits, ANodeIsSureOfWhatItsTuningPredictsBetterThanItsBase) {
  const Prompts prompts{2, {1, 2, 3, 4}, {2, 3, 4, 5}};
  const std::vector<float> sure =
      confidence_of(prompts, {-1, -1, -3, -3}, {-2, -2, -3, -3}, {.slope = 4, .full = 0.5f});
  EXPECT_EQ(sure[0], 1);
  EXPECT_EQ(sure[1], 1);
  EXPECT_NEAR(sure[2], std::exp(-2.0), 1e-6);
}

TEST(Prompts, AreWholeWindowsWithWhatFollows) {
  const TokenStream text = pupil_text(100, 3, 5);
  const Result<Prompts> all = prompts_of(text, 16, 0), some = prompts_of(text, 16, 2);
  ASSERT_TRUE(all && some);
  EXPECT_EQ(all->sequences(), 6);
  EXPECT_EQ(some->sequences(), 2);
  EXPECT_EQ(all->next[15], text.ids[16]);
  EXPECT_EQ(some->ids[16], text.ids[48]);
  EXPECT_FALSE(prompts_of(text, 101, 0));
  EXPECT_EQ(joined(*all, *some).sequences(), 8);
}

TEST(Prompts, AModelWritesTheSameTextFromTheSameSeed) {
  const Transformer model = pupil_model(16, 7);
  const Lora none;
  const WritingPlan plan{.window = 16, .sequences = 5, .seed = 9};
  const Result<Prompts> a = write_prompts(model, none, 1, plan),
                        b = write_prompts(model, none, 1, plan);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->sequences(), 5);
  EXPECT_EQ(a->ids, b->ids);
  EXPECT_EQ(a->ids[0], 1);
  EXPECT_EQ(a->next[15], a->ids[16]);  // a text goes over from window to window
  EXPECT_FALSE(write_prompts(model, none, 1, {.window = 64}));
  const Result<Prompts> no_doubles =
      write_prompts(model, none, 1, {.window = 16, .sequences = 40, .repeats_max = 1, .seed = 9});
  ASSERT_TRUE(no_doubles);
  EXPECT_EQ(no_doubles->sequences(), 40);
  for (std::size_t i = 1; i < no_doubles->ids.size(); ++i)
    if (i % 16 != 0) {
      EXPECT_NE(no_doubles->ids[i], no_doubles->ids[i - 1]) << i;
    }
}

}  // namespace
}  // namespace freshet
