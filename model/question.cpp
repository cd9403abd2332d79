#include "model/question.h"

#include <algorithm>
#include <string>

#include "base/fields.h"
#include "base/limits.h"

namespace freshet {
namespace {

constexpr std::string_view kMagic = "freshet/question/v1";

tl::unexpected<Error> wrong(const std::string& what) {
  return fail(Code::kBadInput,
              "a question " + what + ": make it again with `freshet model question`");
}

bool has_twice(std::span<const TokenId> row, std::vector<TokenId>& sorted) {
  sorted.assign(row.begin(), row.end());
  std::sort(sorted.begin(), sorted.end());
  return std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
}

Result<void> check_shape(const Question& question) {
  const auto within = [](std::int64_t value, std::int64_t low, std::int64_t high) {
    return value >= low && value <= high;
  };
  if (!within(question.vocab, 1, limits::kVocabularyMax) ||
      !within(question.window, 2, limits::kTrainingWindowMax) ||
      !within(question.candidates, 1, std::min(question.vocab, limits::kDistillationTopKMax)))
    return wrong("of " + std::to_string(question.candidates) + " candidates in windows of " +
                 std::to_string(question.window) + " for a vocabulary of " +
                 std::to_string(question.vocab) + " is none");
  const std::size_t rows = question.rows(),
                    entries = rows * (static_cast<std::size_t>(question.candidates) + 1);
  if (rows == 0 || rows % static_cast<std::size_t>(question.window) != 0 ||
      rows > limits::kVectorEntriesMax || entries > limits::kVectorEntriesMax)
    return wrong("of " + std::to_string(rows) + " tokens in windows of " +
                 std::to_string(question.window) + " is none");
  if (question.next.size() != rows ||
      question.candidate_ids.size() != rows * static_cast<std::size_t>(question.candidates))
    return wrong("of " + std::to_string(rows) + " tokens has " +
                 std::to_string(question.candidate_ids.size()) + " candidates; they do not fit");
  return {};
}

void put_ids(FieldWriter& writer, const std::vector<TokenId>& ids) {
  for (const TokenId id : ids) writer.number(static_cast<std::uint32_t>(id));
}

std::vector<TokenId> take_ids(FieldReader& reader, std::size_t count) {
  std::vector<TokenId> ids;
  if (reader.left() / sizeof(std::uint32_t) < count) return ids;  // check_shape() says so
  ids.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    ids.push_back(static_cast<TokenId>(reader.number<std::uint32_t>()));
  return ids;
}

}  // namespace

Result<void> check_question(const Question& question) {
  TRY(check_shape(question));
  const auto foreign = [&](TokenId id) { return id < 0 || id >= question.vocab; };
  const auto foreign_next = [&](TokenId id) { return id < -1 || id >= question.vocab; };
  if (std::any_of(question.ids.begin(), question.ids.end(), foreign) ||
      std::any_of(question.next.begin(), question.next.end(), foreign_next) ||
      std::any_of(question.candidate_ids.begin(), question.candidate_ids.end(), foreign))
    return wrong("names a token outside its vocabulary of " + std::to_string(question.vocab));
  const auto size = static_cast<std::size_t>(question.candidates);
  std::vector<TokenId> sorted;
  for (std::size_t at = 0; at < question.candidate_ids.size(); at += size)
    if (has_twice(std::span(question.candidate_ids).subspan(at, size), sorted))
      return wrong("has a candidate twice for token " + std::to_string(at / size));
  return {};
}

Bytes canonical_bytes(const Question& question) {
  FieldWriter writer;
  writer.fixed(as_bytes(kMagic)).number(static_cast<std::uint32_t>(question.vocab));
  writer.number(static_cast<std::uint32_t>(question.window));
  writer.number(static_cast<std::uint32_t>(question.candidates));
  writer.number(static_cast<std::uint32_t>(question.rows()));
  put_ids(writer, question.ids);
  put_ids(writer, question.next);
  put_ids(writer, question.candidate_ids);
  return writer.take();
}

Result<Question> read_question(ByteView bytes) {
  FieldReader reader(bytes);
  if (as_text(reader.fixed(kMagic.size())) != kMagic)
    return wrong("file begins otherwise than one does");
  Question question;
  const auto small = [&reader] {
    return static_cast<int>(std::min(reader.number<std::uint32_t>(), 1u << 30));
  };
  question.vocab = small();
  question.window = small();
  question.candidates = small();
  const std::size_t rows = reader.number<std::uint32_t>();
  if (reader.failed() || rows > limits::kVectorEntriesMax ||
      question.candidates > limits::kDistillationTopKMax)
    return wrong("file is too short, or asks for more than there may be");
  question.ids = take_ids(reader, rows);
  question.next = take_ids(reader, rows);
  question.candidate_ids = take_ids(reader, rows * static_cast<std::size_t>(question.candidates));
  if (!reader.done()) return wrong("file has another length than it says");
  TRY(check_question(question));
  return question;
}

Layout answer_layout(std::uint32_t rows, std::uint32_t candidates) {
  Layout layout;
  layout.entries.push_back(
      {"answers", Factor::kB, static_cast<int>(rows), static_cast<int>(candidates + 1), 0});
  layout.size = layout.entries.front().size();
  return layout;
}

}  // namespace freshet
