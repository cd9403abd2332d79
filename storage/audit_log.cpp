#include "storage/audit_log.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"

namespace freshet {
namespace {

constexpr std::string_view kAuditKind = "audit";
constexpr std::size_t kAuditRecordBytes = 3 * limits::kKiB + 512;
constexpr std::uint64_t kAuditFilesMax = 10'000;

Path closed_file(const Path& folder, std::uint64_t number) {
  return folder / fmt::format("audit-{}.records", number);
}
Path open_file(const Path& folder) { return folder / "audit.records"; }

bool is_there(const Path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

std::uint64_t closed_files(const Path& folder) {
  std::uint64_t count = 0;
  while (count < kAuditFilesMax && is_there(closed_file(folder, count + 1))) ++count;
  return count;
}

Result<Json> parse_entry(ByteView record, const Path& path) {
  return parse_json(as_text(record), path.string());
}

// {"what": "continues", "about": {"head": ...}}: the first entry of every file but the first.
std::string continued_head(const Json& entry) {
  if (entry.value("what", "") != "continues" || !entry.contains("about")) return {};
  return entry["about"].value("head", "");
}

struct Chain {
  AuditSummary summary;
  bool noted_seen = false;
};

// One file of the chain, whose first entry continues `before` where there is one.
Result<void> verify_file(const Path& path, const std::optional<Digest>& before,
                         const std::optional<Digest>& noted,
                         const std::function<void(const Json&)>& each, Chain& chain) {
  Digest head = first_head(kAuditKind);
  bool first = true;
  chain.noted_seen |= noted == head;
  TRY(read_records(path, kAuditKind, [&](ByteView record) -> Result<void> {
    TRY_ASSIGN(const Json entry, parse_entry(record, path));
    if (first && continued_head(entry) != (before ? to_hex(*before) : ""))
      return fail(Code::kCorrupt, path.string() +
                                      ": does not go on where the file before it ends: "
                                      "a file was changed, cut or left out");
    first = false;
    head = next_head(head, record);
    chain.noted_seen |= noted == head;
    ++chain.summary.entries;
    each(entry);
    return {};
  }));
  chain.summary.head = head;
  return {};
}

}  // namespace

Result<AuditLog> AuditLog::open(Path folder, std::uint64_t file_bytes) {
  std::map<std::string, std::uint64_t> last_entries;
  const Path path = open_file(folder);
  auto file = RecordFile::open(path, kAuditKind, [&](ByteView record) -> Result<void> {
    TRY_ASSIGN(const Json entry, parse_entry(record, path));
    const Json about = entry.value("about", Json::object());
    if (entry.value("what", "") == "continues") {
      const Json carried = about.value("entries", Json::object());
      for (const auto& [of, number] : carried.items())
        if (number.is_number_unsigned()) last_entries[of] = number.get<std::uint64_t>();
    }
    if (about.contains("entry") && about["entry"].is_number_unsigned())
      last_entries[about.value("campaign", "")] = about["entry"].get<std::uint64_t>();
    return {};
  });
  if (!file) return tl::unexpected(file.error());
  AuditLog log(std::move(folder), file_bytes, std::move(*file));
  log.last_entries_ = std::move(last_entries);
  return log;
}

Result<void> AuditLog::close_full_file() {
  const std::uint64_t number = closed_files(folder_) + 1;
  const Digest head = file_.head();
  const Path path = open_file(folder_);
  std::error_code error;
  std::filesystem::rename(path, closed_file(folder_, number), error);
  if (error) return fail(Code::kNoSpace, path.string() + ": cannot be closed: " + error.message());
  const EachRecord none = [](ByteView) -> Result<void> { return {}; };
  TRY_ASSIGN(file_, RecordFile::open(path, kAuditKind, none));
  Json entries = Json::object();
  if (!last_entries_.empty())  // campaigns run one after another: the last is the one under way
    for (const auto& [of, last] : last_entries_) entries[of] = last;
  while (to_text(entries).size() > kAuditRecordBytes / 2) entries.erase(entries.begin());
  return add("freshet", "continues", {{"head", to_hex(head)}, {"entries", std::move(entries)}});
}

Result<void> AuditLog::add(std::string_view who, std::string_view what, const Json& about) {
  if (file_.size() + 2 * kAuditRecordBytes > file_bytes_ && what != "continues")
    TRY(close_full_file());
  const std::string text =
      to_text(Json{{"at", wall_clock_s()}, {"who", who}, {"what", what}, {"about", about}});
  CHECK(text.size() <= kAuditRecordBytes, "an entry of {} bytes", text.size());
  return file_.append(as_bytes(text));
}

Result<void> AuditLog::add_entry(std::string_view who, std::string_view what, Json about,
                                 const std::string& of, std::uint64_t number) {
  about["campaign"] = of;
  about["entry"] = number;
  TRY(add(who, what, about));
  last_entries_[of] = number;
  return {};
}

std::optional<std::uint64_t> AuditLog::last_entry(const std::string& of) const {
  const auto found = last_entries_.find(of);
  if (found == last_entries_.end()) return std::nullopt;
  return found->second;
}

Result<AuditSummary> verify_audit(const Path& folder, const std::optional<Digest>& noted,
                                  const std::function<void(const Json&)>& each) {
  Chain chain;
  std::optional<Digest> before;
  const std::uint64_t closed = closed_files(folder);
  for (std::uint64_t number = 1; number <= closed; ++number) {
    TRY(verify_file(closed_file(folder, number), before, noted, each, chain));
    before = chain.summary.head;
  }
  TRY(verify_file(open_file(folder), before, noted, each, chain));
  if (noted && !chain.noted_seen)
    return fail(Code::kCorrupt,
                fmt::format("{}: head {} was noted earlier and is not in it: the end was cut off, "
                            "or the whole log was written anew",
                            folder.string(), to_hex(*noted)));
  return chain.summary;
}

}  // namespace freshet
