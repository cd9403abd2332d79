#include "protocol/authority_messages.h"

#include "base/check.h"
#include "base/fields.h"
#include "base/limits.h"

namespace freshet::authority {
namespace {

constexpr std::string_view kAuthorityMagic = "FRA1";
constexpr std::string_view kJoinDomain = "freshet/join/v1", kOldDomain = "freshet/rotate-from/v1",
                           kNewDomain = "freshet/rotate-to/v1";
constexpr std::size_t kTokenBytes = 32;

static_assert(4 + 1 + 8 + 5 + limits::kCertificatesPerPage * (4 + kCertificateBytes) <=
                  limits::kFrameBytesMax,
              "a page of a directory must fit into a frame");
static_assert(4 + 1 + 8 + 12 + 2 * kCertificateBytes + limits::kBundleBytesMax <=
                  limits::kFrameBytesMax,
              "a bundle and two certificates must fit into a frame");

void put(FieldWriter& out, const PublicIdentity& keys) {
  out.fixed(keys.signing.bytes).fixed(keys.transport.bytes).fixed(keys.sealing.bytes);
}
void get(FieldReader& in, PublicIdentity& keys) {
  in.fixed_into(keys.signing.bytes);
  in.fixed_into(keys.transport.bytes);
  in.fixed_into(keys.sealing.bytes);
}

// What is signed; the transport key in it is the one that the channel has authenticated.
Bytes join_bytes(const Join& join) {
  FieldWriter out;
  out.counted(join.token).number(static_cast<std::uint8_t>(join.role));
  put(out, join.keys);
  return out.take();
}
Bytes rotate_bytes(const Rotate& rotate) {
  FieldWriter out;
  out.fixed(rotate.old_key.bytes);
  put(out, rotate.keys);
  return out.take();
}

void put(FieldWriter& out, const Join& join) { out.fixed(join_bytes(join)).fixed(join.signature); }
void put(FieldWriter& out, const Rotate& rotate) {
  out.fixed(rotate_bytes(rotate)).fixed(rotate.by_old).fixed(rotate.by_new);
}
void put(FieldWriter& out, const AskTrust& ask) {
  out.number(ask.have.issuer_epoch).number(ask.have.list);
}
void put(FieldWriter& out, const AskDirectory& ask) { out.number(ask.after); }
void put(FieldWriter& out, const Joined& joined) {
  out.counted(joined.certificate).counted(joined.coordinator).counted(joined.bundle);
}
void put(FieldWriter&, const Waiting&) {}
void put(FieldWriter& out, const TrustIs& trust) {
  out.counted(trust.bundle).counted(trust.coordinator);
}
void put(FieldWriter& out, const DirectoryPage& page) {
  CHECK(page.certificates.size() <= limits::kCertificatesPerPage);
  out.number(static_cast<std::uint8_t>(page.more));
  out.number(static_cast<std::uint32_t>(page.certificates.size()));
  for (const Bytes& certificate : page.certificates) out.counted(certificate);
}
void put(FieldWriter& out, const Denied& denied) {
  out.number(static_cast<std::uint8_t>(denied.code));
  out.text(std::string_view(denied.why).substr(0, limits::kTextBytesMax));
}

bool get(FieldReader& in, Join& join) {
  join.token = to_bytes(in.counted(kTokenBytes));
  const auto role = in.number<std::uint8_t>();
  join.role = static_cast<Role>(role);
  get(in, join.keys);
  in.fixed_into(join.signature);
  return role <= static_cast<std::uint8_t>(Role::kOperator) && join.token.size() == kTokenBytes;
}
bool get(FieldReader& in, Rotate& rotate) {
  in.fixed_into(rotate.old_key.bytes);
  get(in, rotate.keys);
  in.fixed_into(rotate.by_old);
  in.fixed_into(rotate.by_new);
  return true;
}
bool get(FieldReader& in, AskTrust& ask) {
  ask.have.issuer_epoch = in.number<std::uint32_t>();
  ask.have.list = in.number<std::uint64_t>();
  return true;
}
bool get(FieldReader& in, AskDirectory& ask) {
  ask.after = in.number<std::uint64_t>();
  return true;
}
bool get(FieldReader& in, Joined& joined) {
  joined.certificate = to_bytes(in.counted(kCertificateBytes));
  joined.coordinator = to_bytes(in.counted(kCertificateBytes));
  joined.bundle = to_bytes(in.counted(limits::kBundleBytesMax));
  return true;
}
bool get(FieldReader&, Waiting&) { return true; }
bool get(FieldReader& in, TrustIs& trust) {
  trust.bundle = to_bytes(in.counted(limits::kBundleBytesMax));
  trust.coordinator = to_bytes(in.counted(kCertificateBytes));
  return true;
}
bool get(FieldReader& in, DirectoryPage& page) {
  const auto more = in.number<std::uint8_t>();
  page.more = more == 1;
  const auto count = in.number<std::uint32_t>();
  if (more > 1 || count > limits::kCertificatesPerPage) return false;
  for (std::uint32_t i = 0; i < count && !in.failed(); ++i)
    page.certificates.push_back(to_bytes(in.counted(kCertificateBytes)));
  return true;
}
bool get(FieldReader& in, Denied& denied) {
  const auto code = in.number<std::uint8_t>();
  denied.code = static_cast<Code>(code);
  denied.why = in.text(limits::kTextBytesMax);
  for (char& c : denied.why)
    if (static_cast<unsigned char>(c) < ' ' || c == 127) c = ' ';
  return code <= static_cast<std::uint8_t>(Code::kCorrupt);
}

template <class Message>
Bytes encode_as(const Message& message, std::uint64_t number) {
  FieldWriter out;
  out.fixed(as_bytes(kAuthorityMagic))
      .number(static_cast<std::uint8_t>(message.index()))
      .number(number);
  std::visit([&out](const auto& each) { put(out, each); }, message);
  CHECK(out.view().size() <= limits::kFrameBytesMax);
  return out.take();
}

template <class Message, std::size_t kKind = 0>
bool read_kind(FieldReader& in, std::size_t kind, Message& message) {
  if constexpr (kKind < std::variant_size_v<Message>) {
    if (kind != kKind) return read_kind<Message, kKind + 1>(in, kind, message);
    return get(in, message.template emplace<kKind>());
  }
  return false;
}

template <class Message>
Result<Numbered<Message>> decode_as(ByteView frame) {
  FieldReader in(frame);
  const bool ours = as_text(in.fixed(kAuthorityMagic.size())) == kAuthorityMagic;
  const auto kind = in.number<std::uint8_t>();
  Numbered<Message> read;
  read.number = in.number<std::uint64_t>();
  if (!ours || !read_kind(in, kind, read.message) || !in.done())
    return fail(Code::kBadInput, "a malformed message of " + std::to_string(frame.size()) +
                                     " bytes between an authority and a member; are both of the "
                                     "same version?");
  return read;
}

}  // namespace

Join make_join(const Secret& token, Role role, const Identity& party) {
  Join join{to_bytes(token.view()), role, party.open, {}};
  join.signature = sign(party, kJoinDomain, join_bytes(join));
  return join;
}
bool is_signed(const Join& join) {
  return verify(join.keys.signing, kJoinDomain, join_bytes(join), join.signature);
}

Rotate make_rotate(const Identity& now, const Identity& next) {
  Rotate rotate{now.open.signing, next.open, {}, {}};
  const Bytes bytes = rotate_bytes(rotate);
  rotate.by_old = sign(now, kOldDomain, bytes);
  rotate.by_new = sign(next, kNewDomain, bytes);
  return rotate;
}
bool is_signed(const Rotate& rotate) {
  const Bytes bytes = rotate_bytes(rotate);
  return verify(rotate.old_key, kOldDomain, bytes, rotate.by_old) &&
         verify(rotate.keys.signing, kNewDomain, bytes, rotate.by_new);
}

Bytes encode(const Request& request, std::uint64_t number) { return encode_as(request, number); }
Bytes encode(const Answer& answer, std::uint64_t number) { return encode_as(answer, number); }
Result<Numbered<Request>> decode_request(ByteView frame) { return decode_as<Request>(frame); }
Result<Numbered<Answer>> decode_answer(ByteView frame) { return decode_as<Answer>(frame); }

}  // namespace freshet::authority
