#include <algorithm>
#include <queue>
#include <unordered_map>

#include "base/json.h"
#include "base/limits.h"
#include "model/tokenizer/bpe.h"
#include "model/tokenizer/byte_level.h"
#include "model/tokenizer/tokenizer.h"
#include "model/tokenizer/utf8.h"

namespace freshet {
namespace {

constexpr TokenId kFirstByte = 3;  // after "<unk>", "<s>" and "</s>"
constexpr TokenId kFirstMerge = kFirstByte + 256;
constexpr std::size_t kTrainingWordBytesMax = 256;  // longer ones are data, not language
constexpr std::int64_t kMergeCountMin = 2;

struct Word {
  std::vector<TokenId> symbols;
  std::int64_t count;
};

struct Pair {
  TokenId left, right;
  bool operator==(const Pair&) const = default;
};
struct PairHash {
  std::size_t operator()(Pair pair) const {
    return (std::uint64_t{static_cast<std::uint32_t>(pair.left)} << 32 |
            static_cast<std::uint32_t>(pair.right)) *
               0x9E3779B97F4A7C15u >>
           16;
  }
};

struct Candidate {
  std::int64_t count;
  Pair pair;
  // The most frequent first; of equals the one of the lowest ids.
  bool operator<(const Candidate& other) const {
    if (count != other.count) return count < other.count;
    if (pair.left != other.pair.left) return pair.left > other.pair.left;
    return pair.right > other.pair.right;
  }
};

// Counts of neighbours over all words, kept right through every merge.
class PairCounts {
 public:
  explicit PairCounts(std::vector<Word> words) : words_(std::move(words)) {
    for (std::uint32_t w = 0; w < words_.size(); ++w)
      for (std::size_t i = 0; i + 1 < words_[w].symbols.size(); ++i)
        change({words_[w].symbols[i], words_[w].symbols[i + 1]}, w, words_[w].count);
    publish();
  }

  // The most frequent pair, joined everywhere into `product`; of a count below the minimum, nothing
  // happens.
  Candidate join_next(TokenId product) {
    while (!heap_.empty()) {
      const Candidate top = heap_.top();
      heap_.pop();
      if (entries_[top.pair].count != top.count)
        continue;  // another entry of the heap says the present count
      if (top.count < kMergeCountMin) break;
      std::vector<std::uint32_t> where = std::move(entries_[top.pair].where);
      std::sort(where.begin(), where.end());
      where.erase(std::unique(where.begin(), where.end()), where.end());
      for (std::uint32_t w : where) join_in(w, top.pair, product);
      entries_.erase(top.pair);
      changed_.erase(std::remove(changed_.begin(), changed_.end(), top.pair), changed_.end());
      publish();
      return top;
    }
    return {0, {}};
  }

 private:
  struct Entry {
    std::int64_t count = 0;
    std::vector<std::uint32_t> where;  // words that hold it, or held it once
    bool waits = false;                // in changed_
  };

  void change(Pair pair, std::uint32_t word, std::int64_t by) {
    Entry& entry = entries_[pair];
    entry.count += by;
    if (by > 0 && (entry.where.empty() || entry.where.back() != word)) entry.where.push_back(word);
    if (!entry.waits) changed_.push_back(pair);
    entry.waits = true;
  }

  void join_in(std::uint32_t w, Pair pair, TokenId product) {
    Word& word = words_[w];
    std::vector<TokenId>& symbols = word.symbols;
    std::size_t out = 0;
    for (std::size_t i = 0; i < symbols.size(); ++out) {
      if (i + 1 == symbols.size() || Pair{symbols[i], symbols[i + 1]} != pair) {
        symbols[out] = symbols[i++];
        continue;
      }
      if (out > 0) {
        change({symbols[out - 1], pair.left}, w, -word.count);
        change({symbols[out - 1], product}, w, word.count);
      }
      if (i + 2 < symbols.size()) {
        change({pair.right, symbols[i + 2]}, w, -word.count);
        change({product, symbols[i + 2]}, w, word.count);
      }
      symbols[out] = product;
      i += 2;
    }
    symbols.resize(out);
  }

