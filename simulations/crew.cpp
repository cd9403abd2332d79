#include "simulations/crew.h"

namespace freshet::sim {

Crew::Crew(int threads) {
  for (int i = 1; i < threads; ++i) threads_.emplace_back([this] { stay(); });
}

Crew::~Crew() {
  {
    const std::scoped_lock lock(mutex_);
    ends_ = true;
  }
  called_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Crew::take_pieces() {
  for (std::size_t i; (i = next_.fetch_add(1)) < count_;) (*work_)(i);
}

void Crew::each(std::size_t count, const std::function<void(std::size_t)>& work) {
  if (threads_.empty() || count < 2) {
    for (std::size_t i = 0; i < count; ++i) work(i);
    return;
  }
  {
    const std::scoped_lock lock(mutex_);
    work_ = &work;
    count_ = count;
    next_ = 0;
    busy_ = threads_.size();
    ++calls_;
  }
  called_.notify_all();
  take_pieces();
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return busy_ == 0; });
}

void Crew::stay() {
  for (std::uint64_t answered = 0;;) {
    {
      std::unique_lock lock(mutex_);
      called_.wait(lock, [&] { return ends_ || calls_ != answered; });
      if (ends_) return;
      answered = calls_;
    }
    take_pieces();
    const std::scoped_lock lock(mutex_);
    if (--busy_ == 0) done_.notify_one();
  }
}

}  // namespace freshet::sim
