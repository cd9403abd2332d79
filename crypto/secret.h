#pragma once
// Secret bytes in guarded, locked memory (sodium_malloc), wiped when they go. Not copyable, never
// printable, compared in constant time. harden_process() is called first thing in every daemon's
// main.

#include <cstddef>
#include <span>

#include "base/bytes.h"
#include "base/result.h"

namespace freshet {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::size_t size);  // zeros
  static Secret random(std::size_t size);
  static Secret copy_of(ByteView bytes);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();
  ByteView view() const { return {data_, size_}; }
  std::span<std::uint8_t> writable() { return {data_, size_}; }
  Secret clone() const { return copy_of(view()); }

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  bool guarded_ = false;  // else plain memory, wiped all the same: see limits::kGuardedSecretsMax
};

// Overwrites what lay in ordinary memory; no compiler leaves it out.
void wipe(std::span<std::uint8_t> bytes);
void wipe(std::span<std::uint32_t> words);
void wipe(std::span<float> values);

bool equal_in_constant_time(ByteView a, ByteView b);

// sodium_init, no core files, not dumpable, umask 077. Where memory cannot be locked it says so in
// the log and goes on.
Result<void> harden_process();

void random_bytes(std::span<std::uint8_t> out);

}  // namespace freshet
