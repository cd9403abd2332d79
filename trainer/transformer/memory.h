#pragma once
// Memory for numbers: aligned for vectors, not initialised, counted, and given back to the system
// when it goes.

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "trainer/kernels/no_memory.h"

namespace freshet {

inline std::size_t count_of(std::int64_t rows, std::int64_t columns) {
  return static_cast<std::size_t>(rows * columns);
}

template <class T>
class Memory {
 public:
  Memory() = default;
  // no_memory() where there is none.
  explicit Memory(std::size_t count) : size_(count) {
    if (count == 0) return;
    if (count > (SIZE_MAX - 4095) / sizeof(T)) no_memory(SIZE_MAX);
    void* at = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) no_memory(bytes());
    // Small ones too: the kernel joins those that lie side by side, as those of a layer do.
    ::madvise(at, bytes(), MADV_HUGEPAGE);
    data_ = static_cast<T*>(at);
  }
  Memory(Memory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Memory& operator=(Memory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Memory() {
    if (data_ != nullptr) ::munmap(data_, bytes());
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }

 private:
  std::size_t bytes() const { return (size_ * sizeof(T) + 4095) / 4096 * 4096; }
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

// Room that grows to the most that was asked of it and stays: what it holds does not outlive the
// next call.
template <class T>
class Room {
 public:
  T* of(std::size_t count) {
    if (count > memory_.size()) memory_ = Memory<T>(count);
    return memory_.data();
  }

 private:
  Memory<T> memory_;
};

}  // namespace freshet
