
#include "base/flags.h"
#include "cli/model/verbs.h"
#include "cli/model/writing.h"
#include "model/files/model_parts.h"
#include "model/files/output_folder.h"
#include "model/files/peft_adapter.h"
#include "model/files/write_gguf.h"

namespace freshet {
namespace {

struct ConvertFlags {
  std::string model, adapter, to, out, dtype;
  bool force = false, json = false;
};

Result<Written> convert_model(const ConvertFlags& flags, const OnProgress& on_progress) {
  TRY_ASSIGN(const ModelFiles files, open_model_folder(flags.model));
  const WritePlan plan{flags.out, flags.force, weight_type_named(flags.dtype)};
  if (flags.to == "gguf") return write_gguf(files, plan, on_progress);
  return write_hugging_face(flags.model, files, plan, on_progress);
}

Result<Written> convert_adapter(const ConvertFlags& flags) {
  TRY_ASSIGN(const ModelFiles files, open_model_folder(flags.model));
  TRY_ASSIGN(const ModelConfig config, read_config(files));
  TRY_ASSIGN(const PeftFiles adapter_files, open_peft_folder(flags.adapter));
  TRY_ASSIGN(const PeftAdapter adapter, read_peft_adapter(adapter_files, config));
  TRY_ASSIGN(const Layout layout, adapter_layout(config, adapter.spec));
  if (flags.to == "gguf") {
    TRY(check_output_file(flags.out, flags.force));
    TRY(write_lora_gguf(flags.out, config, adapter));
  } else {
    TRY_ASSIGN(OutputFolder folder, OutputFolder::begin(flags.out, flags.force));
    TRY(write_peft_folder(folder.path(), config, adapter));
    TRY(folder.finish());
  }
  return Written{layout.entries.size(), layout.entries.size() / 2, layout.size, 4 * layout.size};
}

// What CLI11 cannot say of flags together.
void check_together(const ConvertFlags& flags) {
  if (flags.adapter.empty() && flags.to == "peft")
    refuse_flag("--to peft", "writes an adapter: name it with --adapter");
  if (!flags.adapter.empty() && flags.to == "hf")
    refuse_flag("--to hf", "writes a model; an adapter becomes gguf or peft");
  if (!flags.adapter.empty() && !flags.dtype.empty())
    refuse_flag("--dtype", "adapters are written as f32");
  if (flags.to == "hf" && flags.dtype == "q8_0")
    refuse_flag("--dtype q8_0", "is for --to gguf alone");
}

}  // namespace

void add_convert(Command& model, Verb& chosen) {
  auto flags = std::make_shared<ConvertFlags>();
  Command* verb = model.add_subcommand("convert", "Write a model or an adapter in another form");
  verb->add_option("MODEL", flags->model, "Model folder (Hugging Face form) or .gguf file")
      ->required();
  verb->add_option("--adapter", flags->adapter,
                   "Convert this PEFT folder of an adapter of MODEL, not MODEL");
  verb->add_option("--to", flags->to, "hf: a folder; gguf: a file; peft: an adapter's folder")
      ->required()
      ->one_of({"hf", "gguf", "peft"});
  verb->add_option("--out", flags->out, "Folder or file to write")->required();
  verb->add_option("--dtype", flags->dtype,
                   "Number format of the weights; the model's own if absent")
      ->one_of({"f32", "f16", "bf16", "q8_0"});
  verb->add_flag("--force", flags->force, "Replace what stands at --out");
  verb->add_flag("--json", flags->json, "One JSON object");
  verb->callback([flags, &chosen] {
    check_together(*flags);
    chosen = [flags] {
      return run_writing(flags->out, flags->json, [&](const OnProgress& on_progress) {
        return flags->adapter.empty() ? convert_model(*flags, on_progress)
                                      : convert_adapter(*flags);
      });
    };
  });
}

}  // namespace freshet
