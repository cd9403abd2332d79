#include "edge_node/contribution_store.h"

#include <cstring>

#include "base/crash_point.h"
#include "base/limits.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "crypto/seal.h"

namespace freshet {
namespace {

constexpr std::string_view kContext = "freshet/contribution/v1";

// Before the f32 values; little-endian.
struct Header {
  std::uint64_t campaign = 0, version = 0, adapter_bytes = 0, entries = 0;
  Digest adapter{};
  std::uint32_t weight = 0, reserved = 0;
};
static_assert(sizeof(Header) == 72 && std::is_trivially_copyable_v<Header>);

// Before the bytes of an upload.
struct UploadHeader {
  std::uint64_t round = 0;
  Digest digest{};  // of those bytes: a torn file is sealed anew
};
static_assert(sizeof(UploadHeader) == 40 && std::is_trivially_copyable_v<UploadHeader>);

}  // namespace

struct ContributionStore::Stored {
  session::Contribution contribution;
  ClippedUpdate update;
};

Result<ContributionStore> ContributionStore::open(Path folder, const Secret& storage) {
  TRY(make_folders(folder, 0700));
  return ContributionStore(std::move(folder), storage.clone());
}

Result<session::Contribution> ContributionStore::put(const session::Base& base,
                                                     const ClippedUpdate& update) {
  const Header header{base.campaign.value,
                      base.version.value,
                      base.adapter_bytes,
                      update.values.size(),
                      base.adapter,
                      update.weight,
                      0};
  const ByteView values = as_bytes(std::span<const float>(update.values));
  Bytes plain(sizeof header + values.size());
  std::memcpy(plain.data(), &header, sizeof header);
  if (!values.empty()) std::memcpy(plain.data() + sizeof header, values.data(), values.size());
  TRY(remove());
  crash_point("old contribution dropped");
  auto written =
      write_file_durably(update_file(), seal_at_rest(storage_, plain, as_bytes(kContext)), 0600);
  if (!written && written.error().code != Code::kNoSpace) written.error().code = Code::kCorrupt;
  TRY(written);
  return session::Contribution{base, digest_of(kContext, plain)};
}

Result<ContributionStore::Stored> ContributionStore::load() const {
  TRY_ASSIGN(MappedFile sealed, MappedFile::open(update_file()));
  auto plain = open_at_rest(storage_, sealed.view(), as_bytes(kContext));
  const std::string name = update_file().string();
  if (!plain) return fail(Code::kCorrupt, name + ": " + plain.error().what);
  Header header;
  if (plain->size() < sizeof header) return fail(Code::kCorrupt, name + ": too short");
  std::memcpy(&header, plain->data(), sizeof header);
  if (header.entries > limits::kVectorEntriesMax ||
      plain->size() != sizeof header + header.entries * sizeof(float))
    return fail(Code::kCorrupt, name + ": wrong length");
  Stored stored;
  stored.contribution.base = {
      {header.campaign}, {header.version}, header.adapter, header.adapter_bytes};
  stored.contribution.digest = digest_of(kContext, *plain);
  stored.update.weight = header.weight;
  stored.update.values.resize(header.entries);
  if (header.entries != 0)
    std::memcpy(stored.update.values.data(), plain->data() + sizeof header,
                header.entries * sizeof(float));
  return stored;
}

Result<ClippedUpdate> ContributionStore::get(const session::Contribution& contribution) const {
  TRY_ASSIGN(Stored stored, load());
  if (stored.contribution == contribution) return std::move(stored.update);
  return fail(Code::kExpired, update_file().string() + ": holds another contribution");
}

Result<session::Upload> ContributionStore::put_upload(RoundId round, ByteView sealed) {
  const UploadHeader header{round.value, digest_of(sealed)};
  Bytes bytes(sizeof header + sealed.size());
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + sizeof header, sealed.data(), sealed.size());
  TRY(replace_file(upload_file(), bytes, 0600));
  TRY_ASSIGN(UniqueFd written, open_for_reading(upload_file()));
  unsynced_.add(std::move(written));
  unsynced_.add_folder(folder_);
  return session::Upload{round, header.digest, sealed.size()};
}

Result<MappedFile> ContributionStore::map_upload(const session::Upload& upload) const {
  TRY_ASSIGN(MappedFile file, MappedFile::open(upload_file()));
  if (file.view().size() == sizeof(UploadHeader) + upload.size) return file;
  return fail(Code::kExpired, upload_file().string() + ": holds another upload");
}

ByteView ContributionStore::sealed_part(const MappedFile& upload) {
  return upload.view().subspan(sizeof(UploadHeader));
}

Result<ContributionStore::Kept> ContributionStore::kept() {
  Kept kept;
  std::error_code error;
  if (!std::filesystem::exists(update_file(), error)) {
    TRY(remove());
    return kept;
  }
  auto stored = load();
  if (!stored) {
    log::warning("{}; removed, this node trains again", stored.error().what);
    TRY(remove());
    return kept;
  }
  kept.contribution = stored->contribution;
  if (!std::filesystem::exists(upload_file(), error)) return kept;
  TRY_ASSIGN(MappedFile file, MappedFile::open(upload_file()));
  UploadHeader header;
  if (file.view().size() <= sizeof header) return kept;
  std::memcpy(&header, file.view().data(), sizeof header);
  const ByteView sealed = file.view().subspan(sizeof header);
  if (digest_of(sealed) == header.digest)
    kept.upload = session::Upload{{header.round}, header.digest, sealed.size()};
  return kept;
}

Result<void> ContributionStore::remove() {
  std::error_code error;
  for (const Path& path : {upload_file(), update_file()}) {
    std::filesystem::remove(path, error);
    if (error)
      return fail(Code::kBadInput, "cannot remove " + path.string() + ": " + error.message());
  }
  return {};
}

}  // namespace freshet
