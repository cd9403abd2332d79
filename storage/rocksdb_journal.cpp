#include "storage/rocksdb_journal.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <string>

#include "base/crash_point.h"
#include "base/limits.h"

namespace freshet {
namespace {

// Keys: 'e' and the sequence, big-endian, so that entries lie in order; 's' for the snapshot, whose
// value is the next sequence, big-endian, and the state.
constexpr char kSnapshotKey[] = "s";
constexpr std::size_t kSequenceBytes = 8;

std::string big_endian(std::uint64_t value) {
  std::string text(kSequenceBytes, '\0');
  for (std::size_t i = kSequenceBytes; i-- > 0; value >>= 8)
    text[i] = static_cast<char>(value & 255);
  return text;
}

std::uint64_t from_big_endian(std::string_view text) {
  std::uint64_t value = 0;
  for (char c : text.substr(0, kSequenceBytes)) value = value << 8 | static_cast<std::uint8_t>(c);
  return value;
}

std::string entry_key(std::uint64_t sequence) { return "e" + big_endian(sequence); }

rocksdb::Slice slice_of(ByteView bytes) { return {as_text(bytes).data(), bytes.size()}; }
ByteView view_of(const rocksdb::Slice& slice) {
  return as_bytes(std::string_view(slice.data(), slice.size()));
}

class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

rocksdb::Options small_options() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.info_log = std::make_shared<NoLog>();
  options.write_buffer_size = 2 * limits::kMiB;
  options.max_total_wal_size = 8 * limits::kMiB;
  options.max_open_files = 32;
  options.compression = rocksdb::kNoCompression;
  options.max_manifest_file_size = limits::kMiB;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  // A torn last record was never acknowledged; anything else that does not verify is an error, not
  // a shorter history.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.track_and_verify_wals_in_manifest = true;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(limits::kMiB);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

Error error_of(const rocksdb::Status& status, const Path& folder) {
  const std::string text = "journal " + folder.string() + ": ";
  const std::string detail = status.ToString();
  if (status.IsNoSpace() || detail.find("File too large") != detail.npos)
    return {
        Code::kNoSpace,
        text + "the disk is full (free some space and start again; nothing acknowledged is lost)"};
  if (status.IsIOError() && detail.find("LOCK") != detail.npos &&
      detail.find("Permission") == detail.npos)
    return {Code::kUnavailable,
            text + "another coordinator uses this folder; stop it, or choose another folder"};
  if (status.IsIOError() && detail.find("Permission denied") != detail.npos)
    return {Code::kRefused, text + "this user may not write there (" + detail + ")"};
  if (status.IsCorruption())
    return {Code::kCorrupt,
            text + "does not verify (" + detail + "); restore the folder from a backup"};
  return {Code::kUnavailable, text + detail};
}

}  // namespace

struct RocksdbJournal::State {
  Path folder;
  std::unique_ptr<rocksdb::DB> db;
  std::uint64_t first = 0, next = 0;  // sequences of the entries that are there
  std::optional<Error> failed;        // of the first write that failed: nothing is written after it

