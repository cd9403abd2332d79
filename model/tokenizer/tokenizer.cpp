#include "model/tokenizer/tokenizer.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>

#include "base/bytes.h"
#include "model/tokenizer/added_tokens.h"
#include "model/tokenizer/bpe.h"
#include "model/tokenizer/byte_level.h"
#include "model/tokenizer/tokenizer_file.h"
#include "model/tokenizer/utf8.h"

namespace freshet {
namespace {

constexpr std::string_view kWordStart = "\xE2\x96\x81";  // U+2581, in the place of a space

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  if (from.empty() || text.find(from) == std::string::npos) return;
  std::string result;
  std::size_t at = 0;
  for (std::size_t found; (found = text.find(from, at)) != std::string::npos;
       at = found + from.size()) {
    result.append(text, at, found - at);
    result += to;
  }
  text = result.append(text, at);
}

// "<0x0A>" -> 10; -1 for a token of another form.
int fallback_byte(std::string_view token) {
  if (token.size() != 6 || token.substr(0, 3) != "<0x" || token[5] != '>') return -1;
  const Result<Bytes> byte = from_hex(token.substr(3, 2));
  return byte ? byte->front() : -1;
}

// Where a new word may begin without changing any id: before a word start that does not follow
// another.
std::size_t word_end(std::string_view text) {
  std::size_t at = 0;
  while (text.substr(at).starts_with(kWordStart)) at += kWordStart.size();
  return std::min(text.find(kWordStart, at), text.size());
}

// Buffers of one encode() at a time.
struct Workspace {
  Merger merger;
  WordCache cache;
  std::vector<TokenId> symbols;
};

}  // namespace

struct Tokenizer::Tables {
  explicit Tables(TokenizerFile parsed);
  std::string normalize(std::string_view text) const;
  void encode_piece(std::string_view piece, Workspace& work, std::vector<TokenId>& ids) const;
  void encode_word(std::string_view word, Workspace& work, std::vector<TokenId>& ids) const;
  void append_symbols(std::string_view word, std::vector<TokenId>& symbols) const;
  TokenId character_id(char32_t character) const;
  bool may_cut_at_word_starts() const;
  TokenId named(std::initializer_list<const char*> names) const;

  TokenizerFile file;
  MergeTable merges;
  AddedTokens raw_added, normalized_added;
  WordSplitter splitter;
  std::array<TokenId, 256>
      byte_ids{};  // byte-level: of the byte's character; else: of its fallback token
  std::unordered_map<char32_t, TokenId> characters;
  std::vector<std::string> text_of;  // by id
  bool cut_at_word_starts = false;
  TokenId bos = -1, eos = -1;

  mutable std::mutex busy;
  mutable Workspace shared;  // guarded by busy; who finds it taken uses one of its own
};

Tokenizer::Tables::Tables(TokenizerFile parsed) : file(std::move(parsed)), merges(file.merges) {
  byte_ids.fill(-1);
  TokenId highest = -1;
  for (const auto& [token, id] : file.vocabulary) highest = std::max(highest, id);
  for (const AddedToken& token : file.added) highest = std::max(highest, token.id);
  text_of.resize(static_cast<std::size_t>(highest) + 1);

  for (const auto& [token, id] : file.vocabulary) {
    std::string& text = text_of[static_cast<std::size_t>(id)];
    const int byte = file.byte_fallback && !file.byte_level ? fallback_byte(token) : -1;
    text = file.byte_level ? bytes_of_token(token)
           : byte >= 0     ? std::string(1, static_cast<char>(byte))
                           : token;
    if (!file.byte_level && byte < 0) replace_all(text, file.decode_from, file.decode_to);
    if (byte >= 0) byte_ids[static_cast<std::size_t>(byte)] = id;
    const std::size_t bytes = utf8_character_bytes(token);
    if (bytes != token.size() || bytes == 0) continue;
    const char32_t character = utf8_code_point(token, bytes);
    characters.emplace(character, id);
    if (const int own = byte_of_character(character); file.byte_level && own >= 0)
      byte_ids[static_cast<std::size_t>(own)] = id;
  }
  for (const AddedToken& token : file.added) {
    text_of[static_cast<std::size_t>(token.id)] = token.special ? "" : token.text;
    const std::string text = token.normalized ? normalize(token.text) : token.text;
    if (!text.empty()) (token.normalized ? normalized_added : raw_added).add(text, token.id);
  }
  cut_at_word_starts = may_cut_at_word_starts();
  bos = file.before.empty() ? named({"<s>", "<|begin_of_text|>", "<|endoftext|>"})
                            : file.before.front();
  eos =
      file.after.empty() ? named({"</s>", "<|end_of_text|>", "<|endoftext|>"}) : file.after.back();
}

TokenId Tokenizer::Tables::named(std::initializer_list<const char*> names) const {
  for (const char* name : names)
    for (const AddedToken& token : file.added)
      if (token.special && token.text == name) return token.id;
  return -1;
}

