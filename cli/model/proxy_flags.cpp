#include "cli/model/proxy_flags.h"

#include "base/flags.h"

namespace freshet {
namespace {

// Nothing, or why the ids of one are not those of the other.
std::string difference(const Tokenizer& a, const Tokenizer& b) {
  if (a.vocab_size() != b.vocab_size())
    return std::to_string(a.vocab_size()) + " and " + std::to_string(b.vocab_size()) + " tokens";
  for (TokenId id = 0; id < a.vocab_size(); ++id)
    if (a.decode({&id, 1}) != b.decode({&id, 1}))
      return "token " + std::to_string(id) + " is another one";
  return {};
}

}  // namespace

void add_proxy_flags(Command& verb, ProxyFlags& flags) {
  auto* base = verb.add_option("--proxy-base", flags.base,
                               "A small model with the same tokenizer (proxy-tuning)");
  auto* tuned =
      verb.add_option("--proxy-tuned", flags.tuned,
                      "PEFT folder of its adapter: what tuning changed in the small model "
                      "moves this one's logits");
  base->needs(tuned);
  tuned->needs(base);
  auto* weight = verb.add_option("--proxy-weight", flags.weight, "How far they are moved")
                     ->show_default()
                     ->range(-10.0f, 10.0f)
                     ->needs(base);
  verb.add_flag("--proxy-mixed", flags.mixed,
                "Mix both models and the moved one by how well each foretold the text so far")
      ->needs(base)
      ->excludes(weight);
}

SmallModel::SmallModel(VerbModel model, LoadedAdapter adapter, Layout layout)
    : model_(std::move(model)),
      adapter_(std::move(adapter)),
      layout_(std::move(layout)),
      tuned_(model_.model.config, layout_, adapter_.values.data(), nullptr, false, false) {}

Result<std::unique_ptr<SmallModel>> load_proxy(const ProxyFlags& flags, const Tokenizer& tokenizer,
                                               const std::string& precision, int threads) {
  TRY_ASSIGN(VerbModel model, load_for_verb(flags.base, precision, threads));
  if (const std::string why = difference(tokenizer, model.tokenizer); !why.empty())
    return fail(Code::kBadInput, flags.base +
                                     ": not the tokenizer of the model that it is to move (" + why +
                                     "); proxy-tuning needs one tokenizer");
  TRY_ASSIGN(LoadedAdapter adapter, load_adapter_flag(flags.tuned, model.model.config));
  TRY_ASSIGN(Layout layout, adapter_layout(model.model.config, adapter.spec));
  return std::make_unique<SmallModel>(std::move(model), std::move(adapter), std::move(layout));
}

}  // namespace freshet
