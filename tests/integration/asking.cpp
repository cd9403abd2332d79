#include "tests/integration/asking.h"

#include "crypto/digest.h"
#include "model/files/model_parts.h"

namespace freshet {

Question some_question(const Path& model) {
  const ModelConfig config = must(read_config(must(open_model_folder(model))));
  Question question{config.vocab_size, 32, 4, {}, {}, {}};
  for (int i = 0; i < 64; ++i) {
    question.ids.push_back(100 + (i * 37) % 800);
    question.next.push_back(i % 32 == 31 ? -1 : 100 + ((i + 1) * 37) % 800);
    for (int k = 0; k < 4; ++k) question.candidate_ids.push_back(100 + (i * 37 + k * 61) % 900);
  }
  must(check_question(question));
  return question;
}

std::string own_words(int node) {
  std::string text;
  for (int i = 0; i < 600; ++i) text += " word" + std::to_string((i * (node + 3)) % 97);
  return text;
}

void ask(CampaignFile& file, const Path& llm, const Path& question_file) {
  const Bytes bytes = to_bytes(must(MappedFile::open(question_file)).view());
  const Question question = must(read_question(bytes));
  file.adapt = {.enabled = true, .llm = llm.string(), .public_text = {}};
  file.adapt.ways = {Way::kLogits};
  file.adapt.question = question_file.string();
  file.adapt.steps = 2;
  file.adapt.batch = 2;
  file.adapt.keeping = 1;
  file.adapt.window = 32;
  file.adapt.own_sequences = 1;
  CampaignPlan& plan = file.plan;
  plan.rule = Sgd{};
  plan.lora = {.rank = 2, .alpha = 4, .targets = {}, .seed = 1};
  plan.training = {.steps = 2, .batch = 2, .window = 32};
  plan.logits = {true,
                 digest_of(bytes),
                 static_cast<std::uint32_t>(question.rows()),
                 static_cast<std::uint32_t>(question.candidates),
                 1,
                 0,
                 0};  // all are sure
  fit_to_answers(plan);
  plan.model = must(tokenizer_digest(must(open_model_folder(file.model))));
}

}  // namespace freshet
