#include <cstdio>
#include <functional>

#include "base/exit_code.h"
#include "base/flags.h"
#include "base/json.h"
#include "base/limits.h"
#include "cli/model/adapter_flag.h"
#include "cli/model/data_flag.h"
#include "cli/model/proxy_flags.h"
#include "cli/model/verbs.h"
#include "model/text/corpus.h"
#include "trainer/adaptation/context_mixture.h"
#include "trainer/adaptation/measure.h"
#include "trainer/finetune.h"
#include "trainer/model_folder.h"
#include "trainer/threads.h"

namespace freshet {
namespace {

struct EvalFlags {
  std::string model, text, data, adapter, precision = "f32";
  std::size_t chars_max = 0;
  double heldout = 0;
  int window = 128, threads = 2;
  ProxyFlags proxy;
  bool json = false;
};

// Of windows of a text: evaluate() of one model, or measure() of several.
using Measure = std::function<Result<Evaluation>(std::span<const TokenId> ids, std::uint64_t bytes,
                                                 int window, std::span<const std::uint8_t> counts)>;

struct Found {
  std::size_t docs = 0;
  Evaluation evaluation;
};

// The first `count` characters (code points; a byte that is no UTF-8 counts as one).
std::string_view first_chars(std::string_view text, std::size_t count) {
  std::size_t at = 0;
  for (; at < text.size() && count > 0; --count) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  }
  return text.substr(0, at);
}

Result<std::vector<Document>> documents_of(const EvalFlags& flags,
                                           const Result<ChatTemplate>& chat) {
  if (!flags.text.empty()) {
    TRY_ASSIGN(const std::string text, read_file(flags.text, limits::kTextFileBytesMax));
    return split_documents(
        flags.chars_max > 0 ? first_chars(text, flags.chars_max) : std::string_view(text),
        flags.text);
  }
  return read_data(flags.data, chat);
}

// Rows as training sees them, with what counts; plain text as the tokenizer has it.
EncodedDocument encode(const Tokenizer& tokenizer, const DocumentEncoder& encoder,
                       const Document& document) {
  if (document.row) return encoder.encode(document);
  EncodedDocument encoded;
  encoded.ids = tokenizer.encode(document.text, true);
  encoded.bytes = document.text.size();
  return encoded;
}

// What the model has positions for; the bytes then are those of the tokens that still count.
void cut(const Tokenizer& tokenizer, std::size_t positions, EncodedDocument& document) {
  if (document.ids.size() <= positions) return;
  document.ids.resize(positions);
  std::vector<TokenId> counted = document.ids;
  if (!document.counts.empty()) {
    document.counts.resize(positions);
    counted.clear();
    for (std::size_t i = 0; i < positions; ++i)
      if (document.counts[i] != 0) counted.push_back(document.ids[i]);
  }
  document.bytes = tokenizer.decode(counted).size();
}

// Every document on its own, from its BOS, cut to the model's positions.
Result<Found> by_document(const LoadedModel& model, const Measure& measure_windows,
                          std::span<const Document> documents) {
  const DocumentEncoder encoder(model.tokenizer);
  Found measured;
  for (const Document& document : documents) {
    EncodedDocument encoded = encode(model.tokenizer, encoder, document);
    cut(model.tokenizer, static_cast<std::size_t>(model.model.config.max_positions), encoded);
    if (encoded.ids.size() < 2) continue;
    TRY_ASSIGN(const Evaluation one,
               measure_windows(encoded.ids, encoded.bytes, static_cast<int>(encoded.ids.size()) - 1,
                               encoded.counts));
    if (one.tokens == 0) continue;
    ++measured.docs;
    measured.evaluation.tokens += one.tokens;
    measured.evaluation.bytes += one.bytes;
    measured.evaluation.nll += one.nll;
  }
  if (measured.docs == 0)
    return fail(Code::kBadInput, "the text holds no document of two tokens or more");
  return measured;
}

// The tail that a node would hold out of this text, in windows, as the node measures it.
Result<Found> by_heldout(const LoadedModel& model, const Measure& measure_windows,
                         std::span<const Document> documents, const EvalFlags& flags) {
  TRY_ASSIGN(const Corpus corpus,
             make_corpus(model.tokenizer, documents, flags.heldout, flags.window));
  TRY_ASSIGN(const Evaluation evaluation, measure_windows(corpus.heldout.ids, corpus.heldout.bytes,
                                                          flags.window, corpus.heldout.counts));
  return Found{documents.size(), evaluation};
}

// The model moved by a small one, or alone.
Result<Found> find(const EvalFlags& flags, const LoadedModel& model, const LoadedAdapter& adapter) {
  TRY_ASSIGN(const std::vector<Document> documents, documents_of(flags, model.chat));
  TRY_ASSIGN(const Layout layout, adapter_layout(model.model.config, adapter.spec));
  std::unique_ptr<SmallModel> small;
  if (flags.proxy.given()) {
    TRY_ASSIGN(small, load_proxy(flags.proxy, model.tokenizer, flags.precision, flags.threads));
  }
  const Measure measure_windows = [&](std::span<const TokenId> ids, std::uint64_t bytes, int window,
                                      std::span<const std::uint8_t> counts) -> Result<Evaluation> {
    if (!small)
      return evaluate(model.model, adapter.spec, adapter.values, ids, bytes, window, {}, counts);
    const Lora none,
        own = adapter.values.empty()
                  ? Lora()
                  : Lora(model.model.config, layout, adapter.values.data(), nullptr, false, false);
    ModelLogits large(model.model, own), tuned(small->model(), small->tuned()),
        base(small->model(), none);
    ProxyLogits moved(large, tuned, base, flags.proxy.weight);
    ContextMixture mixed(large, tuned, base, {});
    LogitSource& source = flags.proxy.mixed ? static_cast<LogitSource&>(mixed) : moved;
    TRY_ASSIGN(const Measured measured, measure(source, ids, bytes, window, counts));
    return measured.evaluation;
  };
  return flags.heldout > 0 ? by_heldout(model, measure_windows, documents, flags)
                           : by_document(model, measure_windows, documents);
}

Result<void> run(const EvalFlags& flags) {
  warm_up(flags.threads);
  TRY_ASSIGN(const ModelFiles files, open_model_folder(flags.model));
  TRY_ASSIGN(const LoadedModel model, load_model(files, *precision_named(flags.precision)));
  TRY_ASSIGN(const LoadedAdapter adapter, load_adapter_flag(flags.adapter, model.model.config));
  const Result<Found> outcome = find(flags, model, adapter);
  TRY(outcome);
  const Evaluation& found = outcome->evaluation;
  if (flags.json) {
    Json out = {{"docs", outcome->docs},
                {"tokens", found.tokens},
                {"bytes", found.bytes},
                {"nll_per_token", found.nll_per_token()},
                {"bits_per_byte", found.bits_per_byte()}};
    std::puts(to_text(out).c_str());
  } else {
    std::printf(
        "%zu documents, %llu tokens, %llu bytes\nloss per token  %.4f nats\nbits per byte   %.4f\n",
        outcome->docs, static_cast<unsigned long long>(found.tokens),
        static_cast<unsigned long long>(found.bytes), found.nll_per_token(), found.bits_per_byte());
  }
  return {};
}

}  // namespace

