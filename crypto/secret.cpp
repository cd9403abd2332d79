#include "crypto/secret.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "base/limits.h"
#include "base/log.h"
#include "crypto/sodium.h"

namespace freshet {
namespace {

// Live guarded secrets of the process. Each takes four of the 65,530 mappings that Linux gives a
// process by default; a simulation of ten thousand nodes must not eat them all.
std::atomic<std::size_t> guarded_secrets{0};

std::uint8_t* allocate_guarded(std::size_t size) {
  if (guarded_secrets.fetch_add(1) < limits::kGuardedSecretsMax) {
    if (void* data = sodium_malloc(size)) return static_cast<std::uint8_t*>(data);
  }
  guarded_secrets.fetch_sub(1);
  return nullptr;
}

}  // namespace

Secret::Secret(std::size_t size) : size_(size) {
  if (size == 0) return;
  data_ = allocate_guarded(size);
  guarded_ = data_ != nullptr;
  if (!data_) data_ = static_cast<std::uint8_t*>(std::malloc(size));
  if (!data_) throw std::bad_alloc();
  sodium_memzero(data_, size);
}

Secret Secret::random(std::size_t size) {
  Secret secret(size);
  random_bytes(secret.writable());
  return secret;
}

Secret Secret::copy_of(ByteView bytes) {
  Secret secret(bytes.size());
  if (!bytes.empty()) std::memcpy(secret.data_, bytes.data(), bytes.size());
  return secret;
}

Secret::Secret(Secret&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      guarded_(std::exchange(other.guarded_, false)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  Secret moved(std::move(other));
  std::swap(data_, moved.data_);
  std::swap(size_, moved.size_);
  std::swap(guarded_, moved.guarded_);
  return *this;
}

Secret::~Secret() {
  if (!data_) return;
  if (guarded_) {
    sodium_free(data_);  // wipes
    guarded_secrets.fetch_sub(1);
  } else {
    sodium_memzero(data_, size_);
    std::free(data_);
  }
}

void wipe(std::span<std::uint8_t> bytes) { sodium_memzero(bytes.data(), bytes.size_bytes()); }
void wipe(std::span<std::uint32_t> words) { sodium_memzero(words.data(), words.size_bytes()); }
void wipe(std::span<float> values) { sodium_memzero(values.data(), values.size_bytes()); }

bool equal_in_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && (a.empty() || sodium_memcmp(a.data(), b.data(), a.size()) == 0);
}

Result<void> harden_process() {
  if (sodium_init() < 0)
    return fail(Code::kUnavailable, "libsodium cannot start: the system gives no random numbers");
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0 || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    return fail(Code::kRefused, "cannot turn core files off; secrets could reach the disk");
  ::umask(077);
  Secret page(64);
  if (sodium_mlock(page.writable().data(), page.view().size()) != 0)
    log::warning(
        "memory cannot be locked: secrets may reach the swap; raise `ulimit -l` (LimitMEMLOCK)");
  return {};
}

void random_bytes(std::span<std::uint8_t> out) {
  if (!out.empty()) randombytes_buf(out.data(), out.size());
}

}  // namespace freshet
