#pragma once
// The secrets of one node for one sid, in one guarded block, wiped when they go; never on disk. It
// makes the node's masks and keeps the two promises on which secrecy rests, whatever its caller
// does: one masked vector, and of each other member at most one kind of share, revealed once.

#include <memory>
#include <span>
#include <vector>

#include "crypto/secagg/sealed_share.h"

namespace freshet::secagg {

// How secrets are drawn and agreed on. Another than the default is for simulations and tests alone.
struct Seams {
  FillSecret fill;
  // (own secret, own public, theirs) -> shared
  std::function<Result<void>(KeyView, const MaskPublic&, const MaskPublic&, Key)> agree_on_mask;
  std::function<Result<void>(KeyView, const CipherPublic&, const CipherPublic&, Key)>
      agree_on_cipher;
};

Seams usual_seams();

class RoundKeys {
 public:
  static RoundKeys make();
  static RoundKeys make_with(Seams seams);  // simulations and tests
  RoundKeys(RoundKeys&&) noexcept;
  RoundKeys& operator=(RoundKeys&&) noexcept;
  ~RoundKeys();

  const Advert& advert() const;
  // Adds to it the proof that its owner knows the cipher key's secret. Once, for the round's sid.
  const Advert& claim(const Sid& sid, const SigningPublic& owner);

  // Boxes for `neighbours` (without this node), in their order. `threshold` of a neighbourhood and
  // its owner rebuild a secret of the owner; it is above half of them. Once. kBadInput names a
  // neighbour whose key is unusable or that comes twice.
  Result<std::vector<SealedShare>> share(const Bound& bound, std::uint32_t own,
                                         std::span<const Peer> neighbours, std::uint32_t threshold);

  // Opens a neighbour's box. kBadInput: it is bad, and evidence_against(from) shows it. kRefused:
  // no neighbour, another node's box, or a second and different one. REQUIRES: share() was done.
  Result<void> take(std::uint32_t from, const SealedShare& box);
  Result<Evidence> evidence_against(std::uint32_t from) const;  // after take() found its box bad

  // words + self mask +- pair mask with each neighbour among `sharers` (U2, rising), modulo 2^bits.
  // Once: kRefused the second time, and when this node is not among them, a neighbour's box is
  // missing, or fewer than the threshold of the neighbourhood are. REQUIRES: words below 2^bits.
  Result<void> mask(std::span<std::uint32_t> words, int bits,
                    std::span<const std::uint32_t> sharers);

  // Of each neighbour among `sharers`, and of this node: the share of its self mask when it is
  // among `survivors` (U3, rising), else the share of its pair masks. Once: wipes all secrets
  // afterwards. kRefused when it was not mask()'s U2, U3 is no part of it or without this node, or
  // too few of the neighbourhood survive.
  Result<std::vector<RevealedShare>> reveal(std::span<const std::uint32_t> survivors,
                                            std::span<const std::uint32_t> sharers);

  bool has_masked() const;
  bool has_revealed() const;

 private:
  struct State;
  explicit RoundKeys(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace freshet::secagg
