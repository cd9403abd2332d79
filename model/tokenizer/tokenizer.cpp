#include "model/tokenizer/tokenizer.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>

#include "base/bytes.h"
#include "base/check.h"
#include "model/tokenizer/added_tokens.h"
#include "model/tokenizer/bpe.h"
#include "model/tokenizer/byte_level.h"
#include "model/tokenizer/forms.h"
#include "model/tokenizer/normalizer.h"
#include "model/tokenizer/pre_tokenizer.h"
#include "model/tokenizer/tokenizer_config.h"
#include "model/tokenizer/tokenizer_file.h"
#include "model/tokenizer/utf8.h"

namespace freshet {
namespace {

// "<0x0A>" -> 10; -1 for a token of another form.
int fallback_byte(std::string_view token) {
  if (token.size() != 6 || token.substr(0, 3) != "<0x" || token[5] != '>') return -1;
  const Result<Bytes> byte = from_hex(token.substr(3, 2));
  return byte ? byte->front() : -1;
}

// Where a new word may begin without changing any id: before a word mark that does not follow
// another.
std::size_t marked_word_end(std::string_view text) {
  std::size_t at = 0;
  while (text.substr(at).starts_with(kWordMark)) at += kWordMark.size();
  return std::min(text.find(kWordMark, at), text.size());
}

// Buffers of one encode() at a time.
struct Workspace {
  Merger merger;
  WordCache cache;
  std::vector<TokenId> symbols;
};

}  // namespace

struct Tokenizer::Tables {
  Tables(TokenizerFile checked, Normalizer made_normalizer, PreTokenizer made_pre_tokenizer);
  void read_vocabulary();
  void read_added();
  std::string decoded(std::string_view token) const;
  void encode_word(std::string_view word, Workspace& work, std::vector<TokenId>& ids) const;
  TokenId whole_word(std::string_view word) const;
  void append_symbols(std::string_view word, std::vector<TokenId>& symbols) const;
  bool may_cut_at_marks() const;
  TokenId named(std::initializer_list<const char*> names) const;
  TokenId id_of(const std::string& token) const;

  TokenizerFile file;
  bool byte_level;
  MergeTable merges;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  struct Added {
    AddedTokens raw, normalized;
  };
  void encode_text(std::string_view text, bool first, const Added& added,
                   std::vector<TokenId>& ids) const;
  Added added, ordinary;  // ordinary: without special tokens
  // Byte-level: of the byte's character; else: of its fallback token.
  std::array<TokenId, 256> byte_ids{};
  std::array<TokenId, 128> ascii_ids{};                // of `characters`
  std::unordered_map<char32_t, TokenId> characters;    // tokens of one character
  std::unordered_map<std::string, TokenId> added_ids;  // those outside the vocabulary
  std::vector<std::string> bytes_of;                   // by id, as decode() gives it
  std::vector<std::string_view> text_of;               // by id, as the file writes it
  std::vector<bool> special;
  std::string dropped_at_start;
  bool cut_at_marks = false;
  TokenId bos = -1, eos = -1;

