#pragma once
// Which passages of a node's text train and which are held out, decided by each passage's own
// digest under a salt: text that is added, moved or taken away changes nothing for the rest, so
// that nothing held out today has trained yesterday.

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "model/text/document.h"

namespace freshet {

struct Split {
  std::vector<Document> train, heldout;
};

// May change a passage (it has been decided on already); false leaves it out.
using PassageFilter = std::function<bool(Document&)>;

// A passage is a row, a document of less than 20 lines, or some lines of a longer one: these end
// where the last line's own digest says so, after 8 to 64 lines. Passages of one document that
// follow each other and fall together are joined again. Where all would train the lowest digest is
// held out, and the other way round; never the only passage.
Split split_stably(std::span<const Document> documents, double heldout_share, std::string_view salt,
                   const PassageFilter& filter);

}  // namespace freshet
