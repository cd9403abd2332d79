#include "trainer/adaptation/teach.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>

#include "trainer/adaptation/masked_logits.h"
#include "trainer/adaptation/questions.h"

namespace freshet {
namespace {

constexpr std::uint64_t kWritingStream = 1'000'000, kOwnStream = 2'000'000;
constexpr std::int64_t kSoundings = 64;  // windows from which beginnings are counted

Result<void> check_models(const Transformer& student, const Teacher& teacher,
                          const TeachPlan& plan) {
  const ModelConfig &large = student.config, &small = teacher.model.config;
  if (large.vocab_size != small.vocab_size)
    return fail(Code::kBadInput,
                "teacher and student have vocabularies of different size; they need one tokenizer");
  if (plan.top_k < 1 || plan.top_k > large.vocab_size)
    return fail(Code::kBadInput,
                "top_k " + std::to_string(plan.top_k) + " is not within the vocabulary");
  if (plan.window >= std::min(large.max_positions, small.max_positions))
    return fail(Code::kBadInput, "a window of " + std::to_string(plan.window) +
                                     " tokens is longer than the positions of a model");
  if (plan.keeping < 0 || plan.keeping >= plan.batch)
    return fail(Code::kBadInput, "keeping " + std::to_string(plan.keeping) + " of a batch of " +
                                     std::to_string(plan.batch) + " leaves nothing to learn from");
  return {};
}

// The two models, and all that lessons are made of.
class Teaching {
 public:
  Teaching(const Transformer& student, const Teacher& teacher, const TeachPlan& plan,
           const Layout& layout)
      : student_(student),
        teacher_(teacher),
        plan_(plan),
        wears_(teacher.adapter.empty() ? Lora()
                                       : Lora(teacher.model.config, layout, teacher.adapter.data(),
                                              nullptr, false, false)),
        large_(student, none_),
        tuned_(teacher.model, wears_),
        base_(teacher.model, none_),
        moved_(large_, tuned_, base_, 1) {}

  Result<void> add_public(const TokenStream* text) {
    if (text == nullptr || text->empty())
      return fail(Code::kBadInput, "the public text is empty: give a folder with some");
    const bool heard = plan_.weight > 0 || plan_.weight_end > 0;
    TRY_ASSIGN(Prompts prompts,
               prompts_of(*text, plan_.window, heard ? plan_.public_sequences : 0));
    lessons_.push_back(heard ? gated(prompts) : silent_lesson(std::move(prompts)));
    shares_.push_back({&lessons_.back(), 1, plan_.weight, plan_.weight_end});
    return {};
  }

  Result<void> add_written() {
    WritingPlan writing{.window = plan_.window,
                        .sequences = plan_.written_sequences,
                        .seed = plan_.seed + kWritingStream};
    TRY_ASSIGN(writing.starts, starts_of(teacher_.model, wears_, writing));
    TRY_ASSIGN(const Prompts prompts, write_prompts(teacher_.model, wears_, teacher_.bos, writing));
    lessons_.push_back(says(teacher(), prompts));
    shares_.push_back({&lessons_.back(), 1, 1, 1});
    return {};
  }

  // Where all nodes are silent, the student's own distribution.
  Result<void> add_answers(const Question* question, const std::vector<float>* answers) {
    if (question == nullptr || answers == nullptr)
      return fail(Code::kBadInput, "there is no question that the nodes have answered");
    TRY_ASSIGN(Lesson lesson,
               lesson_of_mean(prompts_of(*question), candidates_of(*question), plan_.temperature,
                              *answers, {.silence = plan_.silence, .sharpen = plan_.sharpen}));
    TRY(check_lesson(lesson, large_.vocab()));
    fill_closed_gates(lesson,
                      lesson_of(large_, lesson.prompts, question->candidates, plan_.temperature));
    lessons_.push_back(std::move(lesson));
    shares_.push_back({&lessons_.back(), 1, 1, 1});
    return {};
  }

