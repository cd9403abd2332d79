#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "base/limits.h"
#include "model/process/trainer_messages.h"
#include "tests/trainer/memory_files.h"

namespace freshet {
namespace {

constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();

// Every bit pattern that a float can have and arithmetic would change.
std::vector<float> odd_floats() {
  return {0.0f,
          -0.0f,
          1.0f,
          std::numeric_limits<float>::denorm_min(),
          std::numeric_limits<float>::max(),
          std::numeric_limits<float>::infinity(),
          -std::numeric_limits<float>::infinity(),
          std::nanf("12345")};
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

Result<TrainerRequest> passed_on(TrainerRequest request) {
  TRY_ASSIGN(std::vector<TrainerFrame> frames, encode(std::move(request)));
  RequestDecoder decoder;
  std::optional<TrainerRequest> read;
  for (TrainerFrame& frame : frames) {
    if (read) return fail(Code::kBadInput, "a frame after the request");
    TRY_ASSIGN(read, decoder.take(std::move(frame)));
  }
  if (!read) return fail(Code::kBadInput, "no request after its frames");
  return std::move(*read);
}

template <class Message>
Message passed_on_as(TrainerRequest request) {
  Result<TrainerRequest> read = passed_on(std::move(request));
  EXPECT_TRUE(read) << read.error().what;
  if (!read || !std::holds_alternative<Message>(*read)) return Message{};
  return std::get<Message>(std::move(*read));
}

template <class Message>
Message answered_as(TrainerReply reply) {
  Result<TrainerFrame> frame = encode(std::move(reply));
  EXPECT_TRUE(frame) << frame.error().what;
  Result<TrainerReply> read = decode_reply(std::move(*frame));
  EXPECT_TRUE(read) << read.error().what;
  if (!read || !std::holds_alternative<Message>(*read)) return Message{};
  return std::get<Message>(std::move(*read));
}

// The one-frame form of a request, to be broken.
TrainerFrame frame_of(TrainerRequest request) {
  Result<std::vector<TrainerFrame>> frames = encode(std::move(request));
  EXPECT_TRUE(frames) << frames.error().what;
  return std::move(frames->front());
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from << " in " << text;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

Finetune a_finetune() {
  Finetune request{RequestId{7}, Slot::kSlm, "private", {}, {1, 2, 3}};
  request.plan.seed = 5;
  return request;
}

std::string refusal(TrainerFrame frame) {
  RequestDecoder decoder;
  const auto taken = decoder.take(std::move(frame));
  if (taken) return "accepted";
  EXPECT_EQ(taken.error().code, Code::kBadInput);
  return taken.error().what;
}

TEST(TrainerMessages, LoadModelKeepsItsFilesApart) {
  const auto read =
      passed_on_as<LoadModel>(LoadModel{RequestId{kHuge}, Slot::kLlm, toy_model_files(), 3});
  EXPECT_EQ(read.id.value, kHuge);
  EXPECT_EQ(read.slot, Slot::kLlm);
  EXPECT_EQ(read.threads, 3);
  ASSERT_EQ(read.files.weights.size(), 1u);
  EXPECT_EQ(read.files.weights.front().name, "model.safetensors");
  EXPECT_FALSE(read.files.is_gguf());
  EXPECT_EQ(as_text(MappedFile::of(read.files.config.fd, "c")->view()), "{ }");
  EXPECT_EQ(as_text(MappedFile::of(read.files.tokenizer.fd, "t")->view()), "12345");
  EXPECT_EQ(as_text(MappedFile::of(read.files.weights.front().fd, "w")->view()), "1234567");
  for (const OpenFile* file : {&read.files.index, &read.files.tokenizer_config,
                               &read.files.generation_config, &read.files.chat_template})
    EXPECT_FALSE(file->fd);
}

TEST(TrainerMessages, LoadModelCarriesShardsAndWhatStandsBesideThem) {
  ModelFiles files = toy_model_files();
  files.weights.push_back(text_file("second.safetensors", "2"));
  files.index = text_file("model.safetensors.index.json", "index");
  files.chat_template = text_file("chat_template.jinja", "template");
  const auto read =
      passed_on_as<LoadModel>(LoadModel{RequestId{1}, Slot::kSlm, std::move(files), 1});
  ASSERT_EQ(read.files.weights.size(), 2u);
  EXPECT_EQ(read.files.weights[1].name, "second.safetensors");
  EXPECT_EQ(as_text(MappedFile::of(read.files.weights[1].fd, "w")->view()), "2");
  EXPECT_EQ(as_text(MappedFile::of(read.files.index.fd, "i")->view()), "index");
  EXPECT_EQ(as_text(MappedFile::of(read.files.chat_template.fd, "t")->view()), "template");
  EXPECT_FALSE(read.files.tokenizer_config.fd);
}

TEST(TrainerMessages, LoadModelOfAGgufHasNoConfig) {
  ModelFiles files;
  files.weights.push_back(text_file("model.gguf", "GGUF"));
  const auto read =
      passed_on_as<LoadModel>(LoadModel{RequestId{1}, Slot::kSlm, std::move(files), 1});
  EXPECT_TRUE(read.files.is_gguf());
  EXPECT_EQ(read.files.weights.size(), 1u);
}

TEST(TrainerMessages, FinetuneComesBackBitForBit) {
  Finetune request{RequestId{1}, Slot::kLlm, "a corpus", {}, odd_floats()};
  request.plan = {{3, 0.1f, {"q_proj", "v_proj"}}, true, false, true, 11, 12, 13, 5e-3f, kHuge};
  request.plan.examples = {1.25, 0.1f, {4, 5}, {6, 7}};
  const auto read = passed_on_as<Finetune>(request);
  EXPECT_EQ(read.slot, Slot::kLlm);
  EXPECT_EQ(read.corpus, "a corpus");
  EXPECT_EQ(read.plan.adapter, request.plan.adapter);
  EXPECT_TRUE(read.plan.train_a);
  EXPECT_FALSE(read.plan.train_b);
  EXPECT_TRUE(read.plan.train_core);
  EXPECT_EQ(read.plan.steps, 11);
  EXPECT_EQ(read.plan.batch, 12);
  EXPECT_EQ(read.plan.window, 13);
  EXPECT_EQ(read.plan.lr, 5e-3f);
  EXPECT_EQ(read.plan.seed, kHuge);
  EXPECT_EQ(read.plan.examples.multiplier, 1.25);
  EXPECT_EQ(read.plan.examples.clip, 0.1f);
  EXPECT_EQ(read.plan.examples.text, request.plan.examples.text);
  EXPECT_EQ(read.plan.examples.key, request.plan.examples.key);
  EXPECT_TRUE(same_bits(read.adapter, odd_floats()));
}

TEST(TrainerMessages, EvaluateAndTeachComeBack) {
  const AdapterSpec spec{
      4, 2, {"o_proj"}, true, {{"model.layers.0", 3}, {"q_proj", 9}}, {{"v_proj", 0.5f}}, {0, 7}};
  const auto evaluate =
      passed_on_as<Evaluate>(Evaluate{RequestId{2}, Slot::kSlm, "c", false, spec, {}, 99, kHuge});
  EXPECT_FALSE(evaluate.heldout);
  EXPECT_EQ(evaluate.spec, spec);
  EXPECT_TRUE(evaluate.adapter.empty());
  EXPECT_EQ(evaluate.window, 99);
  EXPECT_EQ(evaluate.tokens_max, kHuge);

  Teach request{RequestId{3}, {4, 2, {}}, odd_floats(), {}, "public"};
  const AdapterSpec lora{16, 8, {"k_proj"}};
  request.plan = {lora, false, true, true, 5,     6,    7,      3,     21,   22,
                  23,   0.25f, 20,   2.5f, 0.75f, 0.125f, false, 0.5f, 3, 9};
  request.question = text_file("question", "of a campaign");
  request.answers = {0.5f, 0.25f};
  const TeachPlan plan = request.plan;
  const auto teach = passed_on_as<Teach>(std::move(request));
  EXPECT_EQ(teach.teacher_spec, (AdapterSpec{4, 2, {}}));
  EXPECT_TRUE(same_bits(teach.teacher_adapter, odd_floats()));
  EXPECT_EQ(teach.plan, plan);
  EXPECT_EQ(teach.corpus, "public");
  EXPECT_TRUE(teach.question.fd);
  EXPECT_EQ(teach.answers, (std::vector<float>{0.5f, 0.25f}));
}

TEST(TrainerMessages, AnswerAndAnsweredComeBack) {
  const auto answer = passed_on_as<Answer>(Answer{RequestId{4},
                                                  Slot::kLlm,
                                                  "own",
                                                  {4, 2, {}},
                                                  odd_floats(),
                                                  text_file("question", "?"),
                                                  {2, 16, 0.5f}});
  EXPECT_EQ(answer.slot, Slot::kLlm);
  EXPECT_EQ(answer.corpus, "own");
  EXPECT_EQ(answer.spec, (AdapterSpec{4, 2, {}}));
  EXPECT_TRUE(same_bits(answer.adapter, odd_floats()));
  EXPECT_TRUE(answer.question.fd);
  EXPECT_EQ(answer.terms.temperature, 2);
  EXPECT_EQ(answer.terms.slope, 16);
  EXPECT_EQ(answer.terms.full, 0.5f);
}

TEST(TrainerMessages, RepliesComeBack) {
  ModelLoaded loaded{RequestId{1}, Slot::kLlm, {}, kHuge, {}};
  loaded.config = {.architecture = Architecture::kQwen3,
                   .vocab_size = 1,
                   .hidden_size = 2,
                   .intermediate_size = 3,
                   .layers = 4,
                   .heads = 5,
                   .kv_heads = 6,
                   .head_dim = 7,
                   .max_positions = 8,
                   .norm_eps = 1e-6f,
                   .rope_theta = 5e5,
                   .rope = {RopeScaling::Kind::kLlama3, 8, 1.5, 4.5, 99},
                   .tied_embeddings = true,
                   .qkv_bias = true,
                   .output_bias = true,
                   .mlp_bias = true,
                   .qk_norm = true,
                   .windows = {0, 10, 0, 11},
                   .bos_id = -1,
                   .eos_ids = {9, 12}};
  loaded.digest[31] = 0xab;
  const auto model = answered_as<ModelLoaded>(loaded);
  EXPECT_EQ(model.slot, Slot::kLlm);
  EXPECT_EQ(model.config, loaded.config);
  EXPECT_EQ(model.parameters, kHuge);
  EXPECT_EQ(model.digest, loaded.digest);

  const auto text = answered_as<TextOpened>(
      TextOpened{RequestId{2}, 10, 20, 30, 40, 50, {6}, 60, {1, 2, 3, 4, 5, 6, 7}});
  EXPECT_EQ(text.train_examples, 50u);
  EXPECT_EQ(text.train_text, Digest{6});
  EXPECT_EQ(text.dropped, 60u);
  EXPECT_EQ(text.personal, (PersonalCounts{1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(
      std::vector({text.train_bytes, text.heldout_bytes, text.train_tokens, text.heldout_tokens}),
      (std::vector<std::uint64_t>{10, 20, 30, 40}));
  const auto done =
      answered_as<FinetuneDone>(FinetuneDone{RequestId{3}, {odd_floats(), 1.5f, 0.1f, 2.25}});
  EXPECT_TRUE(same_bits(done.finetuned.adapter, odd_floats()));
  EXPECT_EQ(done.finetuned.first_loss, 1.5f);
  EXPECT_EQ(done.finetuned.last_loss, 0.1f);
  EXPECT_EQ(done.finetuned.seconds, 2.25);
  EXPECT_EQ(answered_as<Answered>(Answered{RequestId{6}, {0.25f, 0.5f}}).values,
            (std::vector<float>{0.25f, 0.5f}));
  const auto student = answered_as<Taught>(Taught{RequestId{4}, {{8, 9}, 3, 2, 1}});
  EXPECT_EQ(student.student.adapter, (std::vector<float>{8, 9}));
  const auto evaluation =
      answered_as<EvaluateDone>(EvaluateDone{RequestId{5}, {6, 7, 0.1}}).evaluation;
  EXPECT_EQ(evaluation.tokens, 6u);
  EXPECT_EQ(evaluation.bytes, 7u);
  EXPECT_EQ(evaluation.nll, 0.1);
  EXPECT_EQ(answered_as<Progress>(Progress{RequestId{6}, 3, 4}).total, 4u);
  for (Code code : {Code::kBadInput, Code::kRefused, Code::kUnavailable, Code::kExpired,
                    Code::kNoSpace, Code::kCorrupt}) {
    const auto failed = answered_as<Failed>(Failed{RequestId{7}, {code, "why \"\xff\""}});
    EXPECT_EQ(failed.error.code, code);
    EXPECT_EQ(failed.error.what, "why \"\xef\xbf\xbd\"");
  }
}

TEST(TrainerMessages, LongErrorsAreCut) {
  const auto failed =
      answered_as<Failed>(Failed{RequestId{1}, {Code::kBadInput, std::string(1'000'000, 'x')}});
  EXPECT_EQ(failed.error.what.size(), limits::kTextBytesMax);
}

TEST(TrainerMessages, ATextOfManyFilesKeepsTheirOrder) {
  OpenText request{RequestId{1}, "c", {}, 0.25, 64, Slot::kSlm};
  request.salt = "salt";
  request.personal = PersonalAction::kDrop;
  for (int i = 0; i < 300; ++i)
    request.files.push_back(text_file(std::to_string(i) + ".txt", std::to_string(i)));
  const auto read = passed_on_as<OpenText>(std::move(request));
  ASSERT_EQ(read.files.size(), 300u);
  EXPECT_EQ(read.heldout_share, 0.25);
  EXPECT_EQ(read.salt, "salt");
  EXPECT_EQ(read.personal, PersonalAction::kDrop);
  for (int i = 0; i < 300; ++i) {
    const OpenFile& file = read.files[static_cast<std::size_t>(i)];
    EXPECT_EQ(file.name, std::to_string(i) + ".txt");
    EXPECT_EQ(as_text(MappedFile::of(file.fd, file.name)->view()), std::to_string(i));
  }
}

TEST(TrainerMessages, FileNamesOfAnyBytesFit) {
  OpenText request{RequestId{1}, "c", {}, 0.1, 64, Slot::kSlm};
  for (std::size_t i = 0; i < limits::kTrainerFrameFilesMax; ++i)
    request.files.push_back(
        text_file(std::string(4000, i % 2 == 0 ? '\x01' : '\xff') + ".txt", ""));
  const auto read = passed_on_as<OpenText>(std::move(request));
  ASSERT_EQ(read.files.size(), limits::kTrainerFrameFilesMax);
  EXPECT_TRUE(read.files[0].name.ends_with("??.txt"));
  EXPECT_TRUE(read.files[1].name.ends_with("\xbd.txt"));
}

TEST(TrainerMessages, PartsOfOneTextAreNotTakenForAnother) {
  const auto text = [](std::uint64_t id) {
    OpenText request{RequestId{id}, "c", {}, 0.1, 64, Slot::kSlm};
    for (int i = 0; i < 200; ++i) request.files.push_back(text_file("a.txt", ""));
    return std::move(*encode(std::move(request)));
  };
  auto first = text(1), second = text(2), third = text(3);
  ASSERT_EQ(first.size(), 2u);
  RequestDecoder decoder;
  EXPECT_TRUE(decoder.take(std::move(first[0])));
  EXPECT_FALSE(decoder.take(std::move(second[1])));
  EXPECT_EQ(decoder.id().value, 2u);
  EXPECT_TRUE(decoder.take(std::move(second[0])));
  EXPECT_FALSE(decoder.take(std::move(third[0])));
  // What was gathered went with the error.
  const auto last = decoder.take(std::move(third[1]));
  ASSERT_TRUE(last && *last);
  EXPECT_EQ(std::get<OpenText>(**last).files.size(), 72u);
}

TEST(TrainerMessages, WritesNothingOutOfBounds) {
  const auto written = [](const std::function<void(Finetune&)>& spoil) {
    Finetune request = a_finetune();
    spoil(request);
    return encode(TrainerRequest(request)).has_value();
  };
  const std::vector<std::string> targets(limits::kAdapterTargetsMax + 1, "q_proj");
  EXPECT_FALSE(written([](Finetune& f) { f.plan.steps = 0; }));
  EXPECT_FALSE(written([](Finetune& f) { f.plan.lr = std::nanf(""); }));
  EXPECT_FALSE(written([](Finetune& f) { f.corpus.assign(limits::kTrainerNameBytesMax + 1, 'x'); }));
  EXPECT_FALSE(written([&](Finetune& f) { f.plan.adapter.targets = targets; }));
  OpenText text{RequestId{1}, "c", {}, 0.1, 64, Slot::kSlm};
  text.files.push_back({"closed.txt", UniqueFd()});
  EXPECT_FALSE(encode(TrainerRequest(std::move(text))));
  EXPECT_TRUE(encode(TrainerRequest(a_finetune())));
}

TEST(TrainerMessages, BrokenHeadersAreRefused) {
  const std::string good = frame_of(a_finetune()).header;
  const auto with = [&](std::string_view from, std::string_view to) {
    return refusal({replaced(good, from, to), std::move(frame_of(a_finetune()).fds)});
  };
  EXPECT_EQ(with("\"rank\":8", "\"rank\":9"), "accepted");
  for (const char* rank :
       {"0", "1025", "-1", "1e300", "8.5", "\"8\"", "null", "true", "[8]", "18446744073709551615"})
    EXPECT_NE(with("\"rank\":8", std::string("\"rank\":") + rank).find("\"rank\""),
              std::string::npos)
        << rank;
  for (const char* seed : {"-1", "1.5", "1e30", "18446744073709551616"})
    EXPECT_NE(with("\"seed\":5", std::string("\"seed\":") + seed), "accepted") << seed;
  for (const char* slot : {"\"SLM\"", "\"\"", "0", "\"slmx\""})
    EXPECT_NE(with("\"slot\":\"slm\"", std::string("\"slot\":") + slot), "accepted") << slot;
  EXPECT_NE(with("\"seed\"", "\"sead\""), "accepted");
  EXPECT_NE(with("\"kind\":\"finetune\"", "\"kind\":\"finetune_done\""), "accepted");
  EXPECT_NE(with("\"kind\":\"finetune\"", "\"kind\":7"), "accepted");
  EXPECT_NE(refusal({good.substr(0, good.size() / 2), {}}), "accepted");
  EXPECT_NE(refusal({"[]", {}}), "accepted");
  EXPECT_NE(refusal({std::string(60'000, '['), {}}), "accepted");
  EXPECT_NE(refusal({std::string("\0\xff", 2), {}}), "accepted");
}

TEST(TrainerMessages, DescriptorsMustMatchTheFields) {
  TrainerFrame frame = frame_of(a_finetune());
  frame.fds.clear();
  EXPECT_NE(refusal(std::move(frame)).find("missing"), std::string::npos);
  frame = frame_of(a_finetune());
  frame.fds.push_back(text_fd(""));
  EXPECT_NE(refusal(std::move(frame)).find("belongs to no field"), std::string::npos);
}

TEST(TrainerMessages, VectorsMustBeSealedAndAsLongAsAnnounced) {
  TrainerFrame frame = frame_of(a_finetune());
  frame.header = replaced(frame.header, "\"adapter\":3", "\"adapter\":4");
  EXPECT_NE(refusal(std::move(frame)).find("16 bytes was announced"), std::string::npos);
  frame = frame_of(a_finetune());
  frame.header = replaced(frame.header, "\"adapter\":3", "\"adapter\":2");
  EXPECT_NE(refusal(std::move(frame)).find("8 bytes was announced"), std::string::npos);
  frame = frame_of(a_finetune());
  frame.header = replaced(frame.header, "\"adapter\":3", "\"adapter\":4611686018427387904");
  EXPECT_NE(refusal(std::move(frame)).find("\"adapter\""), std::string::npos);
  frame = frame_of(a_finetune());
  frame.fds[0] = text_fd("twelve bytes");
  EXPECT_NE(refusal(std::move(frame)).find("sealed"), std::string::npos);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd writing(ends[1]);
  frame = frame_of(a_finetune());
  frame.fds[0] = UniqueFd(ends[0]);
  EXPECT_NE(refusal(std::move(frame)).find("sealed"), std::string::npos);
}

}  // namespace
}  // namespace freshet