  void publish() {
    for (Pair pair : changed_) {
      Entry& entry = entries_[pair];
      entry.waits = false;
      if (entry.count > 0) heap_.push({entry.count, pair});
    }
    changed_.clear();
  }

  std::vector<Word> words_;
  std::unordered_map<Pair, Entry, PairHash> entries_;
  std::vector<Pair> changed_;
  std::priority_queue<Candidate> heap_;
};

// Every different word once, in a fixed order.
std::vector<Word> count_words(std::span<const std::string> texts) {
  std::unordered_map<std::string_view, std::int64_t> counts;
  const WordSplitter splitter;
  for (const std::string& text : texts)
    splitter.split(text, [&](std::string_view word) {
      if (word.size() <= kTrainingWordBytesMax) ++counts[word];
    });
  std::vector<std::pair<std::string_view, std::int64_t>> sorted(counts.begin(), counts.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<Word> words;
  for (const auto& [text, count] : sorted) {
    Word word{{}, count};
    for (char c : text) word.symbols.push_back(kFirstByte + static_cast<unsigned char>(c));
    words.push_back(std::move(word));
  }
  return words;
}

using SortedJson = nlohmann::json;

SortedJson special_token(const char* text, TokenId id) {
  return {{"id", id},        {"content", text},     {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

std::string tokenizer_json(const std::vector<std::string>& tokens,
                           const std::vector<std::string>& merges) {
  SortedJson vocabulary = SortedJson::object();
  for (std::size_t id = 0; id < tokens.size(); ++id) vocabulary[tokens[id]] = id;
  const SortedJson bos = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
                   first = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
                   second = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
  const SortedJson byte_level = {{"type", "ByteLevel"},
                                 {"add_prefix_space", false},
                                 {"trim_offsets", true},
                                 {"use_regex", true}};
  const SortedJson file = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", SortedJson::array({special_token("<unk>", 0), special_token("<s>", 1),
                                          special_token("</s>", 2)})},
      {"normalizer", nullptr},
      {"pre_tokenizer", byte_level},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single", SortedJson::array({bos, first})},
        {"pair", SortedJson::array({bos, first, second})},
        {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {1}}, {"tokens", {"<s>"}}}}}}}},
      {"decoder", byte_level},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", "<unk>"},
        {"continuing_subword_prefix", nullptr},
        {"end_of_word_suffix", nullptr},
        {"fuse_unk", false},
        {"byte_fallback", false},
        {"ignore_merges", false},
        {"vocab", vocabulary},
        {"merges", merges}}},
  };
  return file.dump(1);
}

}  // namespace

Result<std::string> train_byte_level_bpe(std::span<const std::string> texts, int vocab_size) {
  if (vocab_size < kFirstMerge || vocab_size > limits::kVocabularyMax)
    return fail(Code::kBadInput, "a vocabulary of " + std::to_string(vocab_size) + " is outside " +
                                     std::to_string(kFirstMerge) + " to " +
                                     std::to_string(limits::kVocabularyMax));
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"}, merges;
  for (int byte = 0; byte < 256; ++byte)
    append_utf8(tokens.emplace_back(), byte_character(static_cast<std::uint8_t>(byte)));

  PairCounts counts(count_words(texts));
  while (static_cast<int>(tokens.size()) < vocab_size) {
    const auto product = static_cast<TokenId>(tokens.size());
    const Candidate joined = counts.join_next(product);
    if (joined.count == 0)
      return fail(Code::kBadInput, "the text gives only " + std::to_string(tokens.size()) +
                                       " tokens, not " + std::to_string(vocab_size) +
                                       "; give more text or ask for fewer");
    const std::string &left = tokens[static_cast<std::size_t>(joined.pair.left)],
                      &right = tokens[static_cast<std::size_t>(joined.pair.right)];
    merges.push_back(left + " " + right);
    std::string both = left + right;
    tokens.push_back(std::move(both));
  }
  return tokenizer_json(tokens, merges);
}

}  // namespace freshet
