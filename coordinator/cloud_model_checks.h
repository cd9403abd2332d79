#pragma once
// Whether what a campaign's file says about its cloud model goes together: looked at when it is
// submitted, and again before the cloud model learns.

#include "model/files/model_files.h"
#include "protocol/campaign_file.h"

namespace freshet {

// kBadInput: another tokenizer than the small model's, no public text where a way needs it, a
// question that the models cannot be asked.
Result<void> check_adapt(const CampaignFile& file, const ModelFiles& slm);

// Of a campaign of logits: reads the question, which settles the shape of the plan. kBadInput for
// one that does not read, or is not the one that the file names.
Result<void> take_question(CampaignFile& file);

// kBadInput where the models are not those that the campaign was submitted with.
Result<void> check_unchanged(const CampaignFile& file);

}  // namespace freshet
