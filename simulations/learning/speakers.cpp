#include "simulations/learning/speakers.h"

#include <algorithm>
#include <map>

namespace freshet {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.remove_suffix(1);
  return text;
}

}  // namespace

std::size_t Speaker::bytes() const {
  std::size_t sum = 0;
  for (const std::string& utterance : utterances) sum += utterance.size();
  return sum;
}

std::vector<Speaker> split_speakers(std::string_view play) {
  std::map<std::string, Speaker> by_name;
  while (!play.empty()) {
    const std::size_t end = std::min(play.find("\n\n"), play.size());
    const std::string_view block = trimmed(play.substr(0, end));
    play.remove_prefix(std::min(end + 2, play.size()));
    const std::size_t line = block.find('\n');
    if (line == std::string_view::npos || line == 0 || block[line - 1] != ':') continue;
    const std::string name(block.substr(0, line - 1));
    Speaker& speaker = by_name.try_emplace(name, Speaker{name, {}}).first->second;
    speaker.utterances.emplace_back(block.substr(line + 1));
  }
  std::vector<Speaker> speakers;
  for (auto& [name, speaker] : by_name) speakers.push_back(std::move(speaker));
  std::stable_sort(speakers.begin(), speakers.end(),
                   [](const Speaker& a, const Speaker& b) { return a.bytes() > b.bytes(); });
  return speakers;
}

std::vector<Speaker> split_parts(std::string_view text, std::size_t count) {
  std::vector<Speaker> parts;
  for (std::size_t part = 0, begin = 0; part < count; ++part) {
    std::size_t end = std::max(begin, text.size() * (part + 1) / count);
    end = part + 1 == count ? text.size() : std::min(text.find('\n', end), text.size() - 1) + 1;
    parts.push_back({std::to_string(part + 1), {std::string(text.substr(begin, end - begin))}});
    begin = end;
  }
  return parts;
}

Corpus speaker_corpus(const Tokenizer& tokenizer, const Speaker& speaker) {
  std::vector<TokenId> tokens;
  for (const std::string& utterance : speaker.utterances) {
    const std::vector<TokenId> ids = tokenizer.encode(utterance, true);
    tokens.insert(tokens.end(), ids.begin(), ids.end());
  }
  Corpus corpus;
  const std::size_t train = tokens.size() - tokens.size() / 10;
  const std::uint64_t bytes = speaker.bytes();
  const std::uint64_t train_bytes = tokens.empty() ? 0 : bytes * train / tokens.size();
  corpus.train.append(std::span(tokens).first(train), {}, train_bytes);
  corpus.heldout.append(std::span(tokens).subspan(train), {}, bytes - train_bytes);
  return corpus;
}

}  // namespace freshet
