#pragma once
// The coordinator's side of unmasking: collects revealed shares, rebuilds the self masks of
// survivors and the pair masks of those who dropped, checks either against what its owner
// advertised, and takes the masks off the sum. A wrong share is worked around and its maker named.

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "crypto/secagg/sealed_share.h"
#include "crypto/secret.h"

namespace freshet::secagg {

struct Unmasking {  // one round's public facts; indices rise
  Bound bound;
  std::vector<Advert> roster;                                           // U1, by index
  std::vector<std::uint32_t> sharers;                                   // U2
  std::vector<std::uint32_t> survivors;                                 // U3
  std::uint32_t threshold = 0;                                          // of a neighbourhood
  std::function<std::vector<std::uint32_t>(std::uint32_t)> neighbours;  // of a member in the graph
  // The box that one member sealed for another; without it a wrong share names no liar for certain.
  std::function<std::optional<SealedShare>(std::uint32_t from, std::uint32_t to)> box;
};

class Recovery {
 public:
  // kBadInput when the sets are not parts of one another or a survivor has too few neighbours left.
  static Result<Recovery> start(Unmasking round);
  Recovery(Recovery&&) noexcept;
  Recovery& operator=(Recovery&&) noexcept;
  ~Recovery();

  // What one survivor revealed. kBadInput: not exactly the shares that were asked of it (then
  // nothing is taken). Taking the same again is no error.
  Result<void> take(std::uint32_t from, std::span<const RevealedShare> shares);
  bool heard(std::uint32_t from) const;
  bool enough() const;  // every secret has its threshold of shares

  // kUnavailable: more shares are needed (some may have been wrong); take more and try again.
  // kRefused: a member dealt shares that cannot be rebuilt: the round is lost, liars() names it.
  Result<void> rebuild();

  // Those who are shown to have revealed or dealt wrong shares, rising.
  const std::vector<std::uint32_t>& liars() const { return liars_; }
  const std::vector<std::uint32_t>& survivors() const { return round_.survivors; }

  // Takes all masks off words [first_word, first_word + words.size()) of the sum over the
  // survivors, modulo 2^bits. REQUIRES: rebuild() succeeded; first_word % 16 == 0.
  void remove(std::span<std::uint32_t> words, int bits, std::size_t first_word = 0) const;

 private:
  struct Wanted;  // one secret: of whom, which, and its shares so far
  explicit Recovery(Unmasking round);
  void name(std::uint32_t liar);
  bool is_right(const Wanted& wanted, const Scalar& seed) const;
  void sort_out(Wanted& wanted);
  std::optional<Scalar> work_around(Wanted& wanted);
  Result<void> derive_keys(const Secret& seeds);

  Unmasking round_;
  std::vector<Wanted> wanted_;
  std::vector<std::vector<std::uint32_t>> around_;  // by index: neighbours among the sharers
  std::vector<std::uint32_t> place_;                // by index: in wanted_
  std::vector<bool> heard_;
  std::vector<std::uint32_t> liars_;
  Secret keys_;             // of all masks to take off, 32 bytes each
  std::vector<bool> adds_;  // whether keys_[i] is to be added
  bool rebuilt_ = false;
};

}  // namespace freshet::secagg
