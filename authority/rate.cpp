#include "authority/rate.h"

#include <algorithm>

namespace freshet::authority {

bool TokenBucket::take(Instant now) {
  if (left_ < 0) left_ = at_once_;
  left_ = std::min(at_once_, left_ + static_cast<double>(now - at_) * per_second_ / 1000);
  at_ = now;
  if (left_ < 1) return false;
  left_ -= 1;
  return true;
}

bool AddressBuckets::take(std::string_view address, Instant now) {
  auto found = buckets_.find(address);
  if (found == buckets_.end()) {
    // Whoever has so many addresses is held by the bucket that all strangers share.
    if (buckets_.size() >= addresses_max_) buckets_.clear();
    found = buckets_.emplace(std::string(address), TokenBucket(per_second_, at_once_)).first;
  }
  return found->second.take(now);
}

}  // namespace freshet::authority
