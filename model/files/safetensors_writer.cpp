#include "model/files/safetensors_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "base/json.h"

namespace freshet {

std::uint64_t TensorHead::bytes() const {
  std::uint64_t bytes = size_of(dtype);
  for (std::int64_t length : shape) bytes *= static_cast<std::uint64_t>(length);
  return bytes;
}

void SafetensorsWriter::sort(std::vector<TensorHead>& tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorHead& a, const TensorHead& b) {
    const std::size_t a_size = size_of(a.dtype), b_size = size_of(b.dtype);
    return a_size != b_size ? a_size > b_size : a.name < b.name;
  });
}

Result<void> SafetensorsWriter::start(const Path& path, const std::vector<TensorHead>& tensors) {
  Json header = {{"__metadata__", {{"format", "pt"}}}};
  for (const TensorHead& tensor : tensors) {
    const std::uint64_t end = left_ + tensor.bytes();
    CHECK(!header.contains(tensor.name) && left_ % size_of(tensor.dtype) == 0, "{}", tensor.name);
    header[tensor.name] = {
        {"dtype", name_of(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {left_, end}}};
    left_ = end;
  }
  std::string text = to_text(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  path_ = path;
  fd_ = UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd_) return tl::unexpected(errno_error("cannot create", path));
  const std::uint64_t size = text.size();
  std::array<std::uint8_t, 8> length;
  std::memcpy(length.data(), &size, sizeof size);
  TRY(write_all(fd_.get(), length, path));
  return write_all(fd_.get(), as_bytes(text), path);
}

Result<void> SafetensorsWriter::write(ByteView bytes) {
  CHECK(fd_ && bytes.size() <= left_, "{} of {} bytes", bytes.size(), left_);
  left_ -= bytes.size();
  return write_all(fd_.get(), bytes, path_);
}

Result<void> SafetensorsWriter::finish() {
  CHECK(fd_ && left_ == 0, "{} bytes not written", left_);
  if (::fsync(fd_.get()) != 0) return tl::unexpected(errno_error("cannot sync", path_));
  fd_.reset();
  return {};
}

}  // namespace freshet
