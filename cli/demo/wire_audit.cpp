#include "cli/demo/wire_audit.h"

#include "cli/demo/encoded_runs.h"
#include "cli/demo/longest_match.h"

namespace freshet::demo {
namespace {

Bytes little_endian(std::span<const std::int32_t> ids, unsigned width) {
  Bytes bytes;
  bytes.reserve(ids.size() * width);
  for (std::int32_t id : ids)
    for (unsigned i = 0; i < width; ++i)
      bytes.push_back(static_cast<std::uint8_t>(static_cast<std::uint32_t>(id) >> (8 * i)));
  return bytes;
}

class Audit {
 public:
  explicit Audit(std::span<const PrivateFile> files) : files_(files) {}

  void scan_text(std::span<const Recording> recordings) {
    std::vector<ByteView> texts;
    for (const PrivateFile& file : files_) texts.push_back(file.text);
    LongestMatch match(texts, found_.bytes);
    for (const Recording& recording : recordings) {
      keep(match, match.scan(recording.bytes), "text", recording);
      bool longer = false;
      auto scan = [&](ByteView decoded) { longer = match.scan(decoded) || longer; };
      for_each_hex_run(recording.bytes, match.bytes() + 1, scan);
      keep(match, longer, "hexadecimal", recording);
      longer = false;
      for_each_base64_run(recording.bytes, match.bytes() + 1, scan);
      keep(match, longer, "base64", recording);
    }
  }

  void scan_ids(std::span<const Recording> recordings, unsigned width, const char* form) {
    std::vector<Bytes> encoded;
    for (const PrivateFile& file : files_) encoded.push_back(little_endian(file.ids, width));
    LongestMatch match(std::vector<ByteView>(encoded.begin(), encoded.end()), found_.bytes);
    for (const Recording& recording : recordings)
      keep(match, match.scan(recording.bytes), form, recording);
  }

  WireFinding found() const { return found_; }

 private:
  void keep(const LongestMatch& match, bool longer, const char* form, const Recording& recording) {
    if (longer) found_ = {match.bytes(), form, files_[match.pattern()].name, recording.name};
  }

  std::span<const PrivateFile> files_;
  WireFinding found_;
};

}  // namespace

WireFinding audit_wire(std::span<const PrivateFile> files, std::span<const Recording> recordings) {
  Audit audit(files);
  audit.scan_text(recordings);
  audit.scan_ids(recordings, 2, "16-bit token ids");
  audit.scan_ids(recordings, 4, "32-bit token ids");
  return audit.found();
}

}  // namespace freshet::demo
