#pragma once
// Training of an adapter of a frozen model, whatever the plan says: backward passes or forward
// passes alone, in parts that fit the memory, from the start or from a saved state. The same plan,
// text, model and number of threads give the same adapter, bit for bit, also when the training was
// broken off and went on from a state.

#include <functional>
#include <memory>
#include <vector>

#include "crypto/digest.h"
#include "crypto/secret.h"
#include "model/text/token_stream.h"
#include "trainer/training/train_plan.h"
#include "trainer/transformer/pass.h"

namespace freshet {

// After `step` steps: all that the rest of the training depends on.
struct TrainState {
  int step = 0;
  std::vector<float> adapter, first, second;
  std::vector<double> directions;  // MeZO with a fixed number of seeds: the factor of each
  std::vector<float> losses;       // by step, nats per target
};

struct TrainHooks {
  std::function<void(int done, int total, float loss)> step_done;
  int save_every = 0;              // steps; 0: never
  std::function<bool()> save_now;  // asked after each step but the last: save here too
  std::function<Result<void>(const TrainState&)> save;  // an error ends the training
  // Of a plan with privacy: 32 bytes that nobody else knows, and all that the training depends on.
  // Both together fix its draws and its noise: another training under them gives away both.
  const Secret* dp_key = nullptr;
  Digest dp_training{};
  // Where losses come from, if not from a Pass over `model`: another device.
  std::function<Result<std::unique_ptr<LossSource>>(const Layout&, const std::vector<float>& values,
                                                    std::vector<float>& gradient)>
      source;
};

struct Trained {
  TrainState state;
  double seconds = 0, first_step_seconds = 0;
  std::int64_t tokens = 0;  // inputs, padding not counted
};

// `start` empty (step 0, adapter of layout.size). kBadInput for a text that does not do, a state
// that is not of this plan, a loss or gradient that is no number (says what to lower); such a step
// is never saved.
Result<Trained> train(const Transformer& model, const TrainPlan& plan, const Layout& layout,
                      TrainState start, const TokenStream& text, const TrainHooks& hooks);

}  // namespace freshet
