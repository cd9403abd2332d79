// Any bytes in the place of a privacy ledger: it opens with a sound budget and sound charges, whose
// epsilon is a number that one more charge does not lower, or it is refused. A changed byte of a
// real one is never taken. What a reader sees is what an opener keeps.

#include <stdlib.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "aggregation/privacy/ledger.h"
#include "base/check.h"
#include "storage/record_file.h"

namespace freshet {
namespace {

struct File {
  Path path;
  File() {
    std::string text = (std::filesystem::temp_directory_path() / "freshet-fuzz-XXXXXX").string();
    CHECK(::mkdtemp(text.data()) != nullptr);
    path = Path(text) / "privacy.ledger";
  }
  ~File() { std::filesystem::remove_all(path.parent_path()); }
  void write(ByteView bytes) const {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << as_text(bytes);
  }
};

Result<Ledger> read(const Path& path) {
  Ledger ledger(Ledger::Owner::kCampaign);
  TRY(read_records(path, kCampaignLedger, [&](ByteView record) { return ledger.take(record); }));
  return ledger;
}

void check_sound(const Ledger& ledger) {
  if (ledger.budget().epsilon == 0 || ledger.charges().size() > 4) return;
  const Spent spent = ledger.spent();
  CHECK(!(spent.epsilon < 0) && !(spent.epsilon > spent.epsilon_unamplified + 1e-9), "{} and {}",
        spent.epsilon, spent.epsilon_unamplified);
}

// Records as their file has them, so that the bytes past the digest are reached too.
void check_record(ByteView record) {
  for (const Ledger::Owner owner : {Ledger::Owner::kNode, Ledger::Owner::kExamples}) {
    Ledger ledger(owner);
    if (ledger.take(record)) check_sound(ledger);
  }
}

}  // namespace
}  // namespace freshet

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace freshet;
  static const File file;
  check_record({data, size});
  file.write({data, size});
  const auto seen = read(file.path);
  CHECK(seen || seen.error().code == Code::kCorrupt || seen.error().code == Code::kBadInput);
  if (!seen) return 0;
  check_sound(*seen);
  Ledger kept(Ledger::Owner::kCampaign);
  const auto opened = RecordFile::open(file.path, kCampaignLedger,
                                       [&](ByteView record) { return kept.take(record); });
  CHECK(opened.has_value() && kept.charges() == seen->charges(), "an opener sees other charges");
  if (kept.charges().empty()) return 0;
  std::string bytes = read_file(file.path, 1 << 20).value();
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  file.write(as_bytes(bytes));
  CHECK(!read(file.path), "a changed byte was taken");
  return 0;
}
