#include "trainer/training/checkpoint.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"
#include "base/limits.h"
#include "crypto/digest.h"

namespace freshet {
namespace {

static_assert(std::endian::native == std::endian::little,
              "values are written as they lie in memory");

constexpr std::string_view kMagic = "freshet training";
constexpr std::uint32_t kVersion = 1;

class StateWriter {
 public:
  template <class T>
  void number(T value) {
    const auto* from = reinterpret_cast<const std::uint8_t*>(&value);
    bytes.insert(bytes.end(), from, from + sizeof value);
  }
  void text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    bytes.insert(bytes.end(), value.begin(), value.end());
  }
  template <class T>
  void values(const std::vector<T>& from) {
    const ByteView view = as_bytes(std::span<const T>(from));
    number(static_cast<std::uint64_t>(from.size()));
    bytes.insert(bytes.end(), view.begin(), view.end());
  }
  Bytes bytes;
};

// Reads while there is something left; `good` says whether all was there.
class Reader {
 public:
  explicit Reader(ByteView bytes) : left_(bytes) {}
  template <class T>
  T number() {
    T value{};
    if (const ByteView from = take(sizeof value); !from.empty())
      std::memcpy(&value, from.data(), sizeof value);
    return value;
  }
  std::string text(std::size_t bytes_max) {
    const auto count = number<std::uint32_t>();
    if (count > bytes_max) good = false;
    return std::string(as_text(take(count)));
  }
  template <class T>
  std::vector<T> values() {
    const auto count = number<std::uint64_t>();
    if (count > left_.size() / sizeof(T)) good = false;
    const ByteView from = take(good ? static_cast<std::size_t>(count) * sizeof(T) : 0);
    std::vector<T> read(from.size() / sizeof(T));
    if (!from.empty()) std::memcpy(read.data(), from.data(), from.size());
    return read;
  }
  bool at_end() const { return left_.empty(); }
  bool good = true;

 private:
  ByteView take(std::size_t count) {
    if (!good || count > left_.size()) {
      good = false;
      return {};
    }
    const ByteView taken = left_.first(count);
    left_ = left_.subspan(count);
    return taken;
  }
  ByteView left_;
};

template <class T>
bool all_finite(const std::vector<T>& values) {
  return std::all_of(values.begin(), values.end(), [](T value) { return std::isfinite(value); });
}

bool hangs_together(const TrainState& state) {
  const std::size_t moments = state.first.size();
  return state.step >= 0 && state.losses.size() == static_cast<std::size_t>(state.step) &&
         state.second.size() == moments && (moments == 0 || moments == state.adapter.size()) &&
         all_finite(state.adapter) && all_finite(state.first) && all_finite(state.second) &&
         all_finite(state.directions) && all_finite(state.losses);
}

}  // namespace

Bytes encode_checkpoint(const TrainingTerms& terms, const TrainState& state) {
  CHECK(terms.size() <= limits::kTrainingTermsMax, "{}", terms.size());
  StateWriter out;
  out.bytes.reserve(
      (1 << 16) +
      4 * (state.adapter.size() + state.first.size() + state.second.size() + state.losses.size()) +
      8 * state.directions.size());
  out.bytes.assign(kMagic.begin(), kMagic.end());
  out.number(kVersion);
  out.number(static_cast<std::uint32_t>(terms.size()));
  for (const auto& [name, value] : terms) {
    CHECK(name.size() <= limits::kTrainingTermBytesMax &&
              value.size() <= limits::kTrainingTermBytesMax,
          "{}", name);
    out.text(name);
    out.text(value);
  }
  out.number(static_cast<std::int32_t>(state.step));
  out.values(state.adapter);
  out.values(state.first);
  out.values(state.second);
  out.values(state.directions);
  out.values(state.losses);
  const Digest digest = digest_of(out.bytes);
  out.bytes.insert(out.bytes.end(), digest.begin(), digest.end());
  return std::move(out.bytes);
}

Result<Checkpoint> decode_checkpoint(ByteView bytes, std::string_view source) {
  if (bytes.size() < kMagic.size() + sizeof kVersion + sizeof(Digest) ||
      as_text(bytes.first(kMagic.size())) != kMagic)
    return fail(Code::kBadInput, std::string(source) + ": no saved training");
  const ByteView told = bytes.first(bytes.size() - sizeof(Digest));
  Reader in(told.subspan(kMagic.size()));
  if (const auto version = in.number<std::uint32_t>(); version != kVersion)
    return fail(Code::kBadInput, std::string(source) + ": a saved training of version " +
                                     std::to_string(version) + "; this program reads version " +
                                     std::to_string(kVersion));
  const Digest digest = digest_of(told);
  const auto corrupt = [&] {
    return fail(Code::kCorrupt,
                std::string(source) + ": the saved training is damaged; remove it and start again");
  };
  if (!std::equal(digest.begin(), digest.end(),
                  bytes.end() - static_cast<std::ptrdiff_t>(digest.size())))
    return corrupt();
  Checkpoint checkpoint;
  const auto terms = in.number<std::uint32_t>();
  if (terms > limits::kTrainingTermsMax) return corrupt();
  for (std::uint32_t i = 0; i < terms && in.good; ++i) {
    std::string name = in.text(limits::kTrainingTermBytesMax);
    checkpoint.terms.emplace_back(std::move(name), in.text(limits::kTrainingTermBytesMax));
  }
  TrainState& state = checkpoint.state;
  state.step = in.number<std::int32_t>();
  state.adapter = in.values<float>();
  state.first = in.values<float>();
  state.second = in.values<float>();
  state.directions = in.values<double>();
  state.losses = in.values<float>();
  if (!in.good || !in.at_end() || !hangs_together(state)) return corrupt();
  return checkpoint;
}

Result<void> write_checkpoint(const Path& path, const TrainingTerms& terms,
                              const TrainState& state) {
  return write_file_durably(path, encode_checkpoint(terms, state), 0600);
}

Result<Checkpoint> read_checkpoint(const Path& path) {
  TRY_ASSIGN(const MappedFile file, MappedFile::open(path));
  return decode_checkpoint(file.view(), path.string());
}

std::string_view term_of(const TrainingTerms& terms, std::string_view name) {
  for (const auto& [known, value] : terms)
    if (known == name) return value;
  return {};
}

Result<void> check_same_training(const TrainingTerms& saved, const TrainingTerms& wanted,
                                 std::string_view source) {
  const auto other = [&](const std::string& what) {
    return fail(Code::kBadInput,
                std::string(source) + ": of another training: " + what +
                    "; ask for the same to go on with it, or start anew with --force");
  };
  for (const auto& [name, value] : wanted) {
    const std::string_view was = term_of(saved, name);
    if (was == value) continue;
    const bool digests = value.size() == 2 * sizeof(Digest) && was.size() == value.size();
    return other(digests ? "another " + name
                         : name + " was " + std::string(was.empty() ? "not set" : was) + ", not " +
                               value);
  }
  if (saved.size() != wanted.size()) return other("it depends on something that this one does not");
  return {};
}

}  // namespace freshet