  mutable std::mutex busy;
  mutable Workspace shared;  // guarded by busy; who finds it taken uses one of its own
};

Tokenizer::Tables::Tables(TokenizerFile checked, Normalizer made_normalizer,
                          PreTokenizer made_pre_tokenizer)
    : file(std::move(checked)),
      byte_level(file.byte_level()),
      merges(file.merges),
      normalizer(std::move(made_normalizer)),
      pre_tokenizer(std::move(made_pre_tokenizer)) {
  byte_ids.fill(-1);
  ascii_ids.fill(-1);
  TokenId highest = -1;
  for (const auto& [token, id] : file.vocabulary) highest = std::max(highest, id);
  for (const AddedToken& token : file.added) highest = std::max(highest, token.id);
  bytes_of.resize(static_cast<std::size_t>(highest) + 1);
  text_of.resize(bytes_of.size());
  special.resize(bytes_of.size());
  for (const DecoderStep& step : file.decoder) {
    if (step.kind == DecoderStep::Kind::kStrip) dropped_at_start = step.from;
    if (step.kind == DecoderStep::Kind::kMetaspace) dropped_at_start = step.to;
  }
  read_vocabulary();
  read_added();
  cut_at_marks = may_cut_at_marks();
  bos = file.before.empty() ? named({"<s>", "<|begin_of_text|>", "<|endoftext|>"})
                            : file.before.front();
  eos =
      file.after.empty() ? named({"</s>", "<|end_of_text|>", "<|endoftext|>"}) : file.after.back();
}

// What a token stands for in text.
std::string Tokenizer::Tables::decoded(std::string_view token) const {
  if (byte_level) return bytes_of_token(token);
  const int byte = file.byte_fallback ? fallback_byte(token) : -1;
  if (byte >= 0) return std::string(1, static_cast<char>(byte));
  std::string text(token);
  for (const DecoderStep& step : file.decoder) {
    if (step.kind == DecoderStep::Kind::kReplace) replace_all(text, step.from, step.to);
    if (step.kind == DecoderStep::Kind::kMetaspace) replace_all(text, step.from, " ");
  }
  return text;
}

void Tokenizer::Tables::read_vocabulary() {
  for (const auto& [token, id] : file.vocabulary) {
    const auto at = static_cast<std::size_t>(id);
    text_of[at] = token;
    bytes_of[at] = decoded(token);
    const int byte = file.byte_fallback && !byte_level ? fallback_byte(token) : -1;
    if (byte >= 0) byte_ids[static_cast<std::size_t>(byte)] = id;
    const std::size_t bytes = utf8_character_bytes(token);
    if (bytes != token.size() || bytes == 0) continue;
    const char32_t character = utf8_code_point(token, bytes);
    characters.emplace(character, id);
    if (character < ascii_ids.size()) ascii_ids[character] = id;
    if (const int own = byte_of_character(character); byte_level && own >= 0)
      byte_ids[static_cast<std::size_t>(own)] = id;
  }
}

void Tokenizer::Tables::read_added() {
  for (const AddedToken& token : file.added) {
    const auto at = static_cast<std::size_t>(token.id);
    text_of[at] = token.text;
    special[at] = token.special;
    const bool own = !file.vocabulary.contains(token.text);
    if (own) added_ids.emplace(token.text, token.id);
    if (own || token.special) bytes_of[at] = token.special ? "" : token.text;
    const std::string text = token.normalized ? normalizer.run(token.text) : token.text;
    if (text.empty()) continue;
    for (Added* into : {&added, &ordinary})
      if (into == &added || !token.special)
        (token.normalized ? into->normalized : into->raw)
            .add(text, token.id, {token.single_word, token.lstrip, token.rstrip});
  }
}

TokenId Tokenizer::Tables::id_of(const std::string& token) const {
  if (const auto found = file.vocabulary.find(token); found != file.vocabulary.end())
    return found->second;
  const auto found = added_ids.find(token);
  return found == added_ids.end() ? -1 : found->second;
}

TokenId Tokenizer::Tables::named(std::initializer_list<const char*> names) const {
  for (const char* name : names)
    for (const AddedToken& token : file.added)
      if (token.special && token.text == name) return token.id;
  return -1;
}

// True if no merge ever joins across (something, word mark), so that each word can be merged on its
// own.
bool Tokenizer::Tables::may_cut_at_marks() const {
  if (byte_level || file.ignore_merges || !file.vocabulary.contains(std::string(kWordMark)))
    return false;
  return std::all_of(file.merges.begin(), file.merges.end(), [&](const MergeRule& rule) {
    const std::string_view token = text_of[static_cast<std::size_t>(rule.product)];
    return marked_word_end(token) == token.size();
  });
}

// One symbol for each character; for each byte in the byte-level form and where the vocabulary
// lacks the character.
void Tokenizer::Tables::append_symbols(std::string_view word, std::vector<TokenId>& symbols) const {
  bool unknown_waits = false;
  const auto flush = [&] {
    if (unknown_waits) symbols.push_back(file.unknown);
    unknown_waits = false;
  };
  const auto put_unknown = [&] {
    if (file.unknown < 0) return;
    if (!file.fuse_unknown) flush();
    unknown_waits = true;
  };
  const auto character_id = [&](std::string_view rest, std::size_t bytes) {
    if (bytes == 0) return -1;
    if (bytes == 1) return ascii_ids[static_cast<unsigned char>(rest[0])];
    const auto found = characters.find(utf8_code_point(rest, bytes));
    return found == characters.end() ? -1 : found->second;
  };
  for (std::size_t at = 0; at < word.size();) {
    const std::string_view rest = word.substr(at);
    const std::size_t bytes = byte_level ? 0 : utf8_character_bytes(rest);
    const TokenId id = character_id(rest, bytes);
    at += std::max<std::size_t>(bytes, 1);
    if (id >= 0) {
      flush();
      symbols.push_back(id);
      continue;
    }
    const std::string_view own = rest.substr(0, std::max<std::size_t>(bytes, 1));
    const bool written = std::all_of(own.begin(), own.end(), [&](char c) {
      return byte_ids[static_cast<unsigned char>(c)] >= 0;
    });
    if (!written) {
      put_unknown();
      continue;
    }
    if (byte_level) flush();
    for (char c : own) symbols.push_back(byte_ids[static_cast<unsigned char>(c)]);
  }
  flush();
}

TokenId Tokenizer::Tables::whole_word(std::string_view word) const {
  std::string token(word);
  if (byte_level) {
    token.clear();
    for (char c : word) append_utf8(token, byte_character(static_cast<std::uint8_t>(c)));
  }
  const auto whole = file.vocabulary.find(token);
  return whole == file.vocabulary.end() ? -1 : whole->second;
}

void Tokenizer::Tables::encode_word(std::string_view word, Workspace& work,
                                    std::vector<TokenId>& ids) const {
  if (work.cache.append(word, ids)) return;
  work.symbols.clear();
  const TokenId whole = file.ignore_merges ? whole_word(word) : -1;
  if (whole >= 0) {
    work.symbols.push_back(whole);
  } else {
    append_symbols(word, work.symbols);
    work.merger.merge(merges, work.symbols);
  }
  work.cache.put(word, work.symbols);
  ids.insert(ids.end(), work.symbols.begin(), work.symbols.end());
}

Tokenizer::Tokenizer(std::unique_ptr<Tables> tables) : tables_(std::move(tables)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::parse(std::string_view json, std::string_view source) {
  TRY_ASSIGN(TokenizerFile file, parse_tokenizer_file(json, source));
  return make(std::move(file), source);
}

Result<Tokenizer> Tokenizer::make(TokenizerFile file, std::string_view source) {
  TRY(check_tokenizer_file(file, source));
  Result<Normalizer> normalizer = Normalizer::make(file.normalizer);
  if (!normalizer) return fail_in(std::string(source) + ": normalizer", normalizer.error());
  Result<PreTokenizer> pre_tokenizer = PreTokenizer::make(file.pre_tokenizer);
  if (!pre_tokenizer)
    return fail_in(std::string(source) + ": pre_tokenizer", pre_tokenizer.error());
  return Tokenizer(
      std::make_unique<Tables>(std::move(file), std::move(*normalizer), std::move(*pre_tokenizer)));
}

void Tokenizer::Tables::encode_text(std::string_view text, bool first, const Added& known,
                                    std::vector<TokenId>& ids) const {
  std::unique_lock<std::mutex> lock(busy, std::try_to_lock);
  std::optional<Workspace> own;
  Workspace& work = lock.owns_lock() ? shared : own.emplace();
  const auto put = [&](TokenId id) { ids.push_back(id); };
  const auto encode_word = [&](std::string_view word) {
    while (!word.empty()) {
      const std::size_t bytes = cut_at_marks ? marked_word_end(word) : word.size();
      this->encode_word(word.substr(0, bytes), work, ids);
      word.remove_prefix(bytes);
    }
  };
  const auto encode_raw = [&](std::string_view piece) {
    const bool starts = first && piece.data() == text.data();
    std::string normalized;
    if (!normalizer.empty()) piece = normalized = normalizer.run(piece);
    known.normalized.cut(
        piece,
        [&](std::string_view part) {
          pre_tokenizer.split(part, starts && part.data() == piece.data(), encode_word);
        },
        put);
  };
  known.raw.cut(text, encode_raw, put);
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, bool with_special) const {
  const TokenizerFile& file = tables_->file;
  std::vector<TokenId> ids;
  if (with_special) ids = file.before;
  tables_->encode_text(text, true, tables_->added, ids);
  if (with_special) ids.insert(ids.end(), file.after.begin(), file.after.end());
  return ids;
}

std::vector<TokenId> Tokenizer::encode_plain(std::string_view text, bool first) const {
  std::vector<TokenId> ids;
  tables_->encode_text(text, first, tables_->ordinary, ids);
  return ids;
}

std::string Tokenizer::decode(std::span<const TokenId> ids) const {
  std::string text;
  for (TokenId id : ids) text += bytes_of(id);
  const std::string_view dropped = dropped_at_start();
  if (!dropped.empty() && text.starts_with(dropped)) text.erase(0, dropped.size());
  return text;
}

Result<void> Tokenizer::apply(const TokenizerConfig& config, std::string_view source) {
  const auto take = [&](const std::optional<std::string>& token, TokenId& id) -> Result<void> {
    if (!token) return {};
    const TokenId found = id_of(*token);
    if (found < 0)
      return fail(Code::kBadInput, std::string(source) + ": names the token \"" + *token +
                                       "\", which the tokenizer does not have");
    id = found;
    return {};
  };
  Tables& tables = *tables_;
  TRY(take(config.bos_token, tables.bos));
  TRY(take(config.eos_token, tables.eos));
  std::vector<TokenId>&before = tables.file.before, &after = tables.file.after;
  if (config.add_bos_token && tables.bos >= 0) {
    std::erase(before, tables.bos);
    if (*config.add_bos_token) before.insert(before.begin(), tables.bos);
  }
  if (config.add_eos_token && tables.eos >= 0) {
    std::erase(after, tables.eos);
    if (*config.add_eos_token) after.push_back(tables.eos);
  }
  return {};
}

std::string_view Tokenizer::bytes_of(TokenId id) const {
  return id >= 0 && id < vocab_size() ? tables_->bytes_of[static_cast<std::size_t>(id)]
                                      : std::string_view();
}
std::string_view Tokenizer::text_of(TokenId id) const {
  return id >= 0 && id < vocab_size() ? tables_->text_of[static_cast<std::size_t>(id)]
                                      : std::string_view();
}
bool Tokenizer::is_special(TokenId id) const {
  return id >= 0 && id < vocab_size() && tables_->special[static_cast<std::size_t>(id)];
}
TokenId Tokenizer::id_of(std::string_view token) const {
  return tables_->id_of(std::string(token));
}
std::string_view Tokenizer::dropped_at_start() const { return tables_->dropped_at_start; }
int Tokenizer::vocab_size() const { return static_cast<int>(tables_->bytes_of.size()); }
int Tokenizer::bos_id() const { return tables_->bos; }
int Tokenizer::eos_id() const { return tables_->eos; }
const TokenizerFile& Tokenizer::file() const { return tables_->file; }

}  // namespace freshet
