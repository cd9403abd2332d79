#pragma once
// How often strangers are looked at: a bucket that refills with time, for all of them together or
// for each address.

#include <map>
#include <string>

#include "base/clock.h"

namespace freshet::authority {

class TokenBucket {
 public:
  TokenBucket(int per_second, int at_once) : per_second_(per_second), at_once_(at_once) {}
  bool take(Instant now);  // false: too often

 private:
  double per_second_, at_once_, left_ = -1;
  Instant at_;
};

class AddressBuckets {
 public:
  AddressBuckets(int per_second, int at_once, std::size_t addresses_max)
      : per_second_(per_second), at_once_(at_once), addresses_max_(addresses_max) {}
  bool take(std::string_view address, Instant now);

 private:
  int per_second_, at_once_;
  std::size_t addresses_max_;
  std::map<std::string, TokenBucket, std::less<>> buckets_;
};

}  // namespace freshet::authority
