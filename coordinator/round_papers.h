#pragma once
// The documents of a masked round as bytes, for coordinator/round_book.cpp: what members said, as
// it was checked. What does not read any more is kCorrupt.

#include <optional>

#include "protocol/secagg_messages.h"

namespace freshet::papers {

Bytes of_advert(const RosterMember& member);
Result<RosterMember> advert_from(ByteView bytes);
Bytes of_boxes(const std::vector<SignedBox>& boxes);
Result<std::vector<SignedBox>> boxes_from(ByteView bytes);
// Of one peer alone, without reading the others. Nothing where the bundle has none for it.
std::optional<secagg::SealedShare> box_for(ByteView boxes, std::uint32_t peer);
Bytes of_shares(const std::vector<secagg::RevealedShare>& shares);
Result<std::vector<secagg::RevealedShare>> shares_from(ByteView bytes);
Result<Signature> signature_from(ByteView bytes);

}  // namespace freshet::papers
