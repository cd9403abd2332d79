#include <array>
#include <cstdio>

#include "base/exit_code.h"
#include "base/flags.h"
#include "base/json.h"
#include "cli/model/verbs.h"
#include "model/adapter.h"
#include "model/files/model_parts.h"
#include "model/modules.h"
#include "model/text/chat_template.h"

namespace freshet {
namespace {

constexpr int kRank = 8;

struct InfoFlags {
  std::string folder;
  bool digest = false, json = false;
};

struct Info {
  ModelConfig config;
  std::uint64_t parameters = 0, weight_bytes = 0,
                adapter = 0;  // adapter: values of LoRA on all linear modules at kRank
  std::array<std::uint64_t, kWeightTypes> by_type{};  // elements
  int vocabulary = 0;                                 // of the tokenizer
  std::string chat, why_no_chat, digest;
  bool gguf = false;
  std::size_t files = 0;
};

std::uint64_t parameters_of(const ModelConfig& config) {
  std::uint64_t sum = 0;
  for (const WeightShape& weight : weight_shapes(config)) {
    if (weight.optional) continue;
    std::uint64_t elements = 1;
    for (const std::int64_t length : weight.shape) elements *= static_cast<std::uint64_t>(length);
    sum += elements;
  }
  return sum;
}

// Part checked against part; of the weights only names, shapes and forms are looked at.
Result<Info> look_at(const InfoFlags& flags) {
  TRY_ASSIGN(const ModelFiles files, open_model_folder(flags.folder));
  Info info;
  info.gguf = files.is_gguf();
  info.files = files.weights.size();
  TRY_ASSIGN(info.config, read_config(files));
  TRY_ASSIGN(const Tokenizer tokenizer, read_tokenizer(files));
  TRY(check_tokenizer_matches(info.config, tokenizer));
  info.vocabulary = tokenizer.vocab_size();
  TRY_ASSIGN(const Weights weights, Weights::open(files));
  TRY(check_weights(info.config, weights, files.weights.front().name));
  for (const WeightView& view : weights.all()) {
    info.by_type[static_cast<std::size_t>(view.type)] +=
        static_cast<std::uint64_t>(view.elements());
    info.weight_bytes += view.bytes.size();
  }
  info.parameters = parameters_of(info.config);
  TRY_ASSIGN(const auto template_text, read_chat_template(files));
  if (!template_text)
    info.why_no_chat = "none";
  else if (const Result<ChatTemplate> chat = chat_of_model(template_text, tokenizer, flags.folder))
    info.chat = name_of(chat->family());
  else
    info.why_no_chat = chat.error().what;
  TRY_ASSIGN(const Layout layout, adapter_layout(info.config, {.rank = kRank}));
  info.adapter = layout.size;
  if (!flags.digest) return info;
  TRY_ASSIGN(const Digest digest, model_digest(files));
  info.digest = to_hex(digest);
  return info;
}

std::string forms_of(const Info& info) {
  std::string text;
  for (std::size_t type = 0; type < kWeightTypes; ++type) {
    if (info.by_type[type] == 0) continue;
    char part[48];
    std::snprintf(part, sizeof part, "%s%s %.2f M", text.empty() ? "" : ", ",
                  std::string(block_of(static_cast<WeightType>(type)).name).c_str(),
                  static_cast<double>(info.by_type[type]) / 1e6);
    text += part;
  }
  return text;
}

void print_json(const Info& info) {
  const ModelConfig& config = info.config;
  Json forms = Json::object();
  for (std::size_t type = 0; type < kWeightTypes; ++type)
    if (info.by_type[type] > 0)
      forms[std::string(block_of(static_cast<WeightType>(type)).name)] = info.by_type[type];
  Json out = {{"architecture", name_of(config.architecture)},
              {"parameters", info.parameters},
              {"vocab_size", config.vocab_size},
              {"hidden_size", config.hidden_size},
              {"intermediate_size", config.intermediate_size},
              {"layers", config.layers},
              {"heads", config.heads},
              {"kv_heads", config.kv_heads},
              {"max_positions", config.max_positions},
              {"tied_embeddings", config.tied_embeddings},
              {"form", info.gguf ? "gguf" : "hf"},
              {"weights", forms},
              {"weight_bytes", info.weight_bytes},
              {"tokenizer_size", info.vocabulary},
              {"chat_template", info.chat.empty() ? Json() : Json(info.chat)},
              {"lora_rank_8_parameters", info.adapter}};
  if (!info.digest.empty()) out["digest"] = info.digest;
  std::puts(to_text(out).c_str());
}

void print(const InfoFlags& flags, const Info& info) {
  const ModelConfig& config = info.config;
  std::printf(
      "%s\n  architecture  %s\n  parameters    %.2f M%s\n  weights       %s; %.1f MB in %zu %s\n",
      flags.folder.c_str(), std::string(name_of(config.architecture)).c_str(),
      static_cast<double>(info.parameters) / 1e6,
      config.tied_embeddings ? ", embeddings and head are one" : "", forms_of(info).c_str(),
      static_cast<double>(info.weight_bytes) / 1e6, info.files, info.files == 1 ? "file" : "files");
  std::printf(
      "  layers        %d of %d channels, %d heads (%d for keys and values)\n  vocabulary    %d "
      "ids, %d of them the tokenizer's\n"
      "  positions     %d\n  chat          %s\n",
      config.layers, config.hidden_size, config.heads, config.kv_heads, config.vocab_size,
      info.vocabulary, config.max_positions,
      info.chat.empty() ? info.why_no_chat.c_str() : info.chat.c_str());
  std::printf("  LoRA          rank %d on all linear modules: %.2f M values, %.1f MB\n", kRank,
              static_cast<double>(info.adapter) / 1e6, static_cast<double>(info.adapter) * 4e-6);
  if (!info.digest.empty()) std::printf("  digest        %s\n", info.digest.c_str());
}

}  // namespace

void add_info(Command& model, Verb& chosen) {
  auto flags = std::make_shared<InfoFlags>();
  Command* verb = model.add_subcommand(
      "info", "Say what a model is, after checking its files against each other");
  verb->add_option("MODEL", flags->folder, "Model folder (Hugging Face form) or .gguf file")
      ->required();
  verb->add_flag("--digest", flags->digest, "Its digest too, which reads every byte");
  verb->add_flag("--json", flags->json, "One JSON object");
  verb->callback([flags, &chosen] {
    chosen = [flags] {
      const Result<Info> info = look_at(*flags);
      if (!info) return report(info.error());
      if (flags->json)
        print_json(*info);
      else
        print(*flags, *info);
      return 0;
    };
  });
}

}  // namespace freshet
