#pragma once
// The durable form of a campaign: journal entries (events) and snapshots (whole states),
// little-endian, stamped with the machine's version. Decoding takes only what encoding makes: one
// form for one value.

#include "coordinator/campaign.h"

namespace freshet::campaign {

// Rises whenever step() answers an old event differently or a form below changes. A journal of
// another version is refused: finish the campaign with the program that began it.
inline constexpr std::uint16_t kMachineVersion = 3;

Bytes encode(const Event& event);
Result<Event> decode_event(ByteView entry);  // kCorrupt

Bytes encode(const Campaign& campaign);               // without `heard`
Result<Campaign> decode_campaign(ByteView snapshot);  // kCorrupt

// One journal entry on a state during recovery. kCorrupt when it does not decode or changes nothing
// durable: the journal holds only events that did. `effects`: what followed from it then.
Result<void> replay(Campaign& campaign, ByteView entry, std::vector<Effect>* effects = nullptr);

}  // namespace freshet::campaign
