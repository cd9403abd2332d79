#include "edge_node/payload.h"

#include <fmt/format.h>

#include "aggregation/pack.h"
#include "base/fields.h"
#include "base/limits.h"
#include "crypto/digest.h"
#include "crypto/seal.h"

namespace freshet {
namespace {

constexpr std::string_view kMagic = "FRP1", kContext = "freshet/unmasked/v1";
constexpr std::size_t kFactsBytesMax = limits::kTextBytesMax + 128;

Path frame_file(const Path& folder) { return folder / "last_frame.bin"; }
Path unmasked_file(const Path& folder) { return folder / "last_unmasked.sealed"; }

Bytes bytes_of(const PayloadFacts& facts) {
  FieldWriter writer;
  writer.fixed(as_bytes(kMagic)).text(facts.campaign).number(facts.id.value);
  writer.number(facts.round.value).number(facts.base.value).fixed(facts.sid);
  writer.number(static_cast<std::uint32_t>(facts.bits)).number(facts.words).time(facts.wall_s);
  return writer.take();
}

PayloadFacts read_facts(FieldReader& reader) {
  PayloadFacts facts;
  reader.fixed(kMagic.size());
  facts.campaign = reader.text(limits::kTextBytesMax);
  facts.id.value = reader.number<std::uint64_t>();
  facts.round.value = reader.number<std::uint64_t>();
  facts.base.value = reader.number<std::uint64_t>();
  reader.fixed_into(facts.sid);
  facts.bits = static_cast<int>(reader.number<std::uint32_t>());
  facts.words = reader.number<std::uint64_t>();
  facts.wall_s = reader.time();
  return facts;
}

// Words that stayed belong to the frame that left: the facts are what they are sealed with.
Bytes context_of(const PayloadFacts& facts) {
  Bytes context = to_bytes(as_bytes(kContext));
  const Bytes bytes = bytes_of(facts);
  context.insert(context.end(), bytes.begin(), bytes.end());
  return context;
}

Result<std::optional<std::vector<std::uint32_t>>> load_unmasked(const Path& folder,
                                                                const PayloadFacts& facts,
                                                                const Secret& storage) {
  std::error_code error;
  if (!std::filesystem::exists(unmasked_file(folder), error))
    return std::optional<std::vector<std::uint32_t>>();
  TRY_ASSIGN(MappedFile sealed, MappedFile::open(unmasked_file(folder)));
  auto plain = open_at_rest(storage, sealed.view(), context_of(facts));
  if (!plain) return std::optional<std::vector<std::uint32_t>>();  // of another round
  std::vector<std::uint32_t> words(plain->size() / 4);
  std::memcpy(words.data(), plain->data(), words.size() * 4);
  return std::optional(std::move(words));
}

}  // namespace

Result<void> save_payload(const Path& folder, const PayloadFacts& facts, ByteView frame) {
  TRY(make_folders(folder, 0700));
  FieldWriter writer;
  writer.counted(bytes_of(facts)).fixed(frame);
  return write_file_durably(frame_file(folder), writer.view(), 0600);
}

Result<void> save_unmasked(const Path& folder, const PayloadFacts& facts, const Secret& storage,
                           std::span<const std::uint32_t> words) {
  TRY(make_folders(folder, 0700));
  return write_file_durably(unmasked_file(folder),
                            seal_at_rest(storage, as_bytes(words), context_of(facts)), 0600);
}

Result<void> forget_unmasked(const Path& folder) {
  std::error_code error;
  std::filesystem::remove(unmasked_file(folder), error);
  if (!error) return {};
  return fail(Code::kBadInput,
              fmt::format("cannot remove {}: {}", unmasked_file(folder).string(), error.message()));
}

Result<Payload> load_payload(const Path& folder, const Secret* storage) {
  std::error_code error;
  const Path path = frame_file(folder);
  if (!std::filesystem::exists(path, error))
    return fail(Code::kBadInput,
                path.string() + ": not there; no masked round has taken anything from this node");
  TRY_ASSIGN(MappedFile file, MappedFile::open(path));
  FieldReader reader(file.view());
  FieldReader facts(reader.counted(kFactsBytesMax));
  Payload payload;
  payload.facts = read_facts(facts);
  const ByteView frame = reader.fixed(reader.left());
  const int bits = payload.facts.bits;
  if (!facts.done() || bits < 1 || bits > 32 || frame.size() < kFrameSignatureBytes ||
      payload.facts.words > limits::kVectorEntriesMax)
    return fail(Code::kCorrupt, path.string() + ": is no record of a frame");
  payload.frame_bytes = frame.size();
  payload.frame_digest = digest_of(frame);
  payload.signature_hex = to_hex(frame.first(kFrameSignatureBytes));
  auto words = unpack(frame.subspan(kFrameSignatureBytes), payload.facts.words, bits);
  if (!words) return fail(Code::kCorrupt, path.string() + ": " + words.error().what);
  payload.masked = std::move(*words);
  if (storage != nullptr) {
    TRY_ASSIGN(payload.unmasked, load_unmasked(folder, payload.facts, *storage));
  }
  return payload;
}

}  // namespace freshet
