#include <fmt/core.h>

#include <algorithm>

#include "protocol/wire_secagg.h"

namespace freshet {
namespace {

bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

}  // namespace

std::string tidy(std::string text) {
  if (text.size() > limits::kTextBytesMax) {
    std::size_t end = limits::kTextBytesMax;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // UTF-8
    text.resize(end);
  }
  std::replace_if(text.begin(), text.end(), is_control, ' ');
  return text;
}

namespace {

Result<void> check_chunk(std::uint64_t size, std::uint64_t offset, std::uint64_t data) {
  if (size > limits::kBlobBytesMax)
    return fail(Code::kBadInput, fmt::format("a blob of {} bytes: at most {} are allowed", size,
                                             limits::kBlobBytesMax));
  if (data > limits::kChunkBytes || offset > size || data > size - offset)
    return fail(Code::kBadInput,
                fmt::format("a chunk of {} bytes at {} of a blob of {}", data, offset, size));
  return {};
}

void require_chunk(std::uint64_t size, std::uint64_t offset, const Bytes& data) {
  const auto valid = check_chunk(size, offset, data.size());
  CHECK(valid.has_value(), "{}", valid.error().what);
}

// The data of a chunk must be announced by its message exactly; another message has none.
Result<Bytes> take_data(ByteView data, std::uint32_t announced) {
  if (data.size() != announced)
    return fail(Code::kBadInput,
                fmt::format("{} bytes behind a message that announces {}", data.size(), announced));
  return to_bytes(data);
}

template <class Key>
Result<Key> read_key(capnp::Data::Reader from, std::string_view field) {
  TRY_ASSIGN(const Digest bytes, read_bytes32(from, field));
  return Key{bytes};
}

Result<Activity> read_activity(wire::Activity activity) {
  if (activity > wire::Activity::UPLOADING)
    return fail(Code::kBadInput, "an activity that this program does not know");
  return static_cast<Activity>(activity);
}
static_assert(static_cast<int>(wire::Activity::IDLE) == static_cast<int>(Activity::kIdle) &&
              static_cast<int>(wire::Activity::UPLOADING) ==
                  static_cast<int>(Activity::kUploading));

Result<Code> read_code(wire::Code code) {
  if (code > wire::Code::CORRUPT)
    return fail(Code::kBadInput, "a reason that this program does not know");
  return static_cast<Code>(code);
}
static_assert(static_cast<int>(wire::Code::BAD_INPUT) == static_cast<int>(Code::kBadInput) &&
              static_cast<int>(wire::Code::REFUSED) == static_cast<int>(Code::kRefused) &&
              static_cast<int>(wire::Code::UNAVAILABLE) == static_cast<int>(Code::kUnavailable) &&
              static_cast<int>(wire::Code::EXPIRED) == static_cast<int>(Code::kExpired) &&
              static_cast<int>(wire::Code::NO_SPACE) == static_cast<int>(Code::kNoSpace) &&
              static_cast<int>(wire::Code::CORRUPT) == static_cast<int>(Code::kCorrupt));

// ---- node -> coordinator

ByteView fill(wire::NodeMessage::Builder root, const Hello& hello) {
  auto to = root.initHello();
  to.setProtocol(hello.protocol);
  to.setSoftware(as_capnp_text(hello.software));
  to.setModel(as_capnp_data(hello.model));
  to.setFrames(hello.frames);
  return {};
}

Result<Hello> read_one(wire::Hello::Reader from) {
  Hello hello{.protocol = from.getProtocol(), .software = {}, .model = {}, .frames = from.getFrames()};
  TRY_ASSIGN(hello.software, read_text(from.getSoftware(), "software"));
  TRY_ASSIGN(hello.model, read_bytes32(from.getModel(), "model"));
  return hello;
}

ByteView fill(wire::NodeMessage::Builder root, const Heartbeat& heartbeat) {
  auto to = root.initHeartbeat();
  to.setCampaign(heartbeat.campaign.value);
  to.setBase(heartbeat.base.value);
  to.setActivity(static_cast<wire::Activity>(heartbeat.activity));
  return {};
}

Result<Heartbeat> read_one(wire::Heartbeat::Reader from) {
  TRY_ASSIGN(const Activity activity, read_activity(from.getActivity()));
  return Heartbeat{{from.getCampaign()}, {from.getBase()}, activity};
}

ByteView fill(wire::NodeMessage::Builder root, const Ready& ready) {
  auto to = root.initReady();
  to.setCampaign(ready.campaign.value);
  to.setBase(ready.base.value);
  return {};
}

Result<Ready> read_one(wire::Ready::Reader from) {
  return Ready{{from.getCampaign()}, {from.getBase()}};
}

ByteView fill(wire::NodeMessage::Builder root, const Fetch& fetch) {
  auto to = root.initFetch();
  to.setBlob(as_capnp_data(fetch.blob));
  to.setOffset(fetch.offset);
  return {};
}

Result<Fetch> read_one(wire::Fetch::Reader from) {
  TRY_ASSIGN(const Digest blob, read_bytes32(from.getBlob(), "blob"));
  return Fetch{blob, from.getOffset()};
}

ByteView fill(wire::NodeMessage::Builder root, const UploadChunk& chunk) {
  require_chunk(chunk.size, chunk.offset, chunk.data);
  auto to = root.initUploadChunk();
  to.setCampaign(chunk.campaign.value);
  to.setRound(chunk.round.value);
  to.setBlob(as_capnp_data(chunk.blob));
  to.setSize(chunk.size);
  to.setOffset(chunk.offset);
  to.setDataBytes(static_cast<std::uint32_t>(chunk.data.size()));
  return chunk.data;
}

Result<UploadChunk> read_one(wire::UploadChunk::Reader from, ByteView data) {
  UploadChunk chunk{.campaign = {from.getCampaign()},
                    .round = {from.getRound()},
                    .blob = {},
                    .size = from.getSize(),
                    .offset = from.getOffset(),
                    .data = {}};
  TRY_ASSIGN(chunk.blob, read_bytes32(from.getBlob(), "blob"));
  TRY(check_chunk(chunk.size, chunk.offset, data.size()));
  TRY_ASSIGN(chunk.data, take_data(data, from.getDataBytes()));
  return chunk;
}

// ---- coordinator -> node

ByteView fill(wire::CoordinatorMessage::Builder root, const Announce& announce) {
  CHECK(announce.adapter_bytes <= limits::kBlobBytesMax, "{} bytes", announce.adapter_bytes);
  auto to = root.initAnnounce();
  to.setCampaign(announce.campaign.value);
  write(to.initPlan(), announce.plan);
  to.setVersion(announce.version.value);
  to.setAdapter(as_capnp_data(announce.adapter));
  to.setAdapterBytes(announce.adapter_bytes);
  to.setLayout(as_capnp_data(announce.layout));
  to.setFrames(announce.frames);
  return {};
}

Result<Announce> read_one(wire::Announce::Reader from) {
  Announce announce{.campaign = {from.getCampaign()},
                    .plan = {},
                    .version = {from.getVersion()},
                    .adapter = {},
                    .adapter_bytes = from.getAdapterBytes(),
                    .layout = {},
                    .frames = from.getFrames()};
  TRY_ASSIGN(announce.plan, read(from.getPlan()));
  TRY_ASSIGN(announce.adapter, read_bytes32(from.getAdapter(), "adapter"));
  TRY_ASSIGN(announce.layout, read_bytes32(from.getLayout(), "layout"));
  TRY(check_chunk(announce.adapter_bytes, 0, 0));
  return announce;
}

ByteView fill(wire::CoordinatorMessage::Builder root, const Invite& invite) {
  CHECK(invite.cohort >= 1 && invite.cohort <= limits::kCohortMax, "a cohort of {}", invite.cohort);
  auto to = root.initInvite();
  to.setCampaign(invite.campaign.value);
  to.setRound(invite.round.value);
  to.setBase(invite.base.value);
  to.setCohort(invite.cohort);
  to.setRemainingMs(std::clamp<std::int64_t>(invite.remaining_ms, 0, limits::kRoundMsMax));
  to.setSealTo(as_capnp_data(invite.seal_to.bytes));
  return {};
}

Result<Invite> read_one(wire::Invite::Reader from) {
  TRY_ASSIGN(const auto seal_to, read_key<SealingPublic>(from.getSealTo(), "seal_to"));
  if (from.getCohort() < 1 || from.getCohort() > limits::kCohortMax)
    return fail(Code::kBadInput, fmt::format("a cohort of {} nodes", from.getCohort()));
  if (from.getRemainingMs() < 0 || from.getRemainingMs() > limits::kRoundMsMax)
    return fail(Code::kBadInput, fmt::format("an invitation for {} ms", from.getRemainingMs()));
  return Invite{.campaign = {from.getCampaign()},
                .round = {from.getRound()},
                .base = {from.getBase()},
                .cohort = from.getCohort(),
                .remaining_ms = from.getRemainingMs(),
                .seal_to = seal_to};
}

ByteView fill(wire::CoordinatorMessage::Builder root, const ChunkAck& ack) {
  auto to = root.initChunkAck();
  to.setRound(ack.round.value);
  to.setBlob(as_capnp_data(ack.blob));
  to.setNextOffset(ack.next_offset);
  to.setCredit(ack.credit);
  return {};
}

Result<ChunkAck> read_one(wire::ChunkAck::Reader from) {
  TRY_ASSIGN(const Digest blob, read_bytes32(from.getBlob(), "blob"));
  return ChunkAck{{from.getRound()}, blob, from.getNextOffset(), from.getCredit()};
}

ByteView fill(wire::CoordinatorMessage::Builder root, const Chunk& chunk) {
  require_chunk(chunk.size, chunk.offset, chunk.data);
  auto to = root.initChunk();
  to.setBlob(as_capnp_data(chunk.blob));
  to.setSize(chunk.size);
  to.setOffset(chunk.offset);
  to.setDataBytes(static_cast<std::uint32_t>(chunk.data.size()));
  return chunk.data;
}

Result<Chunk> read_one(wire::Chunk::Reader from, ByteView data) {
  Chunk chunk{.blob = {}, .size = from.getSize(), .offset = from.getOffset(), .data = {}};
  TRY_ASSIGN(chunk.blob, read_bytes32(from.getBlob(), "blob"));
  TRY(check_chunk(chunk.size, chunk.offset, data.size()));
  TRY_ASSIGN(chunk.data, take_data(data, from.getDataBytes()));
  return chunk;
}

template <class List, class Value>
bool rises(const List& list, Value value_of) {
  for (std::size_t i = 1; i < list.size(); ++i)
    if (!(value_of(i - 1) < value_of(i))) return false;
  return true;
}

ByteView fill(wire::CoordinatorMessage::Builder root, const Receipt& receipt) {
  const auto& survivors = receipt.survivors;
  CHECK(survivors.size() <= limits::kCohortMax, "{} survivors", survivors.size());
  CHECK(rises(survivors, [&](std::size_t i) { return survivors[i]; }), "survivors out of order");
  auto to = root.initReceipt();
  to.setCampaign(receipt.campaign.value);
  to.setRound(receipt.round.value);
  to.setPublished(receipt.published);
  to.setVersion(receipt.version.value);
  auto list = to.initSurvivors(static_cast<unsigned>(survivors.size()));
  for (unsigned i = 0; i < list.size(); ++i) list.set(i, survivors[i].value);
  if (receipt.masked) write(to.initMasked(), *receipt.masked);
  return {};
}

Result<Receipt> read_one(wire::Receipt::Reader from) {
  Receipt receipt{.campaign = {from.getCampaign()},
                  .round = {from.getRound()},
                  .published = from.getPublished(),
                  .version = {from.getVersion()},
                  .survivors = {},
                  .masked = {}};
  const auto list = from.getSurvivors();
  if (list.size() > limits::kCohortMax)
    return fail(Code::kBadInput, fmt::format("a receipt with {} survivors", list.size()));
  for (const std::uint64_t node : list) receipt.survivors.push_back({node});
  if (!rises(receipt.survivors, [&](std::size_t i) { return receipt.survivors[i]; }))
    return fail(Code::kBadInput, "a receipt whose survivors are not in rising order");
  if (from.hasMasked()) {
    TRY_ASSIGN(receipt.masked, read(from.getMasked()));
  }
  return receipt;
}

ByteView fill(wire::CoordinatorMessage::Builder root, const Finished& finished) {
  auto to = root.initFinished();
  to.setCampaign(finished.campaign.value);
  to.setVersion(finished.version.value);
  return {};
}

Result<Finished> read_one(wire::Finished::Reader from) {
  return Finished{{from.getCampaign()}, {from.getVersion()}};
}

ByteView fill(wire::CoordinatorMessage::Builder root, const Refused& refused) {
  auto to = root.initRefused();
  to.setCode(static_cast<wire::Code>(refused.code));
  to.setWhy(as_capnp_text(tidy(refused.why)));
  return {};
}

Result<Refused> read_one(wire::Refused::Reader from) {
  TRY_ASSIGN(const Code code, read_code(from.getCode()));
  TRY_ASSIGN(std::string why, read_text(from.getWhy(), "why"));
  return Refused{code, std::move(why)};
}

template <class Message, class Part>
Result<Message> alone(Result<Part> part, ByteView data) {  // of a message that data never follows
  TRY(take_data(data, 0));
  if (!part) return tl::unexpected(std::move(part.error()));
  return Message(std::move(*part));
}

template <class Message, class Part>
Result<Message> with_data(Result<Part> part) {
  if (!part) return tl::unexpected(std::move(part.error()));
  return Message(std::move(*part));
}

}  // namespace

Result<std::string> read_text(capnp::Text::Reader from, std::string_view field) {
  if (from.size() > limits::kTextBytesMax)
    return fail(Code::kBadInput, fmt::format("{} has {} bytes of text: at most {} are allowed",
                                             field, from.size(), limits::kTextBytesMax));
  if (std::any_of(from.begin(), from.end(), is_control))
    return fail(Code::kBadInput, fmt::format("{} has a control character", field));
  return std::string(from.begin(), from.end());
}

Result<Digest> read_bytes32(capnp::Data::Reader from, std::string_view field) {
  Digest bytes;
  if (from.size() != bytes.size())
    return fail(Code::kBadInput,
                fmt::format("{} has {} bytes, not {}", field, from.size(), bytes.size()));
  std::copy(from.begin(), from.end(), bytes.begin());
  return bytes;
}

ByteView write(wire::NodeMessage::Builder to, const NodeMessage& message) {
  return std::visit([&](const auto& part) { return fill(to, part); }, message);
}

ByteView write(wire::CoordinatorMessage::Builder to, const CoordinatorMessage& message) {
  return std::visit([&](const auto& part) { return fill(to, part); }, message);
}

Result<NodeMessage> read(wire::NodeMessage::Reader from, ByteView data) {
  switch (from.which()) {
    case wire::NodeMessage::HELLO: return alone<NodeMessage>(read_one(from.getHello()), data);
    case wire::NodeMessage::HEARTBEAT:
      return alone<NodeMessage>(read_one(from.getHeartbeat()), data);
    case wire::NodeMessage::READY: return alone<NodeMessage>(read_one(from.getReady()), data);
    case wire::NodeMessage::FETCH: return alone<NodeMessage>(read_one(from.getFetch()), data);
    case wire::NodeMessage::UPLOAD_CHUNK:
      return with_data<NodeMessage>(read_one(from.getUploadChunk(), data));
    default: break;
  }
  TRY(take_data(data, 0));
  return read_masked(from);
}

Result<CoordinatorMessage> read(wire::CoordinatorMessage::Reader from, ByteView data) {
  using Message = CoordinatorMessage;
  switch (from.which()) {
    case wire::CoordinatorMessage::ANNOUNCE:
      return alone<Message>(read_one(from.getAnnounce()), data);
    case wire::CoordinatorMessage::INVITE: return alone<Message>(read_one(from.getInvite()), data);
    case wire::CoordinatorMessage::CHUNK_ACK:
      return alone<Message>(read_one(from.getChunkAck()), data);
    case wire::CoordinatorMessage::CHUNK:
      return with_data<Message>(read_one(from.getChunk(), data));
    case wire::CoordinatorMessage::RECEIPT:
      return alone<Message>(read_one(from.getReceipt()), data);
    case wire::CoordinatorMessage::FINISHED:
      return alone<Message>(read_one(from.getFinished()), data);
    case wire::CoordinatorMessage::REFUSED:
      return alone<Message>(read_one(from.getRefused()), data);
    default: break;
  }
  TRY(take_data(data, 0));
  return read_masked(from);
}

}  // namespace freshet
