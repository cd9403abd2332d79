#pragma once
// One campaign at rest, in DIR/campaigns/<id>/: campaign.toml (paths made absolute), record.json
// (its place in the queue and how far it came), journal/, blobs/, and at the end slm_adapter/ and
// llm_adapter/. What the rounds have reached stands in the journal alone.

#include <cstdint>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json_fwd.h"
#include "model/files/model_files.h"
#include "protocol/campaign_file.h"

namespace freshet {

enum class CampaignState : std::uint8_t {
  kQueued,    // waits for the campaigns before it
  kRunning,   // rounds
  kAdapting,  // the rounds are done: publishing, and the cloud model learns
  kFinished,
  kFailed,
  kStopped,  // by its operator
};
std::string_view name_of(CampaignState state);
inline bool has_ended(CampaignState state) { return state >= CampaignState::kFinished; }

struct CampaignRecord {
  CampaignId id;
  std::uint64_t number = 0;  // 1 for the first campaign of this coordinator
  CampaignState state = CampaignState::kQueued;
  std::string why;    // it failed or was stopped
  VersionId version;  // published last; exact only once the rounds are done
  Digest adapter{};   // of that version
  CampaignFile file;  // with every default filled in and plan.model set
};

Path campaign_folder(const Path& folder, CampaignId id);
std::string campaign_name(CampaignId id);  // 16 hexadecimal digits
Result<CampaignId> campaign_id_from(std::string_view name);

Result<void> save(const Path& folder, const CampaignRecord& record);  // durable
// All campaigns of a coordinator, by number. kCorrupt for a record that does not read.
Result<std::vector<CampaignRecord>> load_campaigns(const Path& folder);

// What plan.model is of a model folder: its digest, or in a campaign of logits its tokenizer's.
Result<Digest> digest_of_held(const CampaignPlan& plan, const ModelFiles& files);

Json to_json(const CampaignRecord& record);

}  // namespace freshet