// True if no merge ever joins across (something, word start), so that each word can be merged on
// its own.
bool Tokenizer::Tables::may_cut_at_word_starts() const {
  if (file.byte_level || file.ignore_merges || !file.vocabulary.contains(std::string(kWordStart)))
    return false;
  std::vector<const std::string*> token_of(text_of.size());
  for (const auto& [token, id] : file.vocabulary) token_of[static_cast<std::size_t>(id)] = &token;
  return std::all_of(file.merges.begin(), file.merges.end(), [&](const MergeRule& rule) {
    const std::string& token = *token_of[static_cast<std::size_t>(rule.product)];
    return word_end(token) == token.size();
  });
}

std::string Tokenizer::Tables::normalize(std::string_view text) const {
  std::string result(text);
  for (const NormalizerStep& step : file.normalizer) {
    switch (step.kind) {
      case NormalizerStep::Kind::kPrepend:
        if (!result.empty()) result.insert(0, step.to);
        break;
      case NormalizerStep::Kind::kReplace: replace_all(result, step.from, step.to); break;
      case NormalizerStep::Kind::kNfc: result = to_nfc(result); break;
    }
  }
  return result;
}

TokenId Tokenizer::Tables::character_id(char32_t character) const {
  const auto found = characters.find(character);
  return found == characters.end() ? -1 : found->second;
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
  for (std::size_t at = 0; at < word.size();) {
    const std::string_view rest = word.substr(at);
    const std::size_t bytes = file.byte_level ? 0 : utf8_character_bytes(rest);
    const TokenId id = bytes > 0 ? character_id(utf8_code_point(rest, bytes)) : -1;
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
    if (file.byte_level) flush();
    for (char c : own) symbols.push_back(byte_ids[static_cast<unsigned char>(c)]);
  }
  flush();
}

void Tokenizer::Tables::encode_word(std::string_view word, Workspace& work,
                                    std::vector<TokenId>& ids) const {
  if (const auto* known = work.cache.find(word)) {
    ids.insert(ids.end(), known->begin(), known->end());
    return;
  }
  work.symbols.clear();
  if (file.ignore_merges) {
    std::string token(word);
    if (file.byte_level) {
      token.clear();
      for (char c : word) append_utf8(token, byte_character(static_cast<std::uint8_t>(c)));
    }
    const auto whole = file.vocabulary.find(token);
    if (whole != file.vocabulary.end()) work.symbols.push_back(whole->second);
  }
  if (work.symbols.empty()) {
    append_symbols(word, work.symbols);
    work.merger.merge(merges, work.symbols);
  }
  work.cache.put(word, work.symbols);
  ids.insert(ids.end(), work.symbols.begin(), work.symbols.end());
}

void Tokenizer::Tables::encode_piece(std::string_view piece, Workspace& work,
                                     std::vector<TokenId>& ids) const {
  if (file.byte_level) {
    std::string with_space;
    if (file.prefix_space && !piece.starts_with(' ')) piece = with_space = " " + std::string(piece);
    splitter.split(piece, [&](std::string_view word) { encode_word(word, work, ids); });
    return;
  }
  while (!piece.empty()) {
    const std::size_t bytes = cut_at_word_starts ? word_end(piece) : piece.size();
    encode_word(piece.substr(0, bytes), work, ids);
    piece.remove_prefix(bytes);
  }
}

Tokenizer::Tokenizer(std::unique_ptr<Tables> tables) : tables_(std::move(tables)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::parse(std::string_view json, std::string_view source) {
  TRY_ASSIGN(TokenizerFile file, parse_tokenizer_file(json, source));
  return Tokenizer(std::make_unique<Tables>(std::move(file)));
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, bool special) const {
  const Tables& tables = *tables_;
  std::unique_lock<std::mutex> lock(tables.busy, std::try_to_lock);
  std::optional<Workspace> own;
  Workspace& work = lock.owns_lock() ? tables.shared : own.emplace();

  std::vector<TokenId> ids;
  if (special) ids = tables.file.before;
  const auto put = [&](TokenId id) { ids.push_back(id); };
  const auto encode_normalized = [&](std::string_view piece) {
    tables.encode_piece(piece, work, ids);
  };
  const auto encode_raw = [&](std::string_view piece) {
    if (tables.file.normalizer.empty())
      return tables.normalized_added.cut(piece, encode_normalized, put);
    tables.normalized_added.cut(tables.normalize(piece), encode_normalized, put);
  };
  tables.raw_added.cut(text, encode_raw, put);
  if (special) ids.insert(ids.end(), tables.file.after.begin(), tables.file.after.end());
  return ids;
}

std::string Tokenizer::decode(std::span<const TokenId> ids) const {
  std::string text;
  for (TokenId id : ids)
    if (id >= 0 && id < vocab_size()) text += tables_->text_of[static_cast<std::size_t>(id)];
  const std::string& strip = tables_->file.strip;
  if (!strip.empty() && text.starts_with(strip)) text.erase(0, strip.size());
  return text;
}

int Tokenizer::vocab_size() const { return static_cast<int>(tables_->text_of.size()); }
int Tokenizer::bos_id() const { return tables_->bos; }
int Tokenizer::eos_id() const { return tables_->eos; }

}  // namespace freshet
