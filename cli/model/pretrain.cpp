#include "trainer/pretrain.h"

#include <cstdio>

#include "base/exit_code.h"
#include "base/flags.h"
#include "base/json.h"
#include "base/limits.h"
#include "cli/model/verbs.h"
#include "model/text/corpus.h"
#include "trainer/kernels/product.h"
#include "trainer/threads.h"

namespace freshet {
namespace {

struct PretrainFlags {
  std::string text, valid, tokenizer, out, from;
  ModelConfig config;
  PretrainPlan plan;
  int threads = 2;
};

Result<std::vector<TokenId>> tokens_of(const Tokenizer& tokenizer, const Path& folder,
                                       std::uint64_t& bytes) {
  std::vector<TokenId> tokens;
  TRY_ASSIGN(const std::vector<OpenFile> files, open_text_folder(folder));
  for (const OpenFile& file : files) {
    TRY_ASSIGN(const std::vector<Document> documents, read_documents(file));
    for (const Document& document : documents) {
      const std::vector<TokenId> ids = tokenizer.encode(document.text, true);
      tokens.insert(tokens.end(), ids.begin(), ids.end());
      bytes += document.text.size();
    }
    std::fprintf(stderr, "read %s: %zu tokens so far\n", file.name.c_str(), tokens.size());
  }
  return tokens;
}

Result<void> run(PretrainFlags flags) {
  TRY_ASSIGN(const std::string tokenizer_text,
             read_file(flags.tokenizer, limits::kSmallFileBytesMax));
  TRY_ASSIGN(const Tokenizer tokenizer, Tokenizer::parse(tokenizer_text, flags.tokenizer));
  TRY(make_folders(flags.out));
  warm_up(flags.threads);
  flags.config.vocab_size = tokenizer.vocab_size();
  flags.config.head_dim = flags.config.hidden_size / flags.config.heads;
  flags.config.tied_embeddings = true;
  flags.config.bos_id = tokenizer.bos_id();
  flags.config.eos_ids = {};
  if (tokenizer.eos_id() >= 0) flags.config.eos_ids = {tokenizer.eos_id()};
  flags.plan.bf16 = kernels::multiplies_bf16();
  std::uint64_t train_bytes = 0, valid_bytes = 0;
  TRY_ASSIGN(const std::vector<TokenId> train, tokens_of(tokenizer, flags.text, train_bytes));
  TRY_ASSIGN(const std::vector<TokenId> valid, tokens_of(tokenizer, flags.valid, valid_bytes));
  const Path out = flags.out;
  TRY(write_file_durably(out / "tokenizer.json", as_bytes(tokenizer_text)));
  TRY(write_file_durably(out / "config.json", as_bytes(to_text(to_json(flags.config), 2) + "\n")));
  std::string curve = "step,seconds,train_loss,valid_loss,valid_bits_per_byte\n";
  MappedFile start;
  if (!flags.from.empty()) {
    TRY_ASSIGN(start, MappedFile::open(Path(flags.from) / "model.safetensors"));
  }
  return pretrain_model(flags.config, flags.plan, {train, valid, valid_bytes}, start.view(),
                        [&](const PretrainPoint& point, const Evaluation& measured,
                            const Bytes& weights) -> Result<void> {
                          char line[160];
                          std::snprintf(line, sizeof line, "%d,%.0f,%.4f,%.4f,%.4f\n", point.step,
                                        point.seconds, point.train_loss, measured.nll_per_token(),
                                        measured.bits_per_byte());
                          curve += line;
                          std::fprintf(stderr, "lr %.5f  %s", point.lr, line);
                          TRY(write_file_durably(out / "model.safetensors", weights));
                          return write_file_durably(out / "curve.csv", as_bytes(curve));
                        });
}

}  // namespace

void add_pretrain(Command& model, Verb& chosen) {
  auto flags = std::make_shared<PretrainFlags>();
  flags->config.max_positions = 512;
  Command* verb =
      model.add_subcommand("pretrain", "Train a small Llama-shaped model from random weights");
  verb->add_option("--text", flags->text, "Folder of text to train on")->required();
  verb->add_option("--valid", flags->valid, "Folder of text to measure on, not in --text")
      ->required();
  verb->add_option("--tokenizer", flags->tokenizer,
                   "tokenizer.json (freshet model tokenizer makes one)")
      ->required();
  verb->add_option("--out", flags->out, "Folder of the model to write")->required();
  verb->add_option("--from", flags->from,
                   "Model folder of the same shape to go on from, instead of random weights");
  verb->add_option("--hidden", flags->config.hidden_size)->required()->range(8, 8192);
  verb->add_option("--intermediate", flags->config.intermediate_size)->required()->range(8, 32768);
  verb->add_option("--layers", flags->config.layers)->required()->range(1, 256);
  verb->add_option("--heads", flags->config.heads)->required()->range(1, 256);
  verb->add_option("--kv-heads", flags->config.kv_heads)->required()->range(1, 256);
  verb->add_option("--positions", flags->config.max_positions)->show_default()->range(8, 65536);
  verb->add_option("--window", flags->plan.window)->show_default()->range(8, 65536);
  verb->add_option("--batch", flags->plan.batch)->show_default()->range(1, 4096);
  verb->add_option("--steps", flags->plan.steps)->show_default()->range(1, 100'000'000);
  verb->add_option("--minutes", flags->plan.minutes_max,
                   "End the schedule after this time at the latest")
      ->range(0.0, 1e6);
  verb->add_option("--lr", flags->plan.lr)->show_default()->range(0.0f, 1.0f);
  verb->add_option("--report-every", flags->plan.report_every)->show_default()->range(1, 1'000'000);
  verb->add_option("--seed", flags->plan.seed)->show_default();
  verb->add_option("--threads", flags->threads)->show_default()->range(1, 256);
  verb->callback([flags, &chosen] {
    chosen = [flags] {
      const Result<void> done = run(*flags);
      return done ? 0 : report(done.error());
    };
  });
}

}  // namespace freshet
