#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "base/limits.h"
#include "model/process/trainer_process.h"
#include "tests/trainer/memory_files.h"

namespace freshet {
namespace {

constexpr int kPatienceMs = 60'000;

TrainerOptions options(const char* behaviour) {
  TrainerOptions result;
  result.binary = binary_folder() / "trainer_test_server";
  result.arguments = {behaviour};
  return result;
}

TrainerProcess started(const char* behaviour = "serve") {
  Result<TrainerProcess> trainer = TrainerProcess::start(options(behaviour));
  if (!trainer) ADD_FAILURE() << trainer.error().what;
  return std::move(*trainer);
}

bool readable(int fd) {
  pollfd waiting{fd, POLLIN, 0};
  return ::poll(&waiting, 1, kPatienceMs) == 1;
}

// What receive() gives next, waiting as a daemon would.
Result<std::optional<TrainerReply>> next(TrainerProcess& trainer) {
  for (;;) {
    Result<std::optional<TrainerReply>> reply = trainer.receive();
    if (!reply || *reply) return reply;
    if (!readable(trainer.fd())) return fail(Code::kExpired, "no word from the trainer");
  }
}

std::string end_of(TrainerProcess& trainer) {
  const auto reply = next(trainer);
  if (reply) return "a reply";
  EXPECT_EQ(reply.error().code, Code::kUnavailable);
  return reply.error().what;
}

void expect_over(TrainerProcess& trainer) {
  EXPECT_FALSE(trainer.alive());
  EXPECT_EQ(trainer.pid(), -1);
  EXPECT_EQ(trainer.waiting(), 0u);
  const auto again = trainer.receive();
  EXPECT_TRUE(again && !*again);
  EXPECT_EQ(trainer.submit(Finetune{}).error().code, Code::kUnavailable);
  pollfd quiet{trainer.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&quiet, 1, 0), 0);
}

OpenText text_of(std::uint64_t id, int files) {
  OpenText request{RequestId{id}, "c", {}, 0.1, 32, Slot::kSlm};
  for (int i = 0; i < files; ++i)
    request.files.push_back(text_file(std::string(100, 'n') + ".txt", "abc"));
  return request;
}

TEST(TrainerProcess, AnswersInOrderFromItsSandbox) {
  TrainerProcess trainer = started();
  EXPECT_TRUE(trainer.alive());
  ASSERT_TRUE(trainer.submit(LoadModel{RequestId{1}, Slot::kSlm, toy_model_files(), 1}));
  ASSERT_TRUE(trainer.submit(text_of(2, 3)));
  std::vector<float> adapter(1'000'000);
  std::iota(adapter.begin(), adapter.end(), 0.0f);
  Finetune finetune{RequestId{3}, Slot::kSlm, "c", {}, adapter};
  ASSERT_TRUE(trainer.submit(std::move(finetune)));
  EXPECT_EQ(trainer.waiting(), 3u);
  auto loaded = next(trainer);
  ASSERT_TRUE(loaded) << loaded.error().what;
  EXPECT_EQ(std::get<ModelLoaded>(**loaded).parameters, 7u);
  EXPECT_EQ(std::get<TextOpened>(**next(trainer)).train_bytes, 9u);
  auto reply = next(trainer);
  int progress = 0;
  for (; reply && std::holds_alternative<Progress>(**reply); ++progress) reply = next(trainer);
  EXPECT_EQ(progress, 4);
  ASSERT_TRUE(reply) << reply.error().what;
  std::reverse(adapter.begin(), adapter.end());
  EXPECT_EQ(std::get<FinetuneDone>(**reply).finetuned.adapter, adapter);
  EXPECT_EQ(trainer.waiting(), 0u);
  EXPECT_TRUE(trainer.alive());
}

TEST(TrainerProcess, NeverWaitsForASocketThatIsFull) {
  TrainerProcess trainer = started("sleep");
  std::size_t taken = 0;
  while (taken < 1000 && trainer.submit(text_of(taken + 1, 20))) ++taken;
  EXPECT_EQ(taken, limits::kTrainerRequestsMax);
  EXPECT_EQ(trainer.waiting(), limits::kTrainerRequestsMax);
  const auto nothing = trainer.receive();
  EXPECT_TRUE(nothing && !*nothing);
}

TEST(TrainerProcess, SendsTheRestWhenTheTrainerGetsToIt) {
  TrainerProcess trainer = started();
  ASSERT_EQ(::kill(trainer.pid(), SIGSTOP), 0);
  constexpr std::uint64_t kTexts = 40;
  for (std::uint64_t id = 1; id <= kTexts; ++id) ASSERT_TRUE(trainer.submit(text_of(id, 130)));
  ASSERT_EQ(::kill(trainer.pid(), SIGCONT), 0);
  for (std::uint64_t id = 1; id <= kTexts; ++id) {
    const auto reply = next(trainer);
    ASSERT_TRUE(reply) << reply.error().what;
    EXPECT_EQ(id_of(**reply), RequestId{id});
    EXPECT_EQ(std::get<TextOpened>(**reply).train_tokens, 130u);
  }
}

// Its frames are more than the socket holds, and no reply wakes the daemon before the last of them.
TEST(TrainerProcess, OneTextOfManyFilesGetsThrough) {
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  files.rlim_cur = std::max(files.rlim_cur, std::min<rlim_t>(files.rlim_max, 4096));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
  TrainerProcess trainer = started();
  ASSERT_EQ(::kill(trainer.pid(), SIGSTOP), 0);
  ASSERT_TRUE(trainer.submit(text_of(1, 3000)));
  ASSERT_EQ(::kill(trainer.pid(), SIGCONT), 0);
  ASSERT_TRUE(readable(trainer.fd()));
  const auto reply = next(trainer);
  ASSERT_TRUE(reply) << reply.error().what;
  EXPECT_EQ(std::get<TextOpened>(**reply).train_tokens, 3000u);
}

TEST(TrainerProcess, DeathByMemoryShortageIsToldOnce) {
  TrainerProcess trainer = started();
  ASSERT_TRUE(trainer.submit(text_of(1, 1)));
  ASSERT_TRUE(next(trainer));
  ASSERT_EQ(::kill(trainer.pid(), SIGKILL), 0);
  EXPECT_EQ(end_of(trainer), "the trainer ended by signal 9 (out of memory?)");
  expect_over(trainer);
}

TEST(TrainerProcess, DeathInTheMiddleOfWorkLosesNoDaemon) {
  TrainerProcess trainer = started("sleep");
  ASSERT_TRUE(trainer.submit(text_of(1, 1)));
  ASSERT_EQ(::kill(trainer.pid(), SIGSEGV), 0);
  EXPECT_EQ(end_of(trainer), "the trainer ended by signal 11 (SIGSEGV)");
  expect_over(trainer);
}

TEST(TrainerProcess, SaysHowItEnded) {
  TrainerProcess leaving = started("leave");
  EXPECT_EQ(end_of(leaving), "the trainer ended with exit code 7");
  expect_over(leaving);
  TrainerProcess stopped = started();
  stopped.kill();
  EXPECT_EQ(end_of(stopped), "the trainer was stopped");
  expect_over(stopped);
  TrainerProcess silent = started("hang_up");
  EXPECT_NE(end_of(silent).find("signal 9"), std::string::npos);
  expect_over(silent);
}

TEST(TrainerProcess, OneThatTalksNonsenseIsStopped) {
  for (const char* behaviour : {"babble", "answer_nobody", "answer_wrongly"}) {
    TrainerProcess trainer = started(behaviour);
    EXPECT_EQ(end_of(trainer).find("the trainer was stopped: "), 0u) << behaviour;
    expect_over(trainer);
  }
}

TEST(TrainerProcess, AnIdMeansOneRequest) {
  TrainerProcess trainer = started("sleep");
  ASSERT_TRUE(trainer.submit(text_of(1, 1)));
  EXPECT_EQ(trainer.submit(text_of(1, 1)).error().code, Code::kBadInput);
  EXPECT_EQ(trainer.waiting(), 1u);
}

TEST(TrainerProcess, StartsWithNothingButWhatItNeeds) {
  const UniqueFd secret = text_fd("secret");
  ASSERT_EQ(::setenv("FRESHET_TEST_SECRET", "secret", 1), 0);
  ASSERT_GE(::fcntl(secret.get(), F_SETFD, 0), 0);  // not closed on exec
  sigset_t term, before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  ASSERT_EQ(::sigprocmask(SIG_BLOCK, &term, &before), 0);
  TrainerOptions with = options("facts");
  with.threads = 3;
  with.nice = 5;
  std::string limited;
#ifndef __SANITIZE_ADDRESS__  // its shadow alone is more
  with.memory_bytes_max = std::uint64_t{3} << 30;
  limited = " data=3072";
#endif
  Result<TrainerProcess> trainer = TrainerProcess::start(with);
  ASSERT_EQ(::sigprocmask(SIG_SETMASK, &before, nullptr), 0);
  ASSERT_TRUE(trainer) << trainer.error().what;
  const int nice = std::min(19, ::getpriority(PRIO_PROCESS, 0) + 5);
  EXPECT_EQ(end_of(*trainer),
            "the trainer was stopped: fds 0 1 2 3; OMP_WAIT_POLICY=passive OMP_NUM_THREADS=3 "
            "OPENBLAS_NUM_THREADS=3 "
            "FRESHET_TEST_SECRET=none core=0 death=9 own_group=1 term_blocked=0" +
                limited + " nice=" + std::to_string(nice));
}

TEST(TrainerProcess, ControlCReachesTheDaemonAlone) {
  TrainerProcess trainer = started();
  ASSERT_TRUE(trainer.submit(text_of(1, 1)));
  ASSERT_TRUE(next(trainer));
  EXPECT_NE(::getpgid(trainer.pid()), ::getpgid(0));
  ASSERT_EQ(::kill(trainer.pid(), SIGINT), 0);
  ASSERT_TRUE(trainer.submit(text_of(2, 1)));
  const auto reply = next(trainer);
  EXPECT_TRUE(reply) << reply.error().what;
}

TEST(TrainerProcess, DiesWithItsDaemonEvenWhenItDoesNotListen) {
  int pair[2];
  ASSERT_EQ(::pipe(pair), 0);
  const UniqueFd reading(pair[0]);
  UniqueFd writing(pair[1]);
  const pid_t daemon = ::fork();
  if (daemon == 0) {
    TrainerProcess trainer = started("hang_up");
    const pid_t pid = trainer.pid();
    if (::write(writing.get(), &pid, sizeof pid) != sizeof pid) ::_exit(1);
    for (;;) ::pause();
  }
  writing.reset();
  pid_t trainer = -1;
  ASSERT_EQ(::read(reading.get(), &trainer, sizeof trainer), static_cast<ssize_t>(sizeof trainer));
  const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, trainer, 0)));
  ASSERT_TRUE(handle);
  ASSERT_EQ(::kill(daemon, SIGKILL), 0);
  ::waitpid(daemon, nullptr, 0);
  EXPECT_TRUE(readable(handle.get()));
}

TEST(TrainerProcess, IsReapedWithItsObject) {
  pid_t pid = -1;
  {
    const TrainerProcess trainer = started("sleep");
    pid = trainer.pid();
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_EQ(::waitpid(pid, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(TrainerProcess, ABinaryThatIsNotThereIsSaidToBe) {
  TrainerOptions missing = options("serve");
  missing.binary = "/nonexistent/freshet-trainer";
  const auto trainer = TrainerProcess::start(missing);
  ASSERT_FALSE(trainer);
  EXPECT_EQ(trainer.error().code, Code::kBadInput);
  EXPECT_NE(trainer.error().what.find("/nonexistent/freshet-trainer"), std::string::npos);
  EXPECT_NE(trainer.error().what.find("install"), std::string::npos);
  TrainerOptions none = options("serve");
  none.threads = 0;
  EXPECT_EQ(TrainerProcess::start(none).error().code, Code::kBadInput);
}

}  // namespace
}  // namespace freshet
