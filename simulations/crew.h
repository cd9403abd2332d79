#pragma once
// Threads that share pieces of work. What comes out is the same however many there are, as long as
// no piece touches another's.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace freshet::sim {

class Crew {
 public:
  explicit Crew(int threads);  // the calling one among them
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // work(i) once for every i in [0, count); all are done when this returns. Not from within work.
  void each(std::size_t count, const std::function<void(std::size_t)>& work);

 private:
  void take_pieces();
  void stay();  // of every thread but the caller's

  std::mutex mutex_;
  std::condition_variable called_, done_;
  const std::function<void(std::size_t)>* work_ = nullptr;
  std::size_t count_ = 0, busy_ = 0;
  std::uint64_t calls_ = 0;
  bool ends_ = false;
  std::atomic<std::size_t> next_{0};
  std::vector<std::thread> threads_;
};

}  // namespace freshet::sim
