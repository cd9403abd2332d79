#include "trainer/adaptation/own_text.h"

#include <algorithm>
#include <string_view>

namespace freshet {
namespace {

std::size_t hash_of_run(std::span<const TokenId> ids, std::size_t at) {
  const std::span<const TokenId> run = ids.subspan(at, kOwnRun);
  return std::hash<std::string_view>()(
      {reinterpret_cast<const char*>(run.data()), run.size_bytes()});
}

}  // namespace

OwnText::OwnText(std::span<const TokenId> text) {
  for (std::size_t at = 0; at + kOwnRun <= text.size(); ++at) runs_.insert(hash_of_run(text, at));
}

bool OwnText::any_in(std::span<const TokenId> sequence) const {
  for (std::size_t at = 0; at + kOwnRun <= sequence.size(); ++at)
    if (runs_.contains(hash_of_run(sequence, at))) return true;
  return false;
}

void silence_own(const Prompts& prompts, const OwnText& own, std::vector<float>& confidence) {
  const auto window = static_cast<std::size_t>(prompts.window);
  for (std::size_t at = 0; at < prompts.ids.size(); at += window)
    if (own.any_in(std::span(prompts.ids).subspan(at, window)))
      std::fill_n(confidence.begin() + static_cast<std::ptrdiff_t>(at), window, 0.0f);
}

}  // namespace freshet