void add_eval(Command& model, Verb& chosen) {
  auto flags = std::make_shared<EvalFlags>();
  Command* verb = model.add_subcommand("eval", "Measure how well a model predicts a text");
  verb->add_option("MODEL", flags->model, "Model folder (Hugging Face form) or .gguf file")
      ->required();
  auto* text =
      verb->add_option("--text", flags->text, "One file; documents are split at <|endoftext|>");
  auto* data = verb->add_option(
      "--data", flags->data,
      "A .jsonl, .txt or .md file, or a folder of them; of rows the answers alone are measured");
  text->excludes(data);
  verb->add_option("--max-chars", flags->chars_max, "Only the first characters of --text")
      ->needs(text);
  verb->add_option("--heldout", flags->heldout,
                   "Measure the share that a node holds out of this text, in windows")
      ->range(0.001, 0.9);
  verb->add_option("--window", flags->window, "Tokens a window, with --heldout")
      ->show_default()
      ->range(2, 65536);
  verb->add_option("--adapter", flags->adapter, "PEFT folder of a LoRA adapter");
  add_proxy_flags(*verb, flags->proxy);
  verb->add_option("--precision", flags->precision, "Of the weights")
      ->show_default()
      ->one_of({"f32", "bf16", "int8", "nf4"});
  verb->add_option("--threads", flags->threads)->show_default()->range(1, 256);
  verb->add_flag("--json", flags->json, "One JSON object");
  verb->callback([flags, &chosen] {
    if (flags->text.empty() && flags->data.empty()) missing_flags("--text FILE or --data FOLDER");
    chosen = [flags] {
      const Result<void> done = run(*flags);
      return done ? 0 : report(done.error());
    };
  });
}

}  // namespace freshet
