#pragma once
// A model in this process, behind a face without LibTorch: what `freshet model`, `freshet simulate
// learning` and the auditor of a demo use. Daemons never link this: they have
// model/process/trainer_process.h.

#include <memory>

#include "model/files/model_files.h"
#include "model/language_model.h"
#include "trainer/generate.h"

namespace freshet {

class LocalModel final : public LanguageModel {
 public:
  // From descriptors alone. kBadInput where a file is damaged or the files are not of one model.
  static Result<LocalModel> load(const ModelFiles& files);

  const ModelConfig& config() const override;
  const Tokenizer& tokenizer() const;
  const Result<ChatTemplate>& chat() const;  // or why rows of "messages" have none
  const Digest& digest() const;
  std::uint64_t parameters() const;

  // Const in effect: several threads may call these at a time on one model.
  Result<Finetuned> finetune(const FinetunePlan& plan, const std::vector<float>& adapter,
                             const Corpus& corpus) override;
  Result<Evaluation> evaluate(const AdapterSpec& spec, const std::vector<float>& adapter,
                              std::span<const TokenId> tokens, std::uint64_t bytes,
                              int window) override;
  Result<Generated> generate(const AdapterSpec& spec, const std::vector<float>& adapter,
                             std::span<const TokenId> prompt, const GeneratePlan& plan);

  LocalModel(LocalModel&&) noexcept;
  LocalModel& operator=(LocalModel&&) noexcept;
  ~LocalModel() override;

 private:
  struct State;
  explicit LocalModel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace freshet
