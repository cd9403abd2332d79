#include "simulations/toy_training.h"

#include <cmath>
#include <limits>

#include "aggregation/clip.h"
#include "base/check.h"

namespace freshet::sim {

Result<QuantizedUpdate> train(const World& world, const Lesson& lesson,
                              const std::vector<float>& adapter) {
  CHECK(adapter.size() == world.entries, "{} entries", adapter.size());
  Rng rng(world.seed ^ (lesson.attempt << 32), 10'000 + lesson.node);
  const float goal = static_cast<float>(lesson.node % 7) * 0.1f;  // each node's private truth
  Update update;
  for (float entry : adapter)
    update.values.push_back((goal - entry) * 0.3f +
                            static_cast<float>(rng.uniform() - 0.5) * 0.05f);
  if (world.nodes[lesson.node].lie == Lie::kNotANumber)
    update.values[rng.below(update.values.size())] = std::numeric_limits<float>::quiet_NaN();
  TRY_ASSIGN(Clipped clipped, clip(std::move(update), world.plan.clip));
  return quantize(clipped.update, world.plan.grid, [&](std::span<std::uint32_t> out) {
    for (std::uint32_t& word : out) word = rng.next_u32();
  });
}

Bytes upload_bytes(RoundId round, std::size_t node, const QuantizedUpdate& update) {
  const std::uint64_t head[2] = {round.value, node};
  Bytes bytes(sizeof head + update.words.size() * 4);
  std::memcpy(bytes.data(), head, sizeof head);
  std::memcpy(bytes.data() + sizeof head, update.words.data(), update.words.size() * 4);
  return bytes;
}

Result<QuantizedUpdate> open_upload_bytes(ByteView bytes, RoundId round, std::size_t node) {
  std::uint64_t head[2];
  if (bytes.size() < sizeof head || bytes.size() % 4 != 0)
    return fail(Code::kBadInput, "no update has this length");
  std::memcpy(head, bytes.data(), sizeof head);
  if (head[0] != round.value || head[1] != node)
    return fail(Code::kBadInput, "an update of another round or node");
  QuantizedUpdate update;
  update.words.resize((bytes.size() - sizeof head) / 4);
  std::memcpy(update.words.data(), bytes.data() + sizeof head, update.words.size() * 4);
  return update;
}

Bytes floats_to_bytes(const std::vector<float>& values) {
  return to_bytes(as_bytes(std::span<const float>(values)));
}

std::vector<float> floats_from_bytes(ByteView bytes) {
  std::vector<float> values(bytes.size() / 4);
  std::memcpy(values.data(), bytes.data(), values.size() * 4);
  return values;
}

}  // namespace freshet::sim
