#pragma once
// Who decided what and when: a chain of records in FOLDER/audit.records, each durable before add()
// returns and bound to all before it (record_file.h). Nothing can be changed, left out or put in
// without verify_audit() seeing it; of a tail that was cut off it sees nothing unless somebody
// noted a later head elsewhere. A full file is closed as audit-1.records, audit-2.records, ... and
// the next one begins with its head.
//
// A record is one JSON document: {"at": seconds since 1970, "who", "what", "about": {...}}.

#include <map>
#include <optional>
#include <string>

#include "base/json_fwd.h"
#include "base/limits.h"
#include "storage/record_file.h"

namespace freshet {

inline constexpr std::size_t kAuditWhyBytesMax = 400;  // of reasons, which others may have written

class AuditLog {
 public:
  // kCorrupt where the chain is broken: it is not written to again until a person has looked.
  static Result<AuditLog> open(Path folder, std::uint64_t file_bytes = limits::kRecordFileBytesMax);

  // `about` is an object that to_text() makes at most 3 KiB of.
  Result<void> add(std::string_view who, std::string_view what, const Json& about);
  // A decision that a journal already holds as entry `number` of `of`.
  Result<void> add_entry(std::string_view who, std::string_view what, Json about,
                         const std::string& of, std::uint64_t number);
  // The last number added of `of`.
  std::optional<std::uint64_t> last_entry(const std::string& of) const;

  const Digest& head() const { return file_.head(); }

 private:
  AuditLog(Path folder, std::uint64_t file_bytes, RecordFile file)
      : folder_(std::move(folder)), file_bytes_(file_bytes), file_(std::move(file)) {}
  Result<void> close_full_file();

  Path folder_;
  std::uint64_t file_bytes_;
  RecordFile file_;
  std::map<std::string, std::uint64_t> last_entries_;
};

struct AuditSummary {
  std::uint64_t entries = 0;
  Digest head{};
};
// Reads the whole chain, which a daemon may be adding to, and calls `each` for its entries in
// order. kCorrupt: broken, or `noted`, a head of an earlier time, does not occur in it. kBadInput:
// there is none.
Result<AuditSummary> verify_audit(const Path& folder, const std::optional<Digest>& noted,
                                  const std::function<void(const Json&)>& each);

}  // namespace freshet
