// `freshet model question`: makes what a campaign of masked logits asks, and shows it to people who
// are to approve it.

#include <fmt/core.h>

#include <cstdio>
#include <memory>

#include "base/exit_code.h"
#include "base/flags.h"
#include "base/json.h"
#include "base/limits.h"
#include "cli/model/adapter_flag.h"
#include "cli/model/data_flag.h"
#include "cli/model/loaded.h"
#include "cli/model/verbs.h"
#include "crypto/digest.h"
#include "model/files/model_parts.h"
#include "trainer/adaptation/questions.h"
#include "trainer/adaptation/teach.h"

namespace freshet {
namespace {

struct QuestionFlags {
  std::string file, llm, slm, text, adapter, show;
  int sequences = 64, window = 128, candidates = 16, threads = 1, seed = 1;
  bool json = false;
};

Result<Prompts> of_text(const QuestionFlags& flags, const VerbModel& slm) {
  TRY_ASSIGN(const std::vector<Document> documents, read_data(flags.text, slm.chat));
  TRY_ASSIGN(const Corpus corpus, make_corpus(slm.tokenizer, documents, 0, flags.window));
  return prompts_of(corpus.train, flags.window, flags.sequences);
}

Result<Prompts> written(const QuestionFlags& flags, const VerbModel& slm) {
  std::vector<float> values;
  Layout layout;
  Lora lora;
  if (!flags.adapter.empty()) {
    TRY_ASSIGN(LoadedAdapter adapter, load_adapter_flag(flags.adapter, slm.model.config));
    values = std::move(adapter.values);
    TRY_ASSIGN(layout, adapter_layout(slm.model.config, adapter.spec));
    lora = Lora(slm.model.config, layout, values.data(), nullptr, false, false);
  }
  WritingPlan plan{.window = flags.window,
                   .sequences = flags.sequences,
                   .seed = static_cast<std::uint64_t>(flags.seed)};
  TRY_ASSIGN(plan.starts, starts_of(slm.model, lora, plan));
  return write_prompts(slm.model, lora, 0, plan);
}

void say(const QuestionFlags& flags, const Question& question, ByteView bytes) {
  const Json json = {{"question", flags.file},
                     {"digest", to_hex(digest_of(bytes))},
                     {"bytes", bytes.size()},
                     {"prompts", question.rows() / static_cast<std::size_t>(question.window)},
                     {"window", question.window},
                     {"candidates", question.candidates}};
  if (flags.json) {
    std::puts(to_text(json).c_str());
    return;
  }
  for (const auto& [key, value] : json.items())
    fmt::print("{:<12} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
}

Result<void> make(const QuestionFlags& flags) {
  if (flags.slm.empty() || flags.llm.empty())
    return fail(Code::kBadInput, "a question is made by two models: give --slm and --llm");
  TRY_ASSIGN(const VerbModel slm, load_for_verb(flags.slm, "auto", flags.threads));
  TRY_ASSIGN(const VerbModel llm, load_for_verb(flags.llm, "auto", flags.threads));
  TRY_ASSIGN(Prompts prompts, flags.text.empty() ? written(flags, slm) : of_text(flags, slm));
  TRY_ASSIGN(const Question question,
             make_question(llm.model, slm.model, std::move(prompts), flags.candidates));
  const Bytes bytes = canonical_bytes(question);
  TRY(write_file_durably(flags.file, bytes));
  say(flags, question, bytes);
  return {};
}

// The prompts as text, and what is approved.
Result<void> show(const QuestionFlags& flags) {
  TRY_ASSIGN(const MappedFile file, MappedFile::open(flags.file));
  TRY_ASSIGN(const Question question, read_question(file.view()));
  TRY_ASSIGN(const ModelFiles files, open_model_folder(flags.show));
  TRY_ASSIGN(const Tokenizer tokenizer, read_tokenizer(files));
  const auto window = static_cast<std::size_t>(question.window);
  for (std::size_t at = 0; at < question.rows(); at += window)
    fmt::print("--- prompt {}\n{}\n", at / window + 1,
               tokenizer.decode(std::span(question.ids).subspan(at, window)));
  say(flags, question, file.view());
  return {};
}

}  // namespace

void add_question(Command& model, Verb& chosen) {
  auto flags = std::make_shared<QuestionFlags>();
  Command* verb = model.add_subcommand(
      "question", "Make the question of a campaign of masked logits, or show one");
  verb->add_option("FILE", flags->file, "The question")->required();
  verb->add_option("--slm", flags->slm, "The nodes' model, whose tokenizer they all have");
  verb->add_option("--llm", flags->llm, "The cloud model, with the same tokenizer");
  verb->add_option("--text", flags->text,
                   "Folder of public text to ask about; absent: text that the small model writes");
  verb->add_option("--adapter", flags->adapter,
                   "Of the small model while it writes: a campaign's slm_adapter");
  verb->add_option("--sequences", flags->sequences, "Prompts")->show_default()->range(1, 1 << 17);
  verb->add_option("--window", flags->window, "Tokens of a prompt")
      ->show_default()
      ->range(2, 32'768);
  verb->add_option("--candidates", flags->candidates, "For every token of them")
      ->show_default()
      ->range(1, limits::kDistillationTopKMax);
  verb->add_option("--seed", flags->seed, "Of what the small model writes")->show_default();
  verb->add_option("--threads", flags->threads, "To compute with")->show_default()->range(1, 1024);
  verb->add_option("--show", flags->show, "Print FILE's prompts with this model's tokenizer");
  verb->add_flag("--json", flags->json, "One JSON object");
  verb->callback([flags, &chosen] {
    chosen = [flags] {
      const Result<void> done = flags->show.empty() ? make(*flags) : show(*flags);
      return done ? 0 : report(done.error());
    };
  });
}

}  // namespace freshet
