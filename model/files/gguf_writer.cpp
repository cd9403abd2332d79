// Writing a GGUF file of version 3: head first, then the tensors as they come.

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <type_traits>

#include "base/check.h"
#include "base/limits.h"
#include "model/files/gguf.h"

namespace freshet {
namespace {

constexpr std::uint64_t kAlignment = 32;
constexpr std::array<std::uint8_t, kAlignment> kPadding{};

std::uint64_t aligned(std::uint64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

template <class T>
requires std::is_arithmetic_v<T>
void append(Bytes& out, T value) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

void append(Bytes& out, std::string_view text) {
  append(out, static_cast<std::uint64_t>(text.size()));
  out.insert(out.end(), text.begin(), text.end());
}

template <class T>
void append_all(Bytes& out, std::span<const T> values) {
  const ByteView bytes = as_bytes(values);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

void GgufWriter::begin(std::string_view key, GgufType type) {
  append(metadata_, key);
  append(metadata_, static_cast<std::uint32_t>(type));
  ++values_;
}

void GgufWriter::begin_array(std::string_view key, GgufType type, std::size_t count) {
  begin(key, GgufType::kArray);
  append(metadata_, static_cast<std::uint32_t>(type));
  append(metadata_, static_cast<std::uint64_t>(count));
}

void GgufWriter::put_u32(std::string_view key, std::uint32_t value) {
  begin(key, GgufType::kU32);
  append(metadata_, value);
}
void GgufWriter::put_i32(std::string_view key, std::int32_t value) {
  begin(key, GgufType::kI32);
  append(metadata_, value);
}
void GgufWriter::put_u64(std::string_view key, std::uint64_t value) {
  begin(key, GgufType::kU64);
  append(metadata_, value);
}
void GgufWriter::put_f32(std::string_view key, float value) {
  begin(key, GgufType::kF32);
  append(metadata_, value);
}
void GgufWriter::put_flag(std::string_view key, bool value) {
  begin(key, GgufType::kBool);
  append(metadata_, static_cast<std::uint8_t>(value));
}
void GgufWriter::put_text(std::string_view key, std::string_view value) {
  begin(key, GgufType::kText);
  append(metadata_, value);
}
void GgufWriter::put_u32s(std::string_view key, std::span<const std::uint32_t> values) {
  begin_array(key, GgufType::kU32, values.size());
  append_all(metadata_, values);
}
void GgufWriter::put_i32s(std::string_view key, std::span<const std::int32_t> values) {
  begin_array(key, GgufType::kI32, values.size());
  append_all(metadata_, values);
}
void GgufWriter::put_f32s(std::string_view key, std::span<const float> values) {
  begin_array(key, GgufType::kF32, values.size());
  append_all(metadata_, values);
}
void GgufWriter::put_texts(std::string_view key, std::span<const std::string> values) {
  begin_array(key, GgufType::kText, values.size());
  for (const std::string& value : values) append(metadata_, value);
}

void GgufWriter::announce(std::string_view name, WeightType type,
                          std::span<const std::int64_t> shape) {
  const BlockFacts& block = block_of(type);
  CHECK(!fd_ && shape.size() <= limits::kGgufDimensionsMax, "{}", name);
  CHECK(shape.empty() || static_cast<std::size_t>(shape.back()) % block.elements == 0,
        "{}: rows of {} as {}", name, shape.back(), block.name);
  append(infos_, name);
  append(infos_, static_cast<std::uint32_t>(shape.size()));
  std::uint64_t elements = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    append(infos_, static_cast<std::uint64_t>(shape[i]));
    elements *= static_cast<std::uint64_t>(shape[i]);
  }
  append(infos_, block.ggml);
  append(infos_, data_bytes_);
  tensors_.push_back({data_bytes_, elements / block.elements * block.bytes});
  data_bytes_ = aligned(data_bytes_ + tensors_.back().bytes);
}

Bytes GgufWriter::head() const {
  Bytes head = to_bytes(as_bytes("GGUF"));
  append(head, std::uint32_t{3});
  append(head, static_cast<std::uint64_t>(tensors_.size()));
  append(head, values_);
  head.insert(head.end(), metadata_.begin(), metadata_.end());
  head.insert(head.end(), infos_.begin(), infos_.end());
  head.resize(aligned(head.size()));
  return head;
}

Result<void> GgufWriter::start(const Path& path) {
  CHECK(!fd_);
  path_ = path;
  unfinished_ = path.string() + ".tmp" + std::to_string(::getpid());
  ::unlink(unfinished_.c_str());  // of an earlier process with this number
  fd_ = UniqueFd(::open(unfinished_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd_) return tl::unexpected(errno_error("cannot create", unfinished_));
  return write_all(fd_.get(), head(), unfinished_);
}

Result<void> GgufWriter::write_tensor(ByteView bytes) {
  CHECK(fd_ && next_ < tensors_.size(), "{} of {}", next_, tensors_.size());
  CHECK(bytes.size() == tensors_[next_].bytes, "{} of {} bytes", bytes.size(),
        tensors_[next_].bytes);
  ++next_;
  TRY(write_all(fd_.get(), bytes, unfinished_));
  const std::size_t rest = aligned(bytes.size()) - bytes.size();
  return write_all(fd_.get(), ByteView(kPadding).first(rest), unfinished_);
}

Result<void> GgufWriter::finish() {
  CHECK(fd_ && next_ == tensors_.size(), "{} of {}", next_, tensors_.size());
  if (::fsync(fd_.get()) != 0) return tl::unexpected(errno_error("cannot sync", unfinished_));
  if (::rename(unfinished_.c_str(), path_.c_str()) != 0)
    return tl::unexpected(errno_error("cannot rename to", path_));
  fd_.reset();
  const Path folder = path_.has_parent_path() ? path_.parent_path() : Path(".");
  const UniqueFd folder_fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder_fd || ::fsync(folder_fd.get()) != 0)
    return tl::unexpected(errno_error("cannot sync", folder));
  return {};
}

GgufWriter::~GgufWriter() {
  if (fd_) ::unlink(unfinished_.c_str());
}

}  // namespace freshet
