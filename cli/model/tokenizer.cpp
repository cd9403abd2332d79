#include "model/tokenizer/tokenizer.h"

#include <CLI/CLI.hpp>

#include "base/exit_code.h"
#include "cli/model/verbs.h"
#include "model/text/corpus.h"

namespace freshet {
namespace {

struct Flags {
  std::string text, out;
  int vocab = 2048;
};

Result<void> run(const Flags& flags) {
  std::vector<std::string> texts;
  TRY_ASSIGN(const std::vector<OpenFile> files, open_text_folder(flags.text));
  for (const OpenFile& file : files) {
    TRY_ASSIGN(std::vector<Document> documents, read_documents(file));
    for (Document& document : documents) texts.push_back(std::move(document.text));
  }
  TRY_ASSIGN(const std::string json, train_byte_level_bpe(texts, flags.vocab));
  return write_file_durably(flags.out, as_bytes(json));
}

}  // namespace

void add_tokenizer(CLI::App& model, Verb& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = model.add_subcommand("tokenizer", "Train a byte-level BPE tokenizer on a folder of text");
  verb->add_option("--text", flags->text, "Folder of text")->required();
  verb->add_option("--vocab", flags->vocab, "Number of ids")->capture_default_str()->check(CLI::Range(260, 1'000'000));
  verb->add_option("--out", flags->out, "tokenizer.json to write")->required();
  verb->callback([flags, &chosen] {
    chosen = [flags] {
      const Result<void> done = run(*flags);
      return done ? 0 : report(done.error());
    };
  });
}

}  // namespace freshet
