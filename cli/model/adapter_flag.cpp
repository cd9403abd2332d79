#include "cli/model/adapter_flag.h"

#include "model/files/peft_adapter.h"

namespace freshet {

Result<LoadedAdapter> load_adapter_flag(const std::string& folder, const ModelConfig& config) {
  if (folder.empty()) return LoadedAdapter{};
  TRY_ASSIGN(const PeftFiles files, open_peft_folder(folder));
  TRY_ASSIGN(PeftAdapter adapter, read_peft_adapter(files, config));
  return LoadedAdapter{std::move(adapter.spec), std::move(adapter.values)};
}

}  // namespace freshet
