#include "model/process/trainer_messages.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <utility>

#include "base/lesson_limits.h"
#include "base/limits.h"
#include "model/process/model_fields.h"
#include "model/process/trainer_fields.h"

namespace freshet {
namespace {

constexpr std::uint64_t kAny = std::numeric_limits<std::uint64_t>::max();
// Bounds of a float must be floats: nothing within them is rounded out of them.
constexpr Bounds<double> kFinite{-0x1p100, 0x1p100};
constexpr Bounds<double> kPositive{0, 0x1p100};
constexpr Bounds<int> kWindow{2, 1 << 20};
constexpr std::array<std::string_view, 2> kSlots{"slm", "llm"};
constexpr std::array<std::string_view, 3> kActions{"keep", "mask", "drop"};
constexpr std::size_t kSaltBytesMax = 64;
constexpr std::array<Code, 6> kCodes{Code::kBadInput, Code::kRefused, Code::kUnavailable,
                                     Code::kExpired,  Code::kNoSpace, Code::kCorrupt};

// Files of a text that are more than one frame can carry go ahead of it.
struct TextPart {
  RequestId id;
  std::vector<OpenFile> files;
};

std::string_view kind_of(const TextPart&) { return "text_part"; }
std::string_view kind_of(const LoadModel&) { return "load_model"; }
std::string_view kind_of(const ModelLoaded&) { return "model_loaded"; }
std::string_view kind_of(const OpenText&) { return "open_text"; }
std::string_view kind_of(const TextOpened&) { return "text_opened"; }
std::string_view kind_of(const Finetune&) { return "finetune"; }
std::string_view kind_of(const FinetuneDone&) { return "finetune_done"; }
std::string_view kind_of(const Evaluate&) { return "evaluate"; }
std::string_view kind_of(const EvaluateDone&) { return "evaluate_done"; }
std::string_view kind_of(const Teach&) { return "teach"; }
std::string_view kind_of(const Taught&) { return "taught"; }
std::string_view kind_of(const Answer&) { return "answer"; }
std::string_view kind_of(const Answered&) { return "answered"; }
std::string_view kind_of(const Progress&) { return "progress"; }
std::string_view kind_of(const Failed&) { return "failed"; }

void list(Fields& fields, RequestId& id) { fields.count("id", id.value, kAny); }

void list(Fields& fields, Slot& slot, const char* key) {
  auto index = static_cast<std::size_t>(slot);
  fields.choice(key, index, kSlots);
  slot = static_cast<Slot>(index);
}

constexpr Bounds<int> kSequences{0, limits::kLessonSequencesMax};

void list(Fields& fields, TeachPlan& plan) {
  list(fields, plan.adapter, "");
  fields.flag("of_public", plan.of_public);
  fields.flag("of_written", plan.of_written);
  fields.flag("of_answers", plan.of_answers);
  fields.integer("steps", plan.steps, {1, 1'000'000});
  fields.integer("batch", plan.batch, {1, 4096});
  fields.integer("window", plan.window, kWindow);
  fields.integer("keeping", plan.keeping, {0, 4096});
  fields.integer("public_sequences", plan.public_sequences, kSequences);
  fields.integer("written_sequences", plan.written_sequences, kSequences);
  fields.integer("own_sequences", plan.own_sequences, kSequences);
  fields.real("lr", plan.lr, {0, 10});
  fields.integer("top_k", plan.top_k, {1, 1 << 20});
  fields.real("temperature", plan.temperature, {0x1p-10, 0x1p10});
  fields.real("weight", plan.weight, {0, 1});
  fields.real("weight_end", plan.weight_end, {0, 1});
  fields.flag("shift", plan.shift);
  fields.real("silence", plan.silence, {0, 1});
  fields.real("sharpen", plan.sharpen, {0, 0x1p10});
  fields.count("seed", plan.seed, kAny);
}

void list_corpus(Fields& fields, std::string& name) {
  fields.text("corpus", name, limits::kTrainerNameBytesMax);
}

void list(Fields& fields, Finetuned& finetuned) {
  fields.floats("adapter", finetuned.adapter);
  fields.real("first_loss", finetuned.first_loss, kFinite);
  fields.real("last_loss", finetuned.last_loss, kFinite);
  fields.real("seconds", finetuned.seconds, kPositive);
}

void list(Fields& fields, Digest& digest) {
  std::string hex = to_hex(digest);
  fields.text("digest", hex, 2 * digest.size());
  Result<Digest> read = digest_from_hex(hex);
  if (read)
    digest = *read;
  else
    fields.refuse("digest");
}

// At the end of a character.
void cut(std::string& text) {
  std::size_t end = std::min(text.size(), limits::kTextBytesMax);
  while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
    --end;
  text.resize(end);
}

void list(Fields& fields, Error& error) {
  auto code = static_cast<std::size_t>(std::find(kCodes.begin(), kCodes.end(), error.code) -
                                       kCodes.begin());
  std::array<std::string_view, kCodes.size()> names;
  std::transform(kCodes.begin(), kCodes.end(), names.begin(),
                 [](Code each) { return name_of(each); });
  fields.choice("code", code, names);
  error.code = kCodes[code];
  cut(error.what);
  fields.text("what", error.what, 3 * limits::kTextBytesMax);
}

void list(Fields& fields, TextPart& part) {
  list(fields, part.id);
  fields.files("files", part.files);
}

// A file that may be missing travels as a list of none or one.
void list_optional(Fields& fields, const char* key, OpenFile& file) {
  std::vector<OpenFile> files;
  if (file.fd) files.push_back(std::move(file));
  fields.files(key, files);
  if (files.size() > 1) return fields.refuse(key);
  file = files.empty() ? OpenFile{} : std::move(files.front());
}

void list(Fields& fields, LoadModel& request) {
  list(fields, request.id);
  list(fields, request.slot, "slot");
  list_optional(fields, "config", request.files.config);
  list_optional(fields, "tokenizer", request.files.tokenizer);
  fields.files("weights", request.files.weights);
  list_optional(fields, "index", request.files.index);
  list_optional(fields, "tokenizer_config", request.files.tokenizer_config);
  list_optional(fields, "generation_config", request.files.generation_config);
  list_optional(fields, "chat_template", request.files.chat_template);
  fields.integer("threads", request.threads, {0, 1024});
}

void list(Fields& fields, ModelLoaded& reply) {
  list(fields, reply.id);
  list(fields, reply.slot, "slot");
  list(fields, reply.config);
  fields.count("parameters", reply.parameters, kAny);
  list(fields, reply.digest);
}

void list(Fields& fields, OpenText& request) {
  list(fields, request.id);
  list_corpus(fields, request.corpus);
  fields.files("files", request.files);
  fields.real("heldout_share", request.heldout_share, {0, 0.95});
  fields.integer("window", request.window, kWindow);
  list(fields, request.slot, "slot");
  fields.text("salt", request.salt, kSaltBytesMax);
  auto action = static_cast<std::size_t>(request.personal);
  fields.choice("personal", action, kActions);
  request.personal = static_cast<PersonalAction>(action);
}

void list(Fields& fields, TextOpened& reply) {
  list(fields, reply.id);
  fields.count("train_bytes", reply.train_bytes, kAny);
  fields.count("heldout_bytes", reply.heldout_bytes, kAny);
  fields.count("train_tokens", reply.train_tokens, kAny);
  fields.count("heldout_tokens", reply.heldout_tokens, kAny);
  fields.count("dropped", reply.dropped, kAny);
  for (std::size_t kind = 0; kind < kPersonalKinds; ++kind)
    fields.count("personal_" + std::to_string(kind), reply.personal[kind], kAny);
}

void list(Fields& fields, Finetune& request) {
  list(fields, request.id);
  list(fields, request.slot, "slot");
  list_corpus(fields, request.corpus);
  list(fields, request.plan.adapter, "");
  fields.flag("train_a", request.plan.train_a);
  fields.flag("train_b", request.plan.train_b);
  fields.flag("train_core", request.plan.train_core);
  fields.integer("steps", request.plan.steps, {1, 1'000'000});
  fields.integer("batch", request.plan.batch, {1, 4096});
  fields.integer("window", request.plan.window, kWindow);
  fields.real("lr", request.plan.lr, {0, 10});
  fields.count("seed", request.plan.seed, kAny);
  fields.floats("adapter", request.adapter);
}

void list(Fields& fields, FinetuneDone& reply) {
  list(fields, reply.id);
  list(fields, reply.finetuned);
}

void list(Fields& fields, Evaluate& request) {
  list(fields, request.id);
  list(fields, request.slot, "slot");
  list_corpus(fields, request.corpus);
  fields.flag("heldout", request.heldout);
  list(fields, request.spec, "");
  fields.floats("adapter", request.adapter);
  fields.integer("window", request.window, kWindow);
  fields.count("tokens_max", request.tokens_max, kAny);
}

void list(Fields& fields, EvaluateDone& reply) {
  list(fields, reply.id);
  fields.count("tokens", reply.evaluation.tokens, kAny);
  fields.count("bytes", reply.evaluation.bytes, kAny);
  fields.real("nll", reply.evaluation.nll, kPositive);
}

void list(Fields& fields, Teach& request) {
  list(fields, request.id);
  list(fields, request.teacher_spec, "teacher_");
  fields.floats("teacher_adapter", request.teacher_adapter);
  list(fields, request.plan);
  list_corpus(fields, request.corpus);
  list_optional(fields, "question", request.question);
  fields.floats("answers", request.answers);
}

void list(Fields& fields, Taught& reply) {
  list(fields, reply.id);
  list(fields, reply.student);
}

void list(Fields& fields, Answer& request) {
  list(fields, request.id);
  list(fields, request.slot, "slot");
  list_corpus(fields, request.corpus);
  list(fields, request.spec, "");
  fields.floats("adapter", request.adapter);
  fields.file("question", request.question);
  fields.real("temperature", request.terms.temperature, {0x1p-10, 0x1p10});
  fields.real("slope", request.terms.slope, {0, 1000});
  fields.real("full", request.terms.full, {-100, 100});
}

void list(Fields& fields, Answered& reply) {
  list(fields, reply.id);
  fields.floats("values", reply.values);
}

void list(Fields& fields, Progress& reply) {
  list(fields, reply.id);
  fields.count("done", reply.done, kAny);
  fields.count("total", reply.total, kAny);
}

void list(Fields& fields, Failed& reply) {
  list(fields, reply.id);
  list(fields, reply.error);
}

template <class Message>
Result<TrainerFrame> write(Message& message) {
  return write_frame(kind_of(message), [&](Fields& fields) { list(fields, message); });
}

template <class Message>
Result<Message> read(FrameReader& reader) {
  Message message{};
  TRY(reader.read([&](Fields& fields) { list(fields, message); }));
  return message;
}

Error unknown_kind(const FrameReader& reader) {
  return {Code::kBadInput,
          "trainer message: unknown kind \"" + std::string(reader.kind()).substr(0, 64) + "\""};
}

// The alternative of Variant whose kind the frame says.
template <class Variant, std::size_t I = 0>
Result<Variant> read_any(FrameReader& reader) {
  if constexpr (I == std::variant_size_v<Variant>) {
    return tl::unexpected(unknown_kind(reader));
  } else {
    using Message = std::variant_alternative_t<I, Variant>;
    if (reader.kind() != kind_of(Message{})) return read_any<Variant, I + 1>(reader);
    TRY_ASSIGN(Message message, read<Message>(reader));
    return Variant(std::move(message));
  }
}

// Moves all but the last frame's worth of files out of the request, into frames of their own.
Result<void> split_off(OpenText& request, std::vector<TrainerFrame>& frames) {
  if (request.files.size() > limits::kTextFilesMax)
    return fail(Code::kBadInput, "a text of " + std::to_string(request.files.size()) +
                                     " files; at most " + std::to_string(limits::kTextFilesMax) +
                                     " can be opened: join some of them");
  auto next = request.files.begin();
  while (static_cast<std::size_t>(request.files.end() - next) > limits::kTrainerFrameFilesMax) {
    const auto end = next + static_cast<std::ptrdiff_t>(limits::kTrainerFrameFilesMax);
    TextPart part{request.id, {}};
    std::move(next, end, std::back_inserter(part.files));
    next = end;
    TRY_ASSIGN(TrainerFrame frame, write(part));
    frames.push_back(std::move(frame));
  }
  request.files.erase(request.files.begin(), next);
  return {};
}

}  // namespace

std::string_view name_of(Slot slot) { return kSlots[static_cast<std::size_t>(slot)]; }

RequestId id_of(const TrainerRequest& request) {
  return std::visit([](const auto& each) { return each.id; }, request);
}

RequestId id_of(const TrainerReply& reply) {
  return std::visit([](const auto& each) { return each.id; }, reply);
}

Result<std::vector<TrainerFrame>> encode(TrainerRequest request) {
  std::vector<TrainerFrame> frames;
  if (auto* text = std::get_if<OpenText>(&request)) TRY(split_off(*text, frames));
  TRY_ASSIGN(TrainerFrame last, std::visit([](auto& each) { return write(each); }, request));
  frames.push_back(std::move(last));
  return frames;
}

Result<TrainerFrame> encode(TrainerReply reply) {
  return std::visit([](auto& each) { return write(each); }, reply);
}

Result<std::optional<TrainerRequest>> RequestDecoder::take(TrainerFrame frame) {
  std::vector<OpenFile> gathered = std::move(gathered_);
  gathered_.clear();
  id_ = {};
  TRY_ASSIGN(FrameReader reader, FrameReader::parse(std::move(frame)));
  id_ = RequestId{reader.id()};
  if (reader.kind() == kind_of(TextPart{})) {
    TRY_ASSIGN(TextPart part, read<TextPart>(reader));
    if (!gathered.empty() && part.id != gathering_)
      return fail(Code::kBadInput, "trainer message: the parts of two texts are mixed");
    if (gathered.size() + part.files.size() > limits::kTextFilesMax)
      return fail(Code::kBadInput, "trainer message: a text of too many files");
    std::move(part.files.begin(), part.files.end(), std::back_inserter(gathered));
    gathered_ = std::move(gathered);
    gathering_ = part.id;
    return std::nullopt;
  }
  TRY_ASSIGN(TrainerRequest request, read_any<TrainerRequest>(reader));
  if (gathered.empty()) return request;
  auto* text = std::get_if<OpenText>(&request);
  if (text == nullptr || text->id != gathering_)
    return fail(Code::kBadInput, "trainer message: parts of a text without the text");
  std::move(text->files.begin(), text->files.end(), std::back_inserter(gathered));
  text->files = std::move(gathered);
  return request;
}

Result<TrainerReply> decode_reply(TrainerFrame frame) {
  TRY_ASSIGN(FrameReader reader, FrameReader::parse(std::move(frame)));
  return read_any<TrainerReply>(reader);
}

}  // namespace freshet
