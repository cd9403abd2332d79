#include "cli/model/evaluate_adapt.h"

#include <algorithm>
#include <cstdio>

#include "base/exit_code.h"
#include "base/flags.h"
#include "base/limits.h"
#include "cli/demo/longest_match.h"
#include "cli/demo/private_text.h"
#include "cli/model/verbs.h"
#include "simulations/learning/scratch_folder.h"
#include "trainer/model_folder.h"
#include "trainer/threads.h"

namespace freshet {
namespace {

struct AdaptFlags {
  std::string slm, llm, data, public_text, general, keep;
  std::vector<std::string> node_slms, ways;
  std::vector<int> seeds{1};
  int rounds = 0, rank = 0, steps = 0, windows = 64, threads = 2, oracle_steps = 0,
      private_kib = 300, home_steps = 0, asked = 0;
  bool json = false, aligned = false;
};

Hearing hearing_of(const AdaptFlags& flags) {
  return flags.aligned ? Hearing::kAligned : Hearing::kBytes;
}

// Text of English sources alone: what is public must not be the private domains in other words.
const std::vector<std::string> kPublicSources = {"reference", "devil"};

struct AdaptText {
  std::vector<FleetNode> nodes;
  TokenStream public_text, general;
};

Result<Corpus> corpus_of(const LoadedModel& model, const Path& folder, double held, int window) {
  TRY_ASSIGN(const std::vector<OpenFile> files, open_text_folder(folder));
  TRY_ASSIGN(const std::vector<Document> documents, read_documents(files, {&model.chat, {}}));
  return make_corpus(model.tokenizer, documents, held, window);
}

Result<TokenStream> all_of(const LoadedModel& model, const Path& folder, int window) {
  TRY_ASSIGN(Corpus corpus, corpus_of(model, folder, 0.01, window));
  return std::move(corpus.train);
}

// The demo's private domains below `folder`/private, and public text that covers none of them.
Result<void> write_text(const AdaptFlags& flags, const Path& folder) {
  const demo::TextRoots roots = demo::text_roots();
  TRY(demo::write_private_text(folder, roots, demo::private_sources().size(),
                               static_cast<std::size_t>(flags.private_kib) * limits::kKiB));
  TRY(make_folders(folder / "public"));
  for (const demo::Source& source : demo::public_sources()) {
    if (std::find(kPublicSources.begin(), kPublicSources.end(), source.name) ==
        kPublicSources.end())
      continue;
    TRY_ASSIGN(const auto parts, demo::read_source(source, roots, 250 * limits::kKiB));
    for (const demo::TextPart& part : parts)
      if (!part.text.empty())
        TRY(write_file_durably(folder / "public" / (part.name + ".txt"), as_bytes(part.text)));
  }
  return {};
}

Result<std::vector<FleetNode>> nodes_below(const LoadedModel& model, const Path& folder,
                                           int window) {
  TRY_ASSIGN(const auto found, demo::list_own_text(folder));
  std::vector<FleetNode> nodes;
  for (const demo::NodeText& text : found) {
    TRY_ASSIGN(Corpus corpus, corpus_of(model, text.folder, 0.1, window));
    nodes.push_back({text.name, std::move(corpus)});
  }
  return nodes;
}

// A model that nodes have beside the small one; where its tokens are others, their text in those.
struct OtherModel {
  LoadedModel loaded;
  std::unique_ptr<VocabularyBridge> bridge;
  std::vector<FleetNode> nodes;
};

bool same_tokens(const Tokenizer& a, const Tokenizer& b) {
  bool same = a.vocab_size() == b.vocab_size();
  for (TokenId id = 0; same && id < a.vocab_size(); ++id) same = a.text_of(id) == b.text_of(id);
  return same;
}

Result<AdaptText> read_text(const AdaptFlags& flags, const LoadedModel& model, int window,
                            std::vector<OtherModel>& others) {
  TRY_ASSIGN(const ScratchFolder scratch, ScratchFolder::make());
  if (flags.data.empty() || flags.public_text.empty()) TRY(write_text(flags, scratch.path()));
  AdaptText text;
  const Path data = flags.data.empty() ? scratch.path() / "private" : Path(flags.data);
  TRY_ASSIGN(text.nodes, nodes_below(model, data, window));
  for (OtherModel& other : others) {
    if (same_tokens(other.loaded.tokenizer, model.tokenizer)) continue;
    other.bridge = std::make_unique<VocabularyBridge>(other.loaded.tokenizer, model.tokenizer);
    TRY_ASSIGN(other.nodes, nodes_below(other.loaded, data, window));
  }
  TRY_ASSIGN(
      text.public_text,
      all_of(model, flags.public_text.empty() ? scratch.path() / "public" : Path(flags.public_text),
             window));
  TRY_ASSIGN(text.general, all_of(model, flags.general, window));
  return text;
}

AdaptRecipe recipe_of(const AdaptFlags& flags, std::uint64_t seed) {
  AdaptRecipe recipe = default_recipe(seed);
  recipe.threads = flags.threads;
  recipe.score.windows_max = static_cast<std::size_t>(flags.windows);
  if (flags.rounds > 0)
    recipe.campaign.rounds = recipe.of_llm.rounds = static_cast<std::uint32_t>(flags.rounds);
  if (flags.rank > 0) {
    recipe.campaign.lora.rank = flags.rank;
    recipe.campaign.lora.alpha = 2.0f * static_cast<float>(flags.rank);
  }
  if (flags.steps > 0) recipe.learning.steps = flags.steps;
  if (flags.oracle_steps > 0) recipe.oracle.steps = flags.oracle_steps;
  if (flags.home_steps > 0) recipe.home.steps = flags.home_steps;
  if (flags.asked > 0) recipe.asked_sequences = flags.asked;
  return recipe;
}

// The longest run of bytes of a node's text in what was written.
std::size_t longest_private_run(const LoadedModel& model, const std::vector<FleetNode>& nodes,
                                const Prompts& written) {
  const std::string text = model.tokenizer.decode(written.ids);
  std::vector<std::string> own;
  std::vector<ByteView> patterns;
  for (const FleetNode& node : nodes) own.push_back(model.tokenizer.decode(node.corpus.train.ids));
  for (const std::string& each : own) patterns.push_back(as_bytes(each));
  demo::LongestMatch match(patterns);
  match.scan(as_bytes(text));
  return match.bytes();
}

// Models and texts, by name: another experiment finds nothing of this one.
std::string what_it_is_about(const AdaptFlags& flags) {
  std::string text = flags.slm + "|" + flags.llm + "|" + flags.data + "|" + flags.public_text +
                     "|" + flags.general + "|" + std::to_string(flags.private_kib);
  for (const std::string& folder : flags.node_slms) text += "|" + folder;
  if (flags.aligned) text += "|aligned";
  return text;
}

Result<LoadedModel> model_of(const std::string& folder) {
  TRY_ASSIGN(const ModelFiles files, open_model_folder(folder));
  return load_model(files, Precision::kBf16);
}

// Of every node in turn: one of the folders that were given.
std::vector<NodeModel> node_models_of(const std::vector<OtherModel>& models, std::size_t nodes,
                                      Hearing hearing) {
  std::vector<NodeModel> each;
  for (std::size_t i = 0; i < nodes && !models.empty(); ++i) {
    const OtherModel& own = models[i % models.size()];
    NodeModel& node = each.emplace_back(NodeModel{&own.loaded.model, {16, 32}, {}});
    if (own.bridge == nullptr) continue;
    node.bridge = own.bridge.get();
    node.text = &own.nodes[i].corpus.train;
    node.hearing = hearing;
  }
  return each;
}

Result<void> run(const AdaptFlags& flags) {
  warm_up(flags.threads);
  TRY_ASSIGN(const LoadedModel slm, model_of(flags.slm));
  TRY_ASSIGN(const LoadedModel llm, model_of(flags.llm));
  if (slm.model.config.vocab_size != llm.model.config.vocab_size)
    return fail(Code::kBadInput,
                flags.slm + " and " + flags.llm + " do not share a tokenizer, which this needs");
  std::vector<OtherModel> others;
  for (const std::string& folder : flags.node_slms) {
    TRY_ASSIGN(LoadedModel other, model_of(folder));
    others.push_back({std::move(other), nullptr, {}});
  }
  TRY_ASSIGN(const AdaptText text, read_text(flags, slm, default_recipe(1).window, others));
  const AdaptPair pair{slm.model,  llm.model,        slm.tokenizer.bos_id(),
                       text.nodes, text.public_text, text.general};
  std::vector<SeedOutcomes> found;
  for (const int seed : flags.seeds) {
    SeedOutcomes& own = found.emplace_back();
    own.seed = static_cast<std::uint64_t>(seed);
    const AdaptRecipe recipe = recipe_of(flags, own.seed);
    Ways ways(pair, recipe, node_models_of(others, text.nodes.size(), hearing_of(flags)),
              flags.keep.empty() ? ExperimentFolder()
                                 : ExperimentFolder(flags.keep, recipe, what_it_is_about(flags)));
    for (const std::string& name : flags.ways.empty() ? Ways::names() : flags.ways) {
      TRY_ASSIGN(WayOutcome outcome, ways.run(name));
      std::fprintf(stderr, "seed %d: %-18s %.4f bits per byte, %.0f s\n", seed, name.c_str(),
                   outcome.score.bits_per_byte, outcome.seconds);
      own.outcomes.push_back(std::move(outcome));
    }
    if (ways.written() != nullptr)
      own.longest_private_run = longest_private_run(slm, text.nodes, *ways.written());
  }
  std::puts(flags.json ? to_text(adapt_json(found)).c_str() : adapt_table(found).c_str());
  return {};
}

}  // namespace

void add_evaluate_adapt(Command& app, Verb& chosen) {
  auto flags = std::make_shared<AdaptFlags>();
  Command* verb = app.add_subcommand(
      "evaluate-adapt", "Every way in which a cloud model learns of nodes, beside its controls");
  verb->add_option("--slm", flags->slm, "The nodes' model (Hugging Face form)")->required();
  verb->add_option("--llm", flags->llm, "The cloud model, with the same tokenizer")->required();
  verb->add_option("--general", flags->general,
                   "Folder of text like that of pre-training, held out: what is forgotten")
      ->required();
  verb->add_option("--data", flags->data,
                   "A folder with one subfolder of text for each node; absent: the demo's domains");
  verb->add_option("--private-kib", flags->private_kib, "Of a demo's domain")
      ->show_default()
      ->range(8, 100'000);
  verb->add_option("--public", flags->public_text,
                   "Folder of the coordinator's own text; absent: English text of the demo's");
  verb->add_option("--node-slm", flags->node_slms,
                   "For logits: a model that nodes have in turn; may be given again, and may have "
                   "a tokenizer of its own");
  verb->add_flag("--aligned", flags->aligned,
                 "Where tokenizers differ: answers at aligned tokens alone, as FedMKT has them; "
                 "absent: at every token, out of the bytes of the next one");
  verb->add_option("--way", flags->ways, "One of the ways, may be given again; absent: all");
  verb->add_option("--seed", flags->seeds, "May be given again")->show_default();
  verb->add_option("--rounds", flags->rounds, "Of a campaign")->range(1, 10'000);
  verb->add_option("--rank", flags->rank, "Of the small model's adapter")->range(1, 1024);
  verb->add_option("--steps", flags->steps, "In which the cloud model learns")->range(2, 1'000'000);
  verb->add_option("--oracle-steps", flags->oracle_steps, "Of each learning rate of the oracle")
      ->range(2, 1'000'000);
  verb->add_option("--home-steps", flags->home_steps, "For logits: in which a node tunes its own")
      ->range(1, 1'000'000);
  verb->add_option("--asked", flags->asked, "For logits: sequences that are asked in each round")
      ->range(1, 1'000'000);
  verb->add_option("--windows", flags->windows, "Of each domain's held-out text; 0: all of it")
      ->show_default()
      ->range(0, 1'000'000);
  verb->add_option("--keep", flags->keep,
                   "Folder for adapters and outcomes: the same command goes on where it was");
  verb->add_option("--threads", flags->threads)->show_default()->range(1, 256);
  verb->add_flag("--json", flags->json, "One JSON object");
  verb->callback([flags, &chosen] {
    chosen = [flags] {
      const Result<void> done = run(*flags);
      return done ? 0 : report(done.error());
    };
  });
}

}  // namespace freshet
