#include "trainer/generate.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/exit_code.h"
#include "base/json.h"
#include "cli/model/adapter_flag.h"
#include "cli/model/verbs.h"
#include "trainer/local_model.h"
#include "trainer/threads.h"

namespace freshet {
namespace {

struct Flags {
  std::string model, prompt, adapter;
  GeneratePlan plan;
  int threads = 2, logits = 0;
  bool json = false;
};

Result<void> run(Flags flags) {
  warm_up(flags.threads);
  TRY_ASSIGN(const ModelFiles files, open_model_folder(flags.model));
  TRY_ASSIGN(LocalModel model, LocalModel::load(files));
  TRY_ASSIGN(const LoadedAdapter adapter, load_adapter_flag(flags.adapter, model.config()));
  const std::vector<int>& ends = model.config().eos_ids;
  flags.plan.eos_id = ends.empty() ? -1 : ends.front();
  const std::vector<TokenId> prompt = model.tokenizer().encode(flags.prompt, true);
  TRY_ASSIGN(const Generated made, model.generate(adapter.spec, adapter.values, prompt, flags.plan));
  std::vector<TokenId> all = prompt;
  all.insert(all.end(), made.ids.begin(), made.ids.end());
  const std::string text = model.tokenizer().decode(all);
  if (!flags.json) {
    std::printf("%s\n", text.c_str());
    return {};
  }
  Json out = {{"prompt_ids", prompt}, {"ids", made.ids}, {"text", text}};
  if (flags.logits > 0) {
    const std::size_t count = std::min(made.prompt_logits.size(), static_cast<std::size_t>(flags.logits));
    out["prompt_logits"] = std::vector<float>(made.prompt_logits.begin(), made.prompt_logits.begin() + static_cast<std::ptrdiff_t>(count));
  }
  std::puts(to_text(out).c_str());
  return {};
}

}  // namespace

void add_generate(CLI::App& model, Verb& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = model.add_subcommand("generate", "Continue a prompt");
  verb->add_option("MODEL", flags->model, "Model folder (Hugging Face form)")->required();
  verb->add_option("--prompt", flags->prompt, "Text to continue")->required();
  verb->add_option("--max-tokens", flags->plan.tokens_max)->capture_default_str()->check(CLI::Range(1, 1'000'000));
  verb->add_flag("--greedy", flags->plan.greedy, "Always the likeliest token");
  verb->add_option("--temperature", flags->plan.temperature)->capture_default_str()->check(CLI::Range(0.01f, 100.0f));
  verb->add_option("--seed", flags->plan.seed)->capture_default_str();
  verb->add_option("--adapter", flags->adapter, "PEFT folder of a LoRA adapter");
  verb->add_option("--logits", flags->logits, "With --json: the first so many logits after the prompt")->check(CLI::Range(0, 1'000'000));
  verb->add_option("--threads", flags->threads)->capture_default_str()->check(CLI::Range(1, 256));
  verb->add_flag("--json", flags->json, "One JSON object");
  verb->callback([flags, &chosen] {
    chosen = [flags] {
      const Result<void> done = run(*flags);
      return done ? 0 : report(done.error());
    };
  });
}

}  // namespace freshet
