#include "trainer/service.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/exit_code.h"
#include "base/limits.h"
#include "base/log.h"

namespace freshet {
namespace {

bool finite(const Finetuned& finetuned) {
  return std::isfinite(finetuned.first_loss) && std::isfinite(finetuned.last_loss) &&
         std::all_of(finetuned.adapter.begin(), finetuned.adapter.end(),
                     [](float entry) { return std::isfinite(entry); });
}

Result<Finetuned> checked(Result<Finetuned> finetuned) {
  if (finetuned && !finite(*finetuned))
    return fail(Code::kBadInput, "training ended in NaN or Inf: lower the learning rate");
  return finetuned;
}

Result<Evaluation> checked(Result<Evaluation> evaluation) {
  if (evaluation && !std::isfinite(evaluation->nll))
    return fail(Code::kBadInput,
                "the model gives NaN or Inf for this text: its weights or its adapter are broken");
  return evaluation;
}

Result<std::vector<float>> checked(Result<std::vector<float>> answers) {
  const auto share = [](float value) { return value >= 0.0f && value <= 1.0001f; };
  if (answers && !std::all_of(answers->begin(), answers->end(), share))
    return fail(Code::kBadInput,
                "the model answers with what is no probability: its weights or its adapter are "
                "broken");
  return answers;
}

struct Work {
  TrainerBackend& backend;
  const OnProgress& on_progress;

  Result<TrainerReply> operator()(LoadModel request) const {
    TRY_ASSIGN(ModelLoaded loaded, backend.load_model(std::move(request), on_progress));
    return TrainerReply(
        std::move(loaded));  // tl::expected leaks where it converts one result into another
  }
  Result<TrainerReply> operator()(OpenText request) const {
    TRY_ASSIGN(TextOpened opened, backend.open_text(std::move(request), on_progress));
    return TrainerReply(std::move(opened));
  }
  Result<TrainerReply> operator()(Finetune request) const {
    TRY_ASSIGN(Finetuned finetuned, checked(backend.finetune(request, on_progress)));
    return FinetuneDone{request.id, std::move(finetuned)};
  }
  Result<TrainerReply> operator()(Evaluate request) const {
    TRY_ASSIGN(const Evaluation evaluation, checked(backend.evaluate(request, on_progress)));
    return EvaluateDone{request.id, evaluation};
  }
  Result<TrainerReply> operator()(Teach request) const {
    TRY_ASSIGN(Finetuned student, checked(backend.teach(request, on_progress)));
    return Taught{request.id, std::move(student)};
  }
  Result<TrainerReply> operator()(Answer request) const {
    TRY_ASSIGN(std::vector<float> values, checked(backend.answer(request, on_progress)));
    return Answered{request.id, std::move(values)};
  }
};

Result<TrainerReply> work(TrainerBackend& backend, TrainerRequest request,
                          const OnProgress& on_progress) {
  try {
    return std::visit(Work{backend, on_progress}, std::move(request));
  } catch (const std::bad_alloc&) {
    return fail(Code::kNoSpace,
                "the trainer has no memory for this: take a smaller batch, window or model");
  } catch (const std::exception& error) {
    return fail(Code::kBadInput, std::string("the trainer could not do this: ") + error.what());
  }
}

// One socket and one backend. A member that gives false says that the daemon is gone.
class Service {
 public:
  Service(int socket, TrainerBackend& backend, const Clock& clock)
      : socket_(socket), backend_(backend), clock_(clock) {}

  Result<void> run() {
    for (;;) {
      Result<ReceivedFrame> received = receive_frame(socket_, true);
      if (!received && received.error().code != Code::kBadInput)
        return tl::unexpected(received.error());
      if (!received) {
        TRY(send(Failed{{}, received.error()}));
        continue;
      }
      if (received->kind == ReceivedFrame::Kind::kEnd) return {};
      TRY(answer(std::move(received->frame)));
    }
  }

 private:
  Result<void> answer(TrainerFrame frame) {
    Result<std::optional<TrainerRequest>> request = decoder_.take(std::move(frame));
    if (!request) return send(Failed{decoder_.id(), request.error()});
    if (!*request) return {};
    const RequestId id = id_of(**request);
    Result<TrainerReply> reply = work(backend_, std::move(**request), reporter(id));
    if (!reply) return send(Failed{id, reply.error()});
    std::visit([&](auto& each) { each.id = id; }, *reply);
    return send(std::move(*reply));
  }

  Result<void> send(TrainerReply reply) {
    const RequestId id = id_of(reply);
    Result<TrainerFrame> frame = encode(std::move(reply));
    if (!frame) {
      TRY_ASSIGN(frame, encode(Failed{id, frame.error()}));
    }
    TRY(send_frame(socket_, *frame, true));
    return {};
  }

  // Progress that finds the socket full or comes too early is left out.
  OnProgress reporter(RequestId id) {
    return [this, id, last = std::optional<Instant>()](std::uint64_t done,
                                                       std::uint64_t total) mutable {
      const Instant now = clock_.now();
      if (last && now - *last < limits::kTrainerProgressEveryMs) return;
      last = now;
      const Result<TrainerFrame> frame = encode(Progress{id, done, total});
      if (frame) [[maybe_unused]]
        const Result<bool> sent = send_frame(socket_, *frame, false);
    };
  }

  int socket_;
  TrainerBackend& backend_;
  const Clock& clock_;
  RequestDecoder decoder_;
};

}  // namespace

int serve(int fd, TrainerBackend& backend, const Clock& clock) {
  const Result<void> served = Service(fd, backend, clock).run();
  // A daemon that went away while a reply was on its way is an orderly end, too.
  if (served || served.error().code == Code::kUnavailable) return static_cast<int>(ExitCode::kOk);
  log::error("{}", served.error().what);
  return static_cast<int>(exit_code_of(served.error().code));
}

}  // namespace freshet