  Result<void> find_ends();
  Result<void> write(rocksdb::WriteBatch& batch);
  Result<std::optional<Snapshot>> snapshot();
  Error corrupt(const std::string& what) const {
    return {Code::kCorrupt,
            "journal " + folder.string() + ": " + what + "; restore the folder from a backup"};
  }
};

Result<std::optional<Snapshot>> RocksdbJournal::State::snapshot() {
  std::string value;
  const rocksdb::Status status = db->Get({}, kSnapshotKey, &value);
  if (status.IsNotFound()) return std::optional<Snapshot>();
  if (!status.ok()) return tl::unexpected(error_of(status, folder));
  if (value.size() < kSequenceBytes) return tl::unexpected(corrupt("its snapshot is too short"));
  return Snapshot{from_big_endian(value), to_bytes(as_bytes(value).subspan(kSequenceBytes))};
}

Result<void> RocksdbJournal::State::find_ends() {
  TRY_ASSIGN(const std::optional<Snapshot> latest, snapshot());
  if (latest) first = latest->next_sequence;
  next = first;
  const std::unique_ptr<rocksdb::Iterator> at(db->NewIterator({}));
  at->SeekForPrev(entry_key(~std::uint64_t{0}));
  if (at->Valid()) {
    const rocksdb::Slice key = at->key();
    if (key.size() != 1 + kSequenceBytes || key[0] != 'e')
      return tl::unexpected(corrupt("it holds a foreign key"));
    next = from_big_endian({key.data() + 1, kSequenceBytes}) + 1;
  }
  if (!at->status().ok()) return tl::unexpected(error_of(at->status(), folder));
  if (next < first)
    return tl::unexpected(corrupt("its snapshot stands for entries that are still there"));
  return {};
}

Result<void> RocksdbJournal::State::write(rocksdb::WriteBatch& batch) {
  if (failed) return tl::unexpected(*failed);
  rocksdb::WriteOptions synced;
  synced.sync = true;
  crash_point("journal");
  const rocksdb::Status status = db->Write(synced, &batch);
  if (status.ok()) {
    crash_point("journaled");
    return {};
  }
  failed = error_of(status, folder);
  return tl::unexpected(*failed);
}

Result<std::unique_ptr<RocksdbJournal>> RocksdbJournal::open(const Path& folder) {
  TRY(make_folders(folder, 0700));
  auto state = std::make_unique<State>();
  state->folder = folder;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(small_options(), folder.string(), &db);
  state->db.reset(db);
  if (!status.ok()) return tl::unexpected(error_of(status, folder));
  TRY(state->find_ends());
  return std::unique_ptr<RocksdbJournal>(new RocksdbJournal(std::move(state)));
}

RocksdbJournal::RocksdbJournal(std::unique_ptr<State> state) : state_(std::move(state)) {}
RocksdbJournal::~RocksdbJournal() = default;

Result<std::uint64_t> RocksdbJournal::append(ByteView entry) {
  rocksdb::WriteBatch batch;
  batch.Put(entry_key(state_->next), slice_of(entry));
  TRY(state_->write(batch));
  return state_->next++;
}

Result<void> RocksdbJournal::append_all(std::span<const Bytes> entries) {
  if (entries.empty()) return {};
  rocksdb::WriteBatch batch;
  std::uint64_t sequence = state_->next;
  for (const Bytes& entry : entries) batch.Put(entry_key(sequence++), slice_of(entry));
  TRY(state_->write(batch));
  state_->next = sequence;
  return {};
}

Result<void> RocksdbJournal::replay(
    std::uint64_t first, const std::function<Result<void>(std::uint64_t, ByteView)>& each) {
  if (first < state_->first)
    return tl::unexpected(state_->corrupt("entry " + std::to_string(first) +
                                          " is gone, the first one is " +
                                          std::to_string(state_->first)));
  const std::unique_ptr<rocksdb::Iterator> at(state_->db->NewIterator({}));
  at->Seek(entry_key(first));
  for (std::uint64_t sequence = first; sequence < state_->next; ++sequence, at->Next()) {
    if (!at->status().ok()) return tl::unexpected(error_of(at->status(), state_->folder));
    if (!at->Valid() || at->key() != entry_key(sequence))
      return tl::unexpected(state_->corrupt("entry " + std::to_string(sequence) + " is missing"));
    TRY(each(sequence, view_of(at->value())));
  }
  return {};
}

Result<void> RocksdbJournal::write_snapshot(ByteView state) {
  std::string value = big_endian(state_->next);
  value.append(as_text(state));
  rocksdb::WriteBatch batch;
  batch.Put(kSnapshotKey, value);
  batch.DeleteRange(entry_key(state_->first), entry_key(state_->next));
  TRY(state_->write(batch));
  state_->first = state_->next;
  return {};
}

Result<std::optional<Snapshot>> RocksdbJournal::latest_snapshot() { return state_->snapshot(); }

}  // namespace freshet
