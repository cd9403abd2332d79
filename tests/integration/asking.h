#pragma once
// A world of masked logits: what its nodes hold, and what they are asked.

#include <string>

#include "base/check.h"
#include "base/files.h"
#include "model/question.h"
#include "protocol/campaign_file.h"

namespace freshet {

template <class T>
T must(Result<T> result) {
  CHECK(result.has_value(), "{}", result.error().what);
  return std::move(*result);
}
inline void must(const Result<void>& result) {
  CHECK(result.has_value(), "{}", result.error().what);
}

// Two windows of nothing in particular, and for each token some ids after it as candidates.
Question some_question(const Path& model);

// Enough for some windows, and of each node another.
std::string own_words(int node);

// Makes it a campaign that asks that, of nodes that are sure of all they say.
void ask(CampaignFile& file, const Path& llm, const Path& question_file);

}  // namespace freshet
