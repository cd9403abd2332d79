#pragma once
// How the masked round's messages put lists into a Data: records of one length without gaps,
// numbers little-endian, places rising. For wire_secagg*.cpp alone.

#include <fmt/core.h>

#include <algorithm>
#include <span>

#include "protocol/wire.h"

namespace freshet::records {

inline constexpr std::size_t kPlaceBytes = 4, kSignatureBytes = sizeof(Signature);
inline constexpr std::size_t kBoxRecordBytes = kPlaceBytes + secagg::kBoxBytes + kSignatureBytes;
inline constexpr std::size_t kVoteRecordBytes = kPlaceBytes + kSignatureBytes;
inline constexpr std::size_t kShareRecordBytes = kPlaceBytes + 1 + 32;
inline constexpr std::size_t kAdvertBytes = 4 * 32, kEvidenceBytes = 32 + 64;

// ---- records

inline void append_place(Bytes& to, std::uint32_t place) {
  for (int i = 0; i < 4; ++i) to.push_back(static_cast<std::uint8_t>(place >> (8 * i)));
}
inline void append(Bytes& to, ByteView bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

class Record {  // reads one of a length that was checked
 public:
  explicit Record(const std::uint8_t* at) : at_(at) {}
  std::uint32_t place() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value |= std::uint32_t{*at_++} << (8 * i);
    return value;
  }
  std::uint8_t byte() { return *at_++; }
  void into(std::span<std::uint8_t> out) {
    std::copy_n(at_, out.size(), out.begin());
    at_ += out.size();
  }

 private:
  const std::uint8_t* at_;
};

inline void append(Bytes& to, const SignedBox& box) {
  append_place(to, box.peer);
  append(to, ByteView(box.box));
  append(to, ByteView(box.signature));
}
inline void take(Record& from, SignedBox& box) {
  box.peer = from.place();
  from.into(box.box);
  from.into(box.signature);
}
inline std::uint32_t place_of(const SignedBox& box) { return box.peer; }

inline void append(Bytes& to, const IndexedSignature& vote) {
  append_place(to, vote.index);
  append(to, ByteView(vote.signature));
}
inline void take(Record& from, IndexedSignature& vote) {
  vote.index = from.place();
  from.into(vote.signature);
}
inline std::uint32_t place_of(const IndexedSignature& vote) { return vote.index; }

inline void append(Bytes& to, const secagg::RevealedShare& share) {
  append_place(to, share.of);
  to.push_back(share.self_mask ? 1 : 0);
  append(to, ByteView(share.value));
}
inline void take(Record& from, secagg::RevealedShare& share) {
  share.of = from.place();
  const std::uint8_t kind = from.byte();
  share.self_mask = kind == 1;
  from.into(share.value);
  if (kind > 1) share.of = limits::kMaskedCohortMax;  // no place: refused by its bound
}
inline std::uint32_t place_of(const secagg::RevealedShare& share) { return share.of; }

// Places rise, so that a list has one form and nobody is in it twice.
inline Result<void> check_places(std::string_view field, const auto& list, auto place) {
  for (std::size_t i = 0; i < list.size(); ++i)
    if (place(i) >= limits::kMaskedCohortMax || (i > 0 && place(i) <= place(i - 1)))
      return fail(Code::kBadInput, fmt::format("{}: places that do not rise", field));
  return {};
}

template <class T>
Bytes bytes_of(std::string_view field, const std::vector<T>& list) {
  CHECK(list.size() <= limits::kMaskedCohortMax, "{}: {} records", field, list.size());
  const auto rising = check_places(field, list, [&](auto i) { return place_of(list[i]); });
  CHECK(rising.has_value(), "{}", rising.error().what);
  Bytes bytes;
  for (const T& each : list) append(bytes, each);
  return bytes;
}

template <class T>
Result<std::vector<T>> read_records(capnp::Data::Reader from, std::string_view field,
                                    std::size_t record_bytes) {
  const std::size_t count = from.size() / record_bytes;
  if (from.size() % record_bytes != 0 || count > limits::kMaskedCohortMax)
    return fail(Code::kBadInput, fmt::format("{} has {} bytes: want up to {} records of {}", field,
                                             from.size(), limits::kMaskedCohortMax, record_bytes));
  std::vector<T> list(count);
  for (std::size_t i = 0; i < count; ++i) {
    Record record(from.begin() + i * record_bytes);
    take(record, list[i]);
  }
  TRY(check_places(field, list, [&](auto i) { return place_of(list[i]); }));
  return list;
}

// ---- fields

inline Result<void> read_exactly(capnp::Data::Reader from, std::string_view field,
                                 std::span<std::uint8_t> to) {
  if (from.size() != to.size())
    return fail(Code::kBadInput,
                fmt::format("{} has {} bytes, not {}", field, from.size(), to.size()));
  std::copy(from.begin(), from.end(), to.begin());
  return {};
}

inline Result<Bytes> read_document(capnp::Data::Reader from, std::string_view field) {
  if (from.size() > limits::kCertificateBytesMax)
    return fail(Code::kBadInput, fmt::format("{} has {} bytes: at most {} are allowed", field,
                                             from.size(), limits::kCertificateBytesMax));
  return Bytes(from.begin(), from.end());
}

inline Bytes bytes_of(const secagg::Advert& advert) {
  Bytes bytes;
  append(bytes, ByteView(advert.cipher.bytes));
  append(bytes, ByteView(advert.mask.bytes));
  append(bytes, ByteView(advert.commit));
  append(bytes, ByteView(advert.nonce));
  return bytes;
}

inline Result<secagg::Advert> read_advert(capnp::Data::Reader from) {
  std::array<std::uint8_t, kAdvertBytes> bytes{};
  TRY(read_exactly(from, "advert", bytes));
  secagg::Advert advert{};
  Record record(bytes.data());
  record.into(advert.cipher.bytes);
  record.into(advert.mask.bytes);
  record.into(advert.commit);
  record.into(advert.nonce);
  return advert;
}

template <class To>
void write_places(To to, const std::vector<std::uint32_t>& places) {
  for (unsigned i = 0; i < to.size(); ++i) to.set(i, places[i]);
}
inline unsigned count_of(const std::vector<std::uint32_t>& places, std::string_view field) {
  CHECK(places.size() <= limits::kMaskedCohortMax, "{} places", places.size());
  const auto rising = check_places(field, places, [&](auto i) { return places[i]; });
  CHECK(rising.has_value(), "{}", rising.error().what);
  return static_cast<unsigned>(places.size());
}
inline Result<std::vector<std::uint32_t>> read_places(capnp::List<std::uint32_t>::Reader from,
                                                      std::string_view field) {
  if (from.size() > limits::kMaskedCohortMax)
    return fail(Code::kBadInput, fmt::format("{} has {} places: at most {} are allowed", field,
                                             from.size(), limits::kMaskedCohortMax));
  std::vector<std::uint32_t> places;
  for (const std::uint32_t place : from) places.push_back(place);
  TRY(check_places(field, places, [&](auto i) { return places[i]; }));
  return places;
}

inline void write(wire::Advertise::Builder to, const Bytes& certificate,
                  const secagg::Advert& advert, const Signature& signature) {
  CHECK(certificate.size() <= limits::kCertificateBytesMax, "{} bytes", certificate.size());
  to.setCertificate(as_capnp_data(certificate));
  to.setAdvert(as_capnp_data(bytes_of(advert)));
  to.setPossession(as_capnp_data(advert.possession));
  to.setSignature(as_capnp_data(signature));
}

inline Result<RosterMember> read_member(wire::Advertise::Reader from) {
  RosterMember member;
  TRY_ASSIGN(member.certificate, read_document(from.getCertificate(), "certificate"));
  TRY_ASSIGN(member.advert, read_advert(from.getAdvert()));
  TRY(read_exactly(from.getPossession(), "possession", member.advert.possession));
  TRY(read_exactly(from.getSignature(), "signature", member.signature));
  return member;
}

template <class Message, class Part>
Result<Message> as(Result<Part> part) {
  if (!part) return tl::unexpected(std::move(part.error()));
  return Message(std::move(*part));
}

}  // namespace freshet::records
