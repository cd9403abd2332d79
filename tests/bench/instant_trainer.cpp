// A trainer that computes nothing: an adapter comes back a little moved, after a while in which
// others can end their round. Says on its standard error when each training began and ended, so that
// a bench can take training out of a round's time.

#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>

#include "trainer/sandbox.h"
#include "trainer/service.h"

namespace freshet {
namespace {

constexpr int kTrainingMs = 400;

long long wall_us() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return time.tv_sec * 1'000'000LL + time.tv_nsec / 1000;
}

class InstantBackend final : public TrainerBackend {
 public:
  Result<ModelLoaded> load_model(LoadModel request, const OnProgress&) override {
    TRY_ASSIGN(MappedFile config,
               MappedFile::of(request.files.config.fd, request.files.config.name));
    ModelLoaded loaded;
    loaded.slot = request.slot;
    TRY_ASSIGN(loaded.config,
               parse_model_config(as_text(config.view()), request.files.config.name));
    return loaded;
  }
  Result<TextOpened> open_text(OpenText, const OnProgress&) override {
    TextOpened opened;
    opened.train_bytes = 900, opened.heldout_bytes = 100, opened.train_tokens = 225;
    return opened;
  }
  Result<Finetuned> finetune(const Finetune& request, const OnProgress&) override {
    const long long began = wall_us();
    Finetuned finetuned{request.adapter, 1, 1, 0};
    for (float& value : finetuned.adapter) value += 1e-5f;
    ::poll(nullptr, 0, kTrainingMs);
    std::fprintf(stderr, "trained %lld %lld\n", began, wall_us());
    return finetuned;
  }
  Result<Evaluation> evaluate(const Evaluate&, const OnProgress&) override {
    return Evaluation{1000, 1000, 1000};
  }
  Result<Finetuned> teach(const Teach&, const OnProgress&) override {
    return fail(Code::kBadInput, "this trainer teaches nothing");
  }
  Result<std::vector<float>> answer(const Answer&, const OnProgress&) override {
    return fail(Code::kBadInput, "this trainer knows no answers");
  }
};

}  // namespace
}  // namespace freshet

int main() {
  if (!freshet::enter_sandbox()) ::_exit(5);
  freshet::InstantBackend backend;
  ::_exit(freshet::serve(freshet::kServiceFd, backend));
}
