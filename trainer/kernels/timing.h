#pragma once
// Where the time of a step goes, for a program that asks: it sets `table`, and the scopes below
// charge what they hold to their kind, each moment to the innermost one. While nothing is set a
// scope is one look at a thread's own pointer.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace freshet::timing {

enum class Kind : std::uint8_t {
  kOther,
  kForward,
  kBackward,
  kLora,
  kAttention,
  kNorm,
  kHead,
  kKept,
  kRounding,
  kActivation,
  kRotation,
  kOptimizer
};
inline constexpr std::size_t
    kKinds = 12,
    kModules = 8;  // kForward and kBackward are told by linear module, the others have one

struct Table {
  using Clock = std::chrono::steady_clock;
  std::array<std::array<double, kModules>, kKinds> seconds{};
  Kind kind = Kind::kOther;  // charged now
  std::size_t module = 0;
  Clock::time_point since = Clock::now();

  void turn_to(Kind next, std::size_t next_module) {
    const Clock::time_point now = Clock::now();
    seconds[static_cast<std::size_t>(kind)][module] +=
        std::chrono::duration<double>(now - since).count();
    kind = next;
    module = next_module;
    since = now;
  }
};

inline thread_local Table* table = nullptr;

class Scope {
 public:
  explicit Scope(Kind kind, std::size_t module = 0) : table_(table) {
    if (table_ == nullptr) return;
    kind_ = table_->kind;
    module_ = table_->module;
    table_->turn_to(kind, module < kModules ? module : kModules - 1);
  }
  Scope(const Scope&) = delete;
  ~Scope() {
    if (table_ != nullptr) table_->turn_to(kind_, module_);
  }

 private:
  Table* table_;
  Kind kind_ = Kind::kOther;
  std::size_t module_ = 0;
};

}  // namespace freshet::timing
