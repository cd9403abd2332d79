#pragma once
// What trainings on this node's text ever cost each example of it: charged, durably, before the
// first step of each. DIR/examples.ledger, the same that `freshet model finetune --dp-folder DIR`
// charges; made when the first campaign asks for such a training.

#include <optional>

#include "crypto/secret.h"
#include "membership/ledger_file.h"
#include "model/process/trainer_messages.h"
#include "protocol/plan.h"

namespace freshet {

class ExampleLedger {
 public:
  ExampleLedger(Path file, const Budget& budget) : file_(std::move(file)), budget_(budget) {}

  struct Training {  // from one base of a campaign
    CampaignId campaign;
    VersionId version;
    const CampaignPlan& plan;
    Digest adapter{};
    std::size_t entries = 0;
  };
  // What the trainer needs for it. The same training again is free, and has the same noise; over
  // another text it is another one. kRefused where it would pass the budget. REQUIRES:
  // plan.examples.on().
  Result<ExampleNoise> charge(const Training& training, const TextOpened& text,
                              const Secret& storage);

  // Of all trainings; empty where nothing was charged by this process.
  std::optional<double> epsilon() const { return epsilon_; }

 private:
  Path file_;
  Budget budget_;
  std::optional<LedgerFile> ledger_;
  std::optional<double> epsilon_;
};

}  // namespace freshet
