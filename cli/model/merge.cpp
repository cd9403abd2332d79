
#include "base/flags.h"
#include "cli/model/verbs.h"
#include "cli/model/writing.h"
#include "model/files/model_parts.h"
#include "model/files/peft_adapter.h"

namespace freshet {
namespace {

struct MergeFlags {
  std::string model, adapter, out, dtype;
  bool force = false, json = false;
};

Result<Written> merge(const MergeFlags& flags, const OnProgress& on_progress) {
  TRY_ASSIGN(const ModelFiles files, open_model_folder(flags.model));
  TRY_ASSIGN(const ModelConfig config, read_config(files));
  TRY_ASSIGN(const PeftFiles adapter_files, open_peft_folder(flags.adapter));
  TRY_ASSIGN(PeftAdapter adapter, read_peft_adapter(adapter_files, config));
  TRY_ASSIGN(const AdapterFold fold,
             AdapterFold::make(config, adapter.spec, std::move(adapter.values)));
  const WritePlan plan{flags.out, flags.force, weight_type_named(flags.dtype), &fold};
  return write_hugging_face(flags.model, files, plan, on_progress);
}

}  // namespace

void add_merge(Command& model, Verb& chosen) {
  auto flags = std::make_shared<MergeFlags>();
  Command* verb = model.add_subcommand("merge", "Fold an adapter into the weights of its model");
  verb->add_option("MODEL", flags->model, "Model folder (Hugging Face form) or .gguf file")
      ->required();
  verb->add_option("--adapter", flags->adapter, "PEFT folder of a LoRA adapter")->required();
  verb->add_option("--out", flags->out, "Model folder to write")->required();
  verb->add_option("--dtype", flags->dtype,
                   "Number format of the weights; the model's own if absent")
      ->one_of({"f32", "f16", "bf16"});
  verb->add_flag("--force", flags->force, "Replace the model that stands at --out");
  verb->add_flag("--json", flags->json, "One JSON object");
  verb->callback([flags, &chosen] {
    chosen = [flags] {
      return run_writing(flags->out, flags->json,
                         [&](const OnProgress& on_progress) { return merge(*flags, on_progress); });
    };
  });
}

}  // namespace freshet
