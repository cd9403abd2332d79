#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/exit_code.h"
#include "base/json.h"
#include "cli/model/verbs.h"
#include "trainer/local_model.h"

namespace freshet {
namespace {

struct Flags {
  std::string folder;
  bool json = false;
};

Result<void> run(const Flags& flags) {
  TRY_ASSIGN(const ModelFiles files, open_model_folder(flags.folder));
  TRY_ASSIGN(const LocalModel model, LocalModel::load(files));
  const ModelConfig& config = model.config();
  if (flags.json) {
    Json out = {{"parameters", model.parameters()}, {"digest", to_hex(model.digest())}, {"vocab_size", config.vocab_size},
                {"hidden_size", config.hidden_size}, {"layers", config.layers}, {"heads", config.heads},
                {"kv_heads", config.kv_heads}, {"max_positions", config.max_positions}};
    std::puts(to_text(out).c_str());
    return {};
  }
  std::printf("%s\n  parameters   %.2f M\n  layers       %d of %d channels, %d heads (%d for keys and values)\n"
              "  vocabulary   %d ids\n  positions    %d\n  digest       %s\n",
              flags.folder.c_str(), static_cast<double>(model.parameters()) / 1e6, config.layers, config.hidden_size,
              config.heads, config.kv_heads, config.vocab_size, config.max_positions, to_hex(model.digest()).c_str());
  return {};
}

}  // namespace

void add_info(CLI::App& model, Verb& chosen) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = model.add_subcommand("info", "Say what a model folder holds, after checking all of it");
  verb->add_option("MODEL", flags->folder, "Model folder (Hugging Face form)")->required();
  verb->add_flag("--json", flags->json, "One JSON object");
  verb->callback([flags, &chosen] {
    chosen = [flags] {
      const Result<void> done = run(*flags);
      return done ? 0 : report(done.error());
    };
  });
}

}  // namespace freshet
