#pragma once
// A file that only grows: small records, each durable before append() returns and bound to all
// before it by a digest, so that none can be changed, left out or moved without being seen. Whoever
// can write the file can cut whole records off its end; nothing in the file shows that. What a
// crash left of the last record, whose append() had not returned, goes when the file is opened.
//
// File: the 16 bytes "freshet/records1", then records: u32 length and its complement,
// little-endian; BLAKE2b-256 in the domain "freshet/record/v1" of (digest of the record before ||
// the record's bytes), where the first follows the digest of the file's kind; the bytes.

#include <functional>
#include <string_view>

#include "base/files.h"

namespace freshet {

using EachRecord = std::function<Result<void>(ByteView)>;

// The head of a file of this kind without records, and the one after `record`.
Digest first_head(std::string_view kind);
Digest next_head(const Digest& head, ByteView record);

class RecordFile {
 public:
  // Makes the file when it is not there (mode 0600), calls `each` for what is in it, and holds it
  // for this process: kUnavailable when another has it. kCorrupt where a digest does not fit or
  // the file is of another kind.
  static Result<RecordFile> open(const Path& path, std::string_view kind, const EachRecord& each);

  // Durable when this returns. After a failure the file is as before, or every later append fails
  // until it is opened again. REQUIRES: 1 <= record.size() <= limits::kRecordBytesMax.
  Result<void> append(ByteView record);

  std::uint64_t size() const { return size_; }  // bytes
  const Digest& head() const { return last_; }  // stands for every record so far

 private:
  RecordFile(UniqueFd fd, Path path) : fd_(std::move(fd)), path_(std::move(path)) {}
  UniqueFd fd_;
  Path path_;
  std::uint64_t size_ = 0;  // whole records end here
  Digest last_{};
  bool broken_ = false;
};

// What is in a file, which another process may be writing to: a last record that is not whole is
// left out. kBadInput where there is no such file.
Result<void> read_records(const Path& path, std::string_view kind, const EachRecord& each);

}  // namespace freshet
