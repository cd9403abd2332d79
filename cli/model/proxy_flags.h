#pragma once
// --proxy-base, --proxy-tuned, --proxy-weight and --proxy-mixed: a small model and its adapter,
// whose shift moves the logits of the model that a verb computes with.

#include <memory>
#include <string>

#include "cli/model/adapter_flag.h"
#include "cli/model/loaded.h"
#include "trainer/transformer/lora.h"

namespace freshet {

class Command;

struct ProxyFlags {
  std::string base, tuned;
  float weight = 1;
  bool mixed = false;
  bool given() const { return !base.empty(); }
};
void add_proxy_flags(Command& verb, ProxyFlags& flags);

// The small model, with its adapter ready to compute with.
class SmallModel {
 public:
  SmallModel(VerbModel model, LoadedAdapter adapter, Layout layout);
  SmallModel(const SmallModel&) = delete;
  SmallModel& operator=(const SmallModel&) = delete;
  const Transformer& model() const { return model_.model; }
  const Lora& tuned() const { return tuned_; }

 private:
  VerbModel model_;
  LoadedAdapter adapter_;
  Layout layout_;
  Lora tuned_;
};

// kBadInput where it does not have the tokens of `tokenizer`, id by id.
Result<std::unique_ptr<SmallModel>> load_proxy(const ProxyFlags& flags, const Tokenizer& tokenizer,
                                               const std::string& precision, int threads);

}  // namespace freshet
