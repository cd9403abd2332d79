#pragma once
// How a campaign's cloud model (LLM) learns of its nodes: [adapt] of its file. Docs:
// docs/adaptation.md.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace freshet {

enum class Way : std::uint8_t {
  kDistill,   // the federated SLM, heard on public text
  kGenerate,  // text that the federated SLM wrote
  kProxy,     // nothing is trained: the LLM's logits are moved while it writes
  kLogits,    // nodes' masked answers to a question; they send nothing of their models
  kDirect,    // nodes run the LLM's own base: the federated adapter is the LLM's
};
std::string_view name_of(Way way);
// kBadInput for a way that nobody knows, and for one that is not built yet.
Result<Way> way_named(std::string_view name);

struct AdaptPlan {
  bool enabled = false;
  std::string llm;          // model folder
  std::string public_text;  // text folder
  int rank = 8;
  float alpha = 16;
  int steps = 200, batch = 8, window = 128, top_k = 16;
  float lr = 1e-3f, temperature = 1, weight = 0.7f, weight_end = 0.7f;
  bool shift = true;  // teach what tuning changed in the SLM; false: all that the SLM says
                      // (model/language_model.h)
  std::uint64_t seed = 1;
  std::vector<Way> ways = {Way::kDistill};
  int keeping = 2;  // of a batch, text of the LLM's own
  int public_sequences = 256, written_sequences = 256, own_sequences = 64;
  float proxy_weight = 0.3f;  // of what tuning changed in the SLM, while the LLM writes
  std::string question = {};  // file, for logits
  float silence = 0.02f;      // mean confidence below which nobody has said anything
  float sharpen = 1;          // of the nodes' mean: shares to this power
  bool operator==(const AdaptPlan&) const = default;
};

bool has(const AdaptPlan& adapt, Way way);
bool trains(const AdaptPlan& adapt);  // a trainer is needed

// kBadInput, naming the first field that is out of bounds and its bounds.
Result<void> validate(const AdaptPlan& adapt);

}  // namespace freshet
