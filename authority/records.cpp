#include "authority/records.h"

#include "base/fields.h"
#include "base/limits.h"

namespace freshet::authority {
namespace {

void put(FieldWriter& out, const PublicIdentity& keys) {
  out.fixed(keys.signing.bytes).fixed(keys.transport.bytes).fixed(keys.sealing.bytes);
}
void put(FieldWriter& out, const Founded& r) { out.fixed(r.root.bytes); }
void put(FieldWriter& out, const IssuerAdded& r) {
  out.counted(r.certificate).number(static_cast<std::uint8_t>(r.revokes_others));
}
void put(FieldWriter& out, const ListHead& r) {
  out.number(r.serial).time(r.issued_s).time(r.expires_s);
}
void put(FieldWriter& out, const Invited& r) {
  out.fixed(r.token).number(static_cast<std::uint8_t>(r.role)).text(r.label).time(r.expires_s);
  out.number(static_cast<std::uint8_t>(r.approve_first));
}
void put(FieldWriter& out, const Held& r) {
  out.fixed(r.token);
  put(out, r.keys);
}
void put(FieldWriter& out, const Enrolled& r) { out.fixed(r.token).counted(r.certificate); }
void put(FieldWriter& out, const Rotated& r) {
  out.counted(r.certificate).fixed(r.by_old);
  put(out, r.list);
}
void put(FieldWriter& out, const Revoked& r) {
  out.number(r.device.value);
  put(out, r.list);
}

Bytes certificate(FieldReader& in) { return to_bytes(in.counted(kCertificateBytes)); }
void get(FieldReader& in, Founded& r) { in.fixed_into(r.root.bytes); }
void get(FieldReader& in, IssuerAdded& r) {
  r.certificate = certificate(in);
  r.revokes_others = in.number<std::uint8_t>() == 1;
}
void get(FieldReader& in, ListHead& r) {
  r.serial = in.number<std::uint64_t>();
  r.issued_s = in.time();
  r.expires_s = in.time();
}
void get(FieldReader& in, Invited& r) {
  in.fixed_into(r.token);
  r.role = static_cast<Role>(in.number<std::uint8_t>());
  r.label = in.text(limits::kNodeNameBytesMax);
  r.expires_s = in.time();
  r.approve_first = in.number<std::uint8_t>() == 1;
}
void get(FieldReader& in, Held& r) {
  in.fixed_into(r.token);
  in.fixed_into(r.keys.signing.bytes);
  in.fixed_into(r.keys.transport.bytes);
  in.fixed_into(r.keys.sealing.bytes);
}
void get(FieldReader& in, Enrolled& r) {
  in.fixed_into(r.token);
  r.certificate = certificate(in);
}
void get(FieldReader& in, Rotated& r) {
  r.certificate = certificate(in);
  in.fixed_into(r.by_old);
  get(in, r.list);
}
void get(FieldReader& in, Revoked& r) {
  r.device.value = in.number<std::uint64_t>();
  get(in, r.list);
}

template <std::size_t kKind = 0>
bool read_kind(FieldReader& in, std::size_t kind, Record& record) {
  if constexpr (kKind < std::variant_size_v<Record>) {
    if (kind != kKind) return read_kind<kKind + 1>(in, kind, record);
    get(in, record.emplace<kKind>());
    return true;
  }
  return false;
}

}  // namespace

Bytes encode(const Record& record) {
  FieldWriter out;
  out.number(static_cast<std::uint8_t>(record.index()));
  std::visit([&out](const auto& each) { put(out, each); }, record);
  return out.take();
}

Result<Record> decode_record(ByteView bytes) {
  FieldReader in(bytes);
  const auto kind = in.number<std::uint8_t>();
  Record record;
  if (!read_kind(in, kind, record) || !in.done())
    return fail(Code::kCorrupt, "a journal entry of " + std::to_string(bytes.size()) +
                                    " bytes that no authority of this version wrote; restore the "
                                    "folder from a backup");
  return record;
}

}  // namespace freshet::authority
