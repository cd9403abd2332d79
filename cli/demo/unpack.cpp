#include "cli/demo/unpack.h"

#include <zlib.h>

#include <cstdint>
#include <vector>

namespace freshet::demo {
namespace {

constexpr unsigned kCodeBitsMin = 9, kCodeBitsMax = 16;
constexpr std::uint32_t kClear = 256, kFirstFree = 257;

// Codes come in groups of eight of one width; a change of width skips the rest of its group.
class CodeReader {
 public:
  explicit CodeReader(ByteView bytes) : bytes_(bytes) {}

  bool next(std::uint32_t& code) {
    if (at_ + width_ > bytes_.size() * 8) return false;
    code = 0;
    for (unsigned bit = 0; bit < width_; ++bit) {
      std::size_t at = at_ + bit;
      code |= std::uint32_t((bytes_[at / 8] >> (at % 8)) & 1) << bit;
    }
    at_ += width_;
    return true;
  }

  void set_width(unsigned width) {
    std::size_t group = std::size_t{width_} * 8, used = (at_ - start_) % group;
    if (used != 0) at_ += group - used;
    start_ = at_;
    width_ = width;
  }

  unsigned width() const { return width_; }

 private:
  ByteView bytes_;
  std::size_t at_ = 0, start_ = 0;
  unsigned width_ = kCodeBitsMin;
};

struct LzwTable {
  std::vector<std::uint32_t> prefix = std::vector<std::uint32_t>(1u << kCodeBitsMax);
  std::vector<char> last = std::vector<char>(1u << kCodeBitsMax);
  std::uint32_t free = kFirstFree;

  // Appends the string of `code` to `out`; gives its first character.
  char append(std::uint32_t code, std::string& out) const {
    std::size_t start = out.size();
    for (; code >= kFirstFree; code = prefix[code]) out.push_back(last[code]);
    out.push_back(static_cast<char>(code));
    char first = out.back();
    for (std::size_t i = start, j = out.size() - 1; i < j; ++i, --j) std::swap(out[i], out[j]);
    return first;
  }
};

std::uint32_t big_endian(ByteView data, std::size_t at) {
  return std::uint32_t{data[at]} << 24 | std::uint32_t{data[at + 1]} << 16 |
         std::uint32_t{data[at + 2]} << 8 | data[at + 3];
}

tl::unexpected<Error> damaged(std::string_view source) {
  return fail(Code::kBadInput, std::string(source) + ": damaged; install its package again");
}

tl::unexpected<Error> too_large(std::string_view source) {
  return fail(Code::kBadInput,
              std::string(source) + ": unpacks to more than it should; use another file");
}

}  // namespace

Result<std::string> gunzip(ByteView packed, std::string_view source, std::size_t bytes_max) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK)
    return fail(Code::kNoSpace, "no memory to unpack " + std::string(source));
  stream.next_in = const_cast<Bytef*>(packed.data());
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string text;
  std::vector<char> piece(64 * 1024);
  int state = Z_OK;
  while (state == Z_OK && text.size() <= bytes_max) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    state = inflate(&stream, Z_NO_FLUSH);
    text.append(piece.data(), piece.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (text.size() > bytes_max) return too_large(source);
  if (state != Z_STREAM_END) return damaged(source);
  return text;
}

Result<std::string> decode_lzw(ByteView codes, std::string_view source, std::size_t bytes_max) {
  CodeReader reader(codes);
  LzwTable table;
  std::string text;
  std::uint32_t code = 0, previous = kClear;
  while (reader.next(code)) {
    if (code == kClear) {
      table.free = kFirstFree;
      previous = kClear;
      reader.set_width(kCodeBitsMin);
      continue;
    }
    if (previous == kClear) {
      if (code > 255) return damaged(source);
      text.push_back(static_cast<char>(code));
      previous = code;
      continue;
    }
    if (code > table.free) return damaged(source);
    bool unseen = code == table.free;  // the string of `previous` and its own first character
    char first = table.append(unseen ? previous : code, text);
    if (unseen) text.push_back(first);
    if (text.size() > bytes_max) return too_large(source);
    if (table.free < (1u << kCodeBitsMax)) {
      table.prefix[table.free] = previous;
      table.last[table.free] = first;
      ++table.free;
      if (table.free >= (1u << reader.width()) && reader.width() < kCodeBitsMax)
        reader.set_width(reader.width() + 1);
    }
    previous = code;
  }
  return text;
}

Result<std::string> unpack_bible(ByteView data, std::string_view source, std::size_t bytes_max) {
  constexpr std::string_view kMagic = "EC02Compressed Data File";
  constexpr std::size_t kWindowCountAt = 0x58, kOffsetsAt = 0x5c;
  if (data.size() < kOffsetsAt || as_text(data.first(kMagic.size())) != kMagic)
    return damaged(source);
  std::size_t windows = big_endian(data, kWindowCountAt);
  if (windows > 4096 || kOffsetsAt + windows * 4 > data.size()) return damaged(source);
  std::string text;
  for (std::size_t i = 0; i < windows; ++i) {
    std::size_t from = big_endian(data, kOffsetsAt + i * 4);
    std::size_t to = i + 1 < windows ? big_endian(data, kOffsetsAt + i * 4 + 4) : data.size();
    if (from > to || to > data.size()) return damaged(source);
    TRY_ASSIGN(std::string window,
               decode_lzw(data.subspan(from, to - from), source, bytes_max - text.size()));
    text += window;
  }
  return text;
}

}  // namespace freshet::demo
