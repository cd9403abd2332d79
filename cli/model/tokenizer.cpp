#include "model/tokenizer/tokenizer.h"

#include <cstdio>
#include <filesystem>

#include "base/exit_code.h"
#include "base/files.h"
#include "base/flags.h"
#include "base/limits.h"
#include "cli/model/verbs.h"
#include "model/files/model_files.h"
#include "model/files/model_parts.h"
#include "model/text/corpus.h"

namespace freshet {
namespace {

struct TrainFlags {
  std::string text, out;
  int vocab = 2048;
};

struct CodeFlags {
  std::string model, file, out;
  bool special = false;
};

Result<void> train(const TrainFlags& flags) {
  std::vector<std::string> texts;
  TRY_ASSIGN(const std::vector<OpenFile> files, open_text_folder(flags.text));
  for (const OpenFile& file : files) {
    TRY_ASSIGN(std::vector<Document> documents, read_documents(file));
    for (Document& document : documents) texts.push_back(std::move(document.text));
  }
  TRY_ASSIGN(const std::string json, train_byte_level_bpe(texts, flags.vocab));
  return write_file_durably(flags.out, as_bytes(json));
}

// A model folder, a GGUF or a tokenizer.json.
Result<Tokenizer> open_tokenizer(const Path& path) {
  if (path.extension() == ".json") {
    TRY_ASSIGN(const std::string json, read_file(path, limits::kSmallFileBytesMax));
    return Tokenizer::parse(json, path.string());
  }
  TRY_ASSIGN(const ModelFiles files, open_model_folder(path));
  return read_tokenizer(files);
}

Result<void> put(std::string_view bytes, const std::string& out) {
  if (!out.empty()) return write_file_durably(out, as_bytes(bytes));
  std::fwrite(bytes.data(), 1, bytes.size(), stdout);
  return {};
}

Result<void> encode(const CodeFlags& flags) {
  TRY_ASSIGN(const Tokenizer tokenizer, open_tokenizer(flags.model));
  TRY_ASSIGN(const std::string text, read_file(flags.file, limits::kTextFileBytesMax));
  const std::vector<TokenId> ids = tokenizer.encode(text, flags.special);
  std::string written;
  for (TokenId id : ids) {
    if (flags.out.empty()) {
      written += std::to_string(id) + "\n";
      continue;
    }
    for (int shift = 0; shift < 32; shift += 8)
      written += static_cast<char>(static_cast<std::uint32_t>(id) >> shift & 0xFF);
  }
  return put(written, flags.out);
}

Result<void> decode(const CodeFlags& flags) {
  TRY_ASSIGN(const Tokenizer tokenizer, open_tokenizer(flags.model));
  TRY_ASSIGN(const std::string bytes, read_file(flags.file, limits::kTextFileBytesMax));
  if (bytes.size() % 4 != 0)
    return fail(Code::kBadInput,
                flags.file + ": " + std::to_string(bytes.size()) +
                    " bytes, which is no multiple of 4; ids are 32-bit, little-endian");
  std::vector<TokenId> ids(bytes.size() / 4);
  for (std::size_t i = 0; i < bytes.size(); ++i)
    ids[i / 4] =
        static_cast<TokenId>(static_cast<std::uint32_t>(ids[i / 4]) |
                             std::uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * (i % 4)));
  return put(tokenizer.decode(ids), flags.out);
}

template <class Flags>
Verb run_later(Result<void> (*run)(const Flags&), std::shared_ptr<Flags> flags) {
  return [run, flags] {
    const Result<void> done = run(*flags);
    return done ? 0 : report(done.error());
  };
}

Command* add_coding(Command& verb, const char* name, const char* says,
                    const std::shared_ptr<CodeFlags>& flags) {
  Command* coding = verb.add_subcommand(name, says);
  coding->add_option("MODEL", flags->model, "Model folder, .gguf file or tokenizer.json")
      ->required();
  return coding;
}

}  // namespace

void add_tokenizer(Command& model, Verb& chosen) {
  auto flags = std::make_shared<TrainFlags>();
  Command* verb = model.add_subcommand(
      "tokenizer", "Train a byte-level BPE tokenizer on a folder of text, or use any tokenizer");
  verb->add_option("--text", flags->text, "Folder of text to train on");
  verb->add_option("--vocab", flags->vocab, "Number of ids")->show_default()->range(260, 1'000'000);
  verb->add_option("--out", flags->out, "tokenizer.json to write");

  auto encoding = std::make_shared<CodeFlags>();
  Command* encoder = add_coding(*verb, "encode", "The ids of a file's text", encoding);
  encoder->add_option("--file", encoding->file, "Text; any bytes will do")->required();
  encoder->add_option("--out", encoding->out,
                      "File for the ids, 32-bit little-endian; without it they are printed");
  encoder->add_flag("--special", encoding->special,
                    "With the ids that the tokenizer puts around a text");
  encoder->callback([encoding, &chosen] { chosen = run_later(&encode, encoding); });

  auto decoding = std::make_shared<CodeFlags>();
  Command* decoder = add_coding(*verb, "decode", "The text of a file's ids", decoding);
  decoder->add_option("--file", decoding->file, "Ids, 32-bit little-endian")->required();
  decoder->add_option("--out", decoding->out, "File for the text; without it it is printed");
  decoder->callback([decoding, &chosen] { chosen = run_later(&decode, decoding); });

  verb->callback([verb, flags, &chosen] {
    if (!verb->typed().empty()) return;
    if (flags->text.empty()) missing_flags("--text");
    if (flags->out.empty()) missing_flags("--out");
    chosen = run_later(&train, flags);
  });
}

}  // namespace freshet
