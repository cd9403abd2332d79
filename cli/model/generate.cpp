#include "trainer/generate.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/exit_code.h"
#include "base/flags.h"
#include "base/json.h"
#include "cli/model/adapter_flag.h"
#include "cli/model/loaded.h"
#include "cli/model/proxy_flags.h"
#include "cli/model/verbs.h"
#include "model/text/document.h"
#include "trainer/adaptation/proxy_writer.h"
#include "trainer/transformer/generation.h"
#include "trainer/transformer/large_pages.h"

namespace freshet {
namespace {

constexpr int kWorthACopy = 16;  // tokens that each read the whole model

struct GenerateFlags {
  std::string model, prompt, chat, system, adapter, precision = "auto";
  std::vector<TokenId> prompt_ids;
  GeneratePlan plan;
  int threads = 2, logits = 0;
  ProxyFlags proxy;
  bool has_chat = false, json = false;
};

Result<std::vector<TokenId>> prompt_of(const GenerateFlags& flags, const VerbModel& model) {
  if (!flags.prompt_ids.empty()) return flags.prompt_ids;
  if (!flags.has_chat) return model.tokenizer.encode(flags.prompt, true);
  if (!model.chat) return fail_in("--chat", model.chat.error());
  std::vector<Message> messages;
  if (!flags.system.empty()) messages.push_back({"system", flags.system});
  messages.push_back({"user", flags.chat});
  TRY_ASSIGN(const Document document, model.chat->render_prompt(messages));
  return DocumentEncoder(model.tokenizer).encode(document).ids;
}

// The model's own ends, that of a turn, and every stop text that is one special token, which gives
// no text.
void take_ends(const VerbModel& model, bool chat, GeneratePlan& plan) {
  plan.eos_ids = model.model.config.eos_ids;
  if (chat) plan.stops.emplace_back(model.chat->end_of_turn());
  for (const std::string& stop : plan.stops)
    if (const TokenId id = model.tokenizer.id_of(stop); id >= 0 && model.tokenizer.is_special(id))
      plan.eos_ids.push_back(id);
}

void print_piece(std::string_view piece) {
  std::fwrite(piece.data(), 1, piece.size(), stdout);
  if (::isatty(STDOUT_FILENO) != 0) std::fflush(stdout);
}

void print_json(const GenerateFlags& flags, const std::vector<TokenId>& prompt,
                const std::string& before, const Generated& made) {
  const double seconds = made.prompt_seconds + made.seconds;
  Json out = {
      {"prompt_ids", prompt},
      {"ids", made.ids},
      {"text", before + made.text},
      {"stopped", name_of(made.stopped)},
      {"seconds", seconds},
      {"prompt_seconds", made.prompt_seconds},
      {"tokens_per_second", seconds > 0 ? static_cast<double>(made.ids.size()) / seconds : 0.0}};
  if (flags.logits > 0) {
    const auto count = std::min<std::ptrdiff_t>(std::ssize(made.prompt_logits), flags.logits);
    out["prompt_logits"] =
        std::vector<float>(made.prompt_logits.begin(), made.prompt_logits.begin() + count);
  }
  std::puts(to_text(out).c_str());
}

// By the model alone, or moved by a small one.
Result<Generated> continued(const GenerateFlags& flags, const VerbModel& model, const Lora& lora,
                            const std::vector<TokenId>& prompt, const OnPiece& on_piece) {
  if (!flags.proxy.given())
    return generate(model.model, lora, &model.tokenizer, prompt, flags.plan, on_piece);
  TRY_ASSIGN(const std::unique_ptr<SmallModel> small,
             load_proxy(flags.proxy, model.tokenizer, flags.precision, flags.threads));
  TRY_ASSIGN(const Writer writer, proxy_writer({model.model, lora, small->model(), small->tuned(),
                                                flags.proxy.weight, flags.proxy.mixed}));
  return generate(writer, &model.tokenizer, prompt, flags.plan, on_piece);
}

Result<void> run(GenerateFlags flags) {
  TRY_ASSIGN(VerbModel model, load_for_verb(flags.model, flags.precision, flags.threads));
  if (flags.plan.tokens_max >= kWorthACopy && has_room_for_copy(model.model))
    move_to_large_pages(model.model);
  const ModelConfig& config = model.model.config;
  TRY_ASSIGN(const LoadedAdapter adapter, load_adapter_flag(flags.adapter, config));
  TRY_ASSIGN(const Layout layout, adapter_layout(config, adapter.spec));
  const Lora lora = adapter.values.empty()
                        ? Lora()
                        : Lora(config, layout, adapter.values.data(), nullptr, false, false);
  TRY_ASSIGN(const std::vector<TokenId> prompt, prompt_of(flags, model));
  take_ends(model, flags.has_chat, flags.plan);
  const std::string before =
      flags.has_chat ? "" : model.tokenizer.decode(prompt);  // an answer stands alone
  bool begun = false;
  const OnPiece on_piece = [&](std::string_view piece) {
    if (!std::exchange(begun, true)) print_piece(before);
    print_piece(piece);
  };
  TRY_ASSIGN(const Generated made,
             continued(flags, model, lora, prompt, flags.json ? OnPiece() : on_piece));
  if (flags.json) {
    print_json(flags, prompt, before, made);
    return {};
  }
  if (!begun) print_piece(before);
  print_piece("\n");
  return {};
}

void add_sampling_flags(Command& verb, GeneratePlan& plan) {
  verb.add_option("--max-tokens", plan.tokens_max, "Of the continuation")
      ->show_default()
      ->range(1, 1'000'000);
  Flag* greedy = verb.add_flag("--greedy", plan.greedy, "Always the likeliest token");
  verb.add_option("--temperature", plan.temperature,
                  "Under 1 nearer to the likeliest, over 1 farther")
      ->show_default()
      ->range(0.01f, 100.0f)
      ->excludes(greedy);
  verb.add_option("--top-k", plan.top_k, "Draw from the so many likeliest; 0: from all")
      ->show_default()
      ->range(0, 1 << 20)
      ->excludes(greedy);
  verb.add_option("--top-p", plan.top_p,
                  "Draw from the fewest likeliest that have this probability together")
      ->show_default()
      ->range(1e-6f, 1.0f)
      ->excludes(greedy);
  verb.add_option("--repetition-penalty", plan.repetition_penalty,
                  "Over 1: tokens that came before are less likely")
      ->show_default()
      ->range(0.1f, 10.0f);
  verb.add_option("--seed", plan.seed, "Of what is drawn")->show_default();
  verb.add_option("--stop", plan.stops, "A text that ends the continuation; may be given again");
}

}  // namespace

void add_generate(Command& model, Verb& chosen) {
  auto flags = std::make_shared<GenerateFlags>();
  Command* verb = model.add_subcommand("generate", "Continue a prompt, or answer a message");
  verb->add_option("MODEL", flags->model, "Model folder (Hugging Face form) or .gguf file")
      ->required();
  Flag* prompt = verb->add_option("--prompt", flags->prompt, "Text to continue");
  Flag* ids = verb->add_option("--prompt-ids", flags->prompt_ids, "Token ids to continue: 1,2,3")
                  ->delimiter(',');
  Flag* chat =
      verb->add_option("--chat", flags->chat, "A message to answer, in the model's chat template");
  prompt->excludes(ids)->excludes(chat);
  ids->excludes(chat);
  verb->add_option("--system", flags->system, "With --chat: how to answer")->needs(chat);
  add_sampling_flags(*verb, flags->plan);
  verb->add_option("--adapter", flags->adapter, "PEFT folder of a LoRA adapter");
  add_proxy_flags(*verb, flags->proxy);
  verb->add_option("--precision", flags->precision, kPrecisionHelp)
      ->show_default()
      ->one_of({"auto", "f32", "bf16", "int8", "nf4"});
  Flag* json = verb->add_flag("--json", flags->json, "One JSON object");
  verb->add_option("--logits", flags->logits,
                   "With --json: the first so many logits after the prompt")
      ->range(0, 1 << 20)
      ->needs(json);
  verb->add_option("--threads", flags->threads)->show_default()->range(1, 256);
  verb->callback([flags, prompt, ids, chat, &chosen] {
    if (!prompt->given() && !ids->given() && !chat->given())
      missing_flags("--prompt TEXT, --prompt-ids IDS or --chat MESSAGE");
    flags->has_chat = chat->given();
    chosen = [flags] {
      const Result<void> done = run(*flags);
      return done ? 0 : report(done.error());
    };
  });
}

}  // namespace freshet