  // What the student writes itself, and what it says of that before it learns anything.
  Result<void> add_own() {
    if (plan_.keeping == 0) return {};
    WritingPlan writing{
        .window = plan_.window, .sequences = plan_.own_sequences, .seed = plan_.seed + kOwnStream};
    if (teacher_.bos < 0) writing.starts.assign(static_cast<std::size_t>(large_.vocab()), 1);
    TRY_ASSIGN(const Prompts prompts, write_prompts(student_, none_, teacher_.bos, writing));
    lessons_.push_back(says(large_, prompts));
    shares_.push_back({&lessons_.back(), plan_.keeping, 1, 1, false});
    return {};
  }

  // The first `count` shares have the batch but for what is kept, as evenly as it goes.
  void share_out(std::size_t count) {
    const int there = plan_.batch - plan_.keeping, each = there / static_cast<int>(count);
    for (std::size_t i = 0; i < count; ++i) shares_[i].sequences = each;
    shares_[0].sequences += there - each * static_cast<int>(count);
  }

  const std::vector<LessonShare>& shares() const { return shares_; }

 private:
  LogitSource& teacher() { return plan_.shift ? static_cast<LogitSource&>(moved_) : tuned_; }

  Lesson says(LogitSource& source, const Prompts& prompts) {
    return lesson_of(source, prompts, plan_.top_k, plan_.temperature);
  }

  // The teacher where it gives what follows more probability than the student does, else the
  // student itself.
  Lesson gated(const Prompts& prompts) {
    std::vector<float> taught, known;
    Lesson lesson = lesson_of(teacher(), prompts, plan_.top_k, plan_.temperature, &taught);
    const Lesson own = lesson_of(large_, prompts, plan_.top_k, plan_.temperature, &known);
    lesson.gate = gate_where_better(taught, known);
    fill_closed_gates(lesson, own);
    return lesson;
  }

  const Transformer& student_;
  const Teacher& teacher_;
  const TeachPlan& plan_;
  Lora none_, wears_;
  ModelLogits large_, tuned_, base_;
  ProxyLogits moved_;
  std::deque<Lesson> lessons_;  // which shares point to
  std::vector<LessonShare> shares_;
};

}  // namespace

Result<std::vector<double>> starts_of(const Transformer& model, const Lora& lora,
                                      const WritingPlan& plan) {
  const auto vocab = static_cast<std::size_t>(model.config.vocab_size);
  WritingPlan sounding = plan;
  sounding.sequences = kSoundings;
  sounding.starts.assign(vocab, 1);
  sounding.seed = plan.seed + kSoundings;
  TRY_ASSIGN(const Prompts written, write_prompts(model, lora, 0, sounding));
  std::vector<double> starts(vocab);
  for (const TokenId id : written.next)
    if (id >= 0) starts[static_cast<std::size_t>(id)] += 1;
  return starts;
}

Result<Finetuned> teach(const Transformer& student, const Teacher& teacher, const TeachPlan& plan,
                        const TeachMaterial& material, const AdaptationStep& step_done) {
  TRY(check_models(student, teacher, plan));
  TRY_ASSIGN(const Layout layout, adapter_layout(teacher.model.config, teacher.spec));
  if (!teacher.adapter.empty() && teacher.adapter.size() != layout.size)
    return fail(Code::kBadInput, "the teacher's adapter does not fit the teacher");
  Teaching teaching(student, teacher, plan, layout);
  if (plan.of_written) TRY(teaching.add_written());
  if (plan.of_answers) TRY(teaching.add_answers(material.question, material.answers));
  if (plan.of_public) TRY(teaching.add_public(material.public_text));
  if (teaching.shares().empty()) return fail(Code::kBadInput, "there is no lesson to learn from");
  teaching.share_out(teaching.shares().size());
  TRY(teaching.add_own());
  AdaptationPlan adaptation;
  adaptation.adapter = plan.adapter;
  adaptation.steps = plan.steps;
  adaptation.warmup = std::max(1, plan.steps / 15);
  adaptation.lr = plan.lr;
  adaptation.seed = plan.seed;
  return adapt(student, adaptation, {}, teaching.shares(), step_done);
}

}  // namespace freshet
