#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>

#include "base/limits.h"
#include "tests/trainer/memory_files.h"
#include "tests/trainer/toy_backend.h"
#include "trainer/service.h"

namespace freshet {
namespace {

// A daemon's end of a service that runs in a thread.
class Conversation : public testing::Test {
 protected:
  Conversation() {
    int pair[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    ours_ = UniqueFd(pair[0]);
    theirs_ = UniqueFd(pair[1]);
    service_ = std::thread([this] { exit_code_ = serve(theirs_.get(), backend_, clock_); });
  }
  ~Conversation() override { hang_up(); }

  int hang_up() {
    ours_.reset();
    if (service_.joinable()) service_.join();
    return exit_code_;
  }

  void say(std::string header, std::vector<UniqueFd> fds = {}) {
    const TrainerFrame frame{std::move(header), std::move(fds)};
    ASSERT_TRUE(send_frame(ours_.get(), frame, true));
  }

  // The reply that ends a request; progress before it is kept.
  TrainerReply hear() {
    for (;;) {
      Result<ReceivedFrame> received = receive_frame(ours_.get(), true);
      if (!received || received->kind != ReceivedFrame::Kind::kFrame) break;
      Result<TrainerReply> reply = decode_reply(std::move(received->frame));
      if (!reply) break;
      const auto* progress = std::get_if<Progress>(&*reply);
      if (progress == nullptr) return std::move(*reply);
      progress_.push_back(*progress);
    }
    ADD_FAILURE() << "the service gave no readable reply";
    return Progress{};
  }

  TrainerReply ask(TrainerRequest request) {
    Result<std::vector<TrainerFrame>> frames = encode(std::move(request));
    EXPECT_TRUE(frames) << frames.error().what;
    for (TrainerFrame& frame : *frames) say(std::move(frame.header), std::move(frame.fds));
    return hear();
  }

  template <class Reply>
  Reply ask_for(TrainerRequest request) {
    const RequestId id = id_of(request);
    TrainerReply reply = ask(std::move(request));
    EXPECT_EQ(id_of(reply), id);
    if (auto* wanted = std::get_if<Reply>(&reply)) return std::move(*wanted);
    const auto* failed = std::get_if<Failed>(&reply);
    ADD_FAILURE() << "another reply than wanted" << (failed ? ": " + failed->error.what : "");
    return Reply{};
  }

  void open_text(const char* corpus) {
    OpenText request{RequestId{50}, corpus, {}, 0.1, 32, Slot::kSlm};
    request.files.push_back(text_file("a.txt", "seventeen letters"));
    request.files.push_back(text_file("b.txt", ""));
    EXPECT_EQ(ask_for<TextOpened>(std::move(request)).train_bytes, 17u);
  }

  static Finetune finetune(const char* corpus, std::vector<float> adapter) {
    Finetune request{RequestId{60}, Slot::kSlm, corpus, {}, std::move(adapter)};
    request.plan.steps = 10;
    return request;
  }

  void expect_alive() { open_text("still here"); }

  std::vector<Progress> progress_;

 private:
  UniqueFd ours_, theirs_;
  ManualClock clock_;
  ToyBackend backend_{clock_};
  std::thread service_;
  int exit_code_ = -1;
};

using Service = Conversation;

TEST_F(Service, ReadsAModelFromItsDescriptors) {
  const auto loaded =
      ask_for<ModelLoaded>(LoadModel{RequestId{9}, Slot::kLlm, toy_model_files(), 2});
  EXPECT_EQ(loaded.slot, Slot::kLlm);
  EXPECT_EQ(loaded.config.hidden_size, 3);
  EXPECT_EQ(loaded.config.vocab_size, 5);
  EXPECT_EQ(loaded.parameters, 7u);
  EXPECT_EQ(loaded.digest[31], 2);
}

TEST_F(Service, OpensATextOfMoreFilesThanOneFrameCarries) {
  OpenText request{RequestId{1}, "many", {}, 0.1, 77, Slot::kSlm};
  for (int i = 0; i < 500; ++i) request.files.push_back(text_file("x.md", "12"));
  const auto opened = ask_for<TextOpened>(std::move(request));
  EXPECT_EQ(opened.train_bytes, 1000u);
  EXPECT_EQ(opened.train_tokens, 500u);
  EXPECT_EQ(opened.heldout_tokens, 77u);
}

TEST_F(Service, VectorsGoRoundBitForBit) {
  open_text("c");
  std::vector<float> adapter;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    const auto value = std::bit_cast<float>(i * 42'949u);
    adapter.push_back(std::isfinite(value) ? value : -0.0f);
  }
  const auto done = ask_for<FinetuneDone>(finetune("c", adapter));
  const std::vector<float> back(done.finetuned.adapter.rbegin(), done.finetuned.adapter.rend());
  ASSERT_EQ(back.size(), adapter.size());
  EXPECT_EQ(std::memcmp(back.data(), adapter.data(), adapter.size() * sizeof(float)), 0);
}

TEST_F(Service, EvaluatesAndTeaches) {
  open_text("c");
  const auto evaluation =
      ask_for<EvaluateDone>(Evaluate{RequestId{2}, Slot::kSlm, "c", true, {}, {1, 2, 4}, 32, 0})
          .evaluation;
  EXPECT_EQ(evaluation.tokens, 3u);
  EXPECT_EQ(evaluation.bytes, 17u);
  EXPECT_EQ(evaluation.nll, 7);
  Teach request{RequestId{3}, {}, {5, 6}, {}, "c"};
  EXPECT_EQ(ask_for<Taught>(std::move(request)).student.adapter, (std::vector<float>{5, 6}));
}

TEST_F(Service, SendsNoAnswerThatIsNoProbability) {
  open_text("c");
  const auto ask = [](std::vector<float> adapter) {
    return Answer{RequestId{4},        Slot::kSlm,      "c", {}, std::move(adapter),
                  text_file("q", "?"), {1, 0.5f, 0.25f}};
  };
  EXPECT_EQ(ask_for<Answered>(ask({0, 1})).values, (std::vector<float>{0, 1, 1, 0.5f, 0.25f}));
  for (const float wrong : {-0.5f, 1.5f, std::nanf("")})
    EXPECT_NE(ask_for<Failed>(ask({wrong})).error.what.find("no probability"), std::string::npos);
}

TEST_F(Service, SendsProgressAtMostFourTimesASecond) {
  open_text("c");
  ask_for<FinetuneDone>(finetune("c", {}));  // ten reports, 100 ms apart
  ASSERT_EQ(progress_.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(progress_[i].id, RequestId{60});
    EXPECT_EQ(progress_[i].done, 1 + 3 * i);
    EXPECT_EQ(progress_[i].total, 10u);
  }
}

TEST_F(Service, PassesOnWhatTheBackendRefuses) {
  const auto failed = ask_for<Failed>(finetune("never opened", {}));
  EXPECT_EQ(failed.error.code, Code::kBadInput);
  EXPECT_EQ(failed.error.what, "no corpus \"never opened\" is open");
}

TEST_F(Service, OutlivesExceptions) {
  const auto thrown = ask_for<Failed>(finetune("throws", {}));
  EXPECT_NE(thrown.error.what.find("thrown on purpose"), std::string::npos);
  const auto starved = ask_for<Failed>(finetune("starves", {}));
  EXPECT_EQ(starved.error.code, Code::kNoSpace);
  expect_alive();
}

TEST_F(Service, SendsNoNaN) {
  const auto diverged = ask_for<Failed>(finetune("diverges", {1, 2}));
  EXPECT_NE(diverged.error.what.find("NaN"), std::string::npos);
  open_text("c");
  Evaluate request{
      RequestId{2}, Slot::kSlm, "c", true, {}, {std::numeric_limits<float>::infinity()}, 32, 0};
  const auto broken = ask_for<Failed>(std::move(request));
  EXPECT_NE(broken.error.what.find("NaN"), std::string::npos);
}

TEST_F(Service, OutlivesFramesThatMeanNothing) {
  for (const char* header : {"{", "no json", "[]", "{}", "{\"kind\":\"fly\",\"id\":1}",
                             "{\"kind\":\"finetune\"}", "{\"kind\":\"model_loaded\",\"id\":1}"}) {
    say(header);
    const TrainerReply reply = hear();
    ASSERT_TRUE(std::holds_alternative<Failed>(reply)) << header;
    EXPECT_EQ(std::get<Failed>(reply).error.code, Code::kBadInput) << header;
  }
  expect_alive();
}

TEST_F(Service, SaysWhichRequestItCouldNotRead) {
  say("{\"kind\":\"finetune\",\"id\":4711}");
  EXPECT_EQ(id_of(hear()), RequestId{4711});
}

TEST_F(Service, RefusesAMissingDescriptorAndAShortVector) {
  Result<std::vector<TrainerFrame>> frames = encode(TrainerRequest(finetune("c", {1, 2, 3})));
  ASSERT_TRUE(frames);
  say(frames->front().header);
  EXPECT_NE(std::get<Failed>(hear()).error.what.find("descriptor is missing"), std::string::npos);
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(*sealed_vector({1, 2})));
  say(frames->front().header, std::move(fds));
  EXPECT_NE(std::get<Failed>(hear()).error.what.find("12 bytes was announced"), std::string::npos);
  expect_alive();
}

TEST_F(Service, RefusesAFrameOverTheLimit) {
  say(std::string(limits::kTrainerHeaderBytesMax, ' '));
  EXPECT_EQ(std::get<Failed>(hear()).error.code, Code::kBadInput);
  expect_alive();
}

TEST_F(Service, EndsInOrderWhenTheDaemonHangsUp) {
  open_text("c");
  EXPECT_EQ(hang_up(), 0);
}

}  // namespace
}  // namespace freshet
