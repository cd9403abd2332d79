#include "trainer/adaptation/lesson.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"

namespace freshet {
namespace {

std::size_t at_of(std::int64_t row, int size) {
  return static_cast<std::size_t>(row) * static_cast<std::size_t>(size);
}

// The ids of the `count` largest entries, largest first; ties go to the lower id.
void largest(const float* z, int vocab, int count, std::vector<TokenId>& order) {
  order.resize(static_cast<std::size_t>(vocab));
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + count, order.end(),
                    [&](TokenId a, TokenId b) { return z[a] > z[b] || (z[a] == z[b] && a < b); });
}

struct Normalizer {
  float highest;
  double sum;
  double of(float z, float temperature) const {
    return std::exp((z - highest) / temperature) / sum;
  }
};

Normalizer normalizer(const float* z, int vocab, float temperature) {
  Normalizer result{*std::max_element(z, z + vocab), 0};
  for (int i = 0; i < vocab; ++i) result.sum += std::exp((z[i] - result.highest) / temperature);
  return result;
}

float log_prob(const float* z, int vocab, TokenId id) {  // 0 for no id
  if (id < 0) return 0;
  const Normalizer by = normalizer(z, vocab, 1);
  return static_cast<float>(z[id] - by.highest - std::log(by.sum));
}

void say(const float* z, int vocab, float temperature, const TokenId* ids, int size, float* q) {
  const Normalizer by = normalizer(z, vocab, temperature);
  for (int i = 0; i < size; ++i) q[i] = static_cast<float>(by.of(z[ids[i]], temperature));
}

}  // namespace

Result<void> check_lesson(const Lesson& lesson, int vocab) {
  const auto rows = static_cast<std::size_t>(lesson.prompts.rows());
  const std::size_t said = rows * static_cast<std::size_t>(std::max(lesson.candidates.size, 0));
  const auto no_id = [&](TokenId id) { return id < 0 || id >= vocab; };
  const auto no_share = [](float q) { return !(q >= 0.0f && q <= 1.0001f); };
  if (rows == 0 || lesson.prompts.next.size() != rows || lesson.candidates.size < 1 ||
      lesson.candidates.size > vocab || lesson.candidates.ids.size() != said ||
      lesson.answers.q.size() != said || (!lesson.gate.empty() && lesson.gate.size() != rows))
    return fail(Code::kBadInput, "a lesson of " + std::to_string(rows) + " tokens has " +
                                     std::to_string(lesson.candidates.ids.size()) +
                                     " candidates and " + std::to_string(lesson.answers.q.size()) +
                                     " answers; they do not fit");
  if (std::any_of(lesson.prompts.ids.begin(), lesson.prompts.ids.end(), no_id) ||
      std::any_of(lesson.candidates.ids.begin(), lesson.candidates.ids.end(), no_id))
    return fail(Code::kBadInput,
                "a lesson names a token that the model does not have: another "
                "tokenizer made it");
  if (std::any_of(lesson.answers.q.begin(), lesson.answers.q.end(), no_share) ||
      std::any_of(lesson.gate.begin(), lesson.gate.end(), no_share) ||
      !(lesson.answers.temperature > 0))
    return fail(Code::kBadInput, "a lesson holds a value that is no probability");
  return {};
}

CandidateSets candidate_sets(LogitSource& a, LogitSource* b, const Prompts& prompts, int size) {
  const int vocab = a.vocab();
  CHECK(size >= 1 && size <= vocab, "{} of {}", size, vocab);
  CandidateSets sets{size, std::vector<TokenId>(at_of(prompts.rows(), size))};
  std::vector<TokenId> order;
  over_logits(a, prompts, [&](std::int64_t first, std::int64_t count, const float* z) {
    for (std::int64_t n = 0; n < count; ++n) {
      largest(z + n * vocab, vocab, size, order);
      std::copy_n(order.begin(), size,
                  sets.ids.begin() + static_cast<std::ptrdiff_t>(at_of(first + n, size)));
    }
  });
  if (b == nullptr) return sets;
  std::vector<TokenId> both;
  over_logits(*b, prompts, [&](std::int64_t first, std::int64_t count, const float* z) {
    for (std::int64_t n = 0; n < count; ++n) {
      TokenId* row = sets.ids.data() + at_of(first + n, size);
      largest(z + n * vocab, vocab, size, order);
      both.clear();
      for (int i = 0; std::ssize(both) < size; ++i)
        for (const TokenId id : {row[i], order[static_cast<std::size_t>(i)]})
          if (std::ssize(both) < size && std::find(both.begin(), both.end(), id) == both.end())
            both.push_back(id);
      std::copy(both.begin(), both.end(), row);
    }
  });
  return sets;
}

Answers answer(LogitSource& source, const Prompts& prompts, const CandidateSets& candidates,
               float temperature) {
  const int vocab = source.vocab(), size = candidates.size;
  Answers answers{temperature, std::vector<float>(candidates.ids.size())};
  over_logits(source, prompts, [&](std::int64_t first, std::int64_t count, const float* z) {
    for (std::int64_t n = 0; n < count; ++n) {
      const std::size_t at = at_of(first + n, size);
      say(z + n * vocab, vocab, temperature, candidates.ids.data() + at, size,
          answers.q.data() + at);
    }
  });
  return answers;
}

Lesson silent_lesson(Prompts prompts) {
  const auto rows = static_cast<std::size_t>(prompts.rows());
  return {std::move(prompts),
          {1, std::vector<TokenId>(rows, 0)},
          {1, std::vector<float>(rows, 0)},
          std::vector<float>(rows, 0)};
}

Lesson lesson_of(LogitSource& teacher, Prompts prompts, int size, float temperature,
                 std::vector<float>* next) {
  const int vocab = teacher.vocab();
  CHECK(size >= 1 && size <= vocab, "{} of {}", size, vocab);
  Lesson lesson{std::move(prompts), {size, {}}, {temperature, {}}, {}};
  lesson.candidates.ids.resize(at_of(lesson.prompts.rows(), size));
  lesson.answers.q.resize(lesson.candidates.ids.size());
  if (next != nullptr) next->assign(static_cast<std::size_t>(lesson.prompts.rows()), 0.0f);
  std::vector<TokenId> order;
  over_logits(teacher, lesson.prompts, [&](std::int64_t first, std::int64_t count, const float* z) {
    for (std::int64_t n = 0; n < count; ++n) {
      if (next != nullptr) {
        const auto row = static_cast<std::size_t>(first + n);
        (*next)[row] = log_prob(z + n * vocab, vocab, lesson.prompts.next[row]);
      }
      const std::size_t at = at_of(first + n, size);
      largest(z + n * vocab, vocab, size, order);
      std::copy_n(order.begin(), size,
                  lesson.candidates.ids.begin() + static_cast<std::ptrdiff_t>(at));
      say(z + n * vocab, vocab, temperature, order.data(), size, lesson.answers.q.data() + at);
    }
  });
  return lesson;
}

std::vector<float> next_log_probs(LogitSource& source, const Prompts& prompts) {
  const int vocab = source.vocab();
  std::vector<float> found(static_cast<std::size_t>(prompts.rows()));
  over_logits(source, prompts, [&](std::int64_t first, std::int64_t count, const float* z) {
    for (std::int64_t n = 0; n < count; ++n) {
      const auto row = static_cast<std::size_t>(first + n);
      found[row] = log_prob(z + n * vocab, vocab, prompts.next[row]);
    }
  });
  return found;
}

std::vector<float> gate_where_better(const std::vector<float>& teacher,
                                     const std::vector<float>& student) {
  CHECK(teacher.size() == student.size(), "{} and {}", teacher.size(), student.size());
  std::vector<float> gate(teacher.size());
  for (std::size_t row = 0; row < gate.size(); ++row)
    gate[row] = teacher[row] > student[row] ? 1.0f : 0.0f;
  return gate;
}

void fill_closed_gates(Lesson& lesson, const Lesson& own) {
  const int size = lesson.candidates.size;
  CHECK(own.candidates.size == size && own.prompts.rows() == lesson.prompts.rows(), "{} and {}",
        own.candidates.size, size);
  for (std::size_t row = 0; row < lesson.gate.size(); ++row) {
    if (lesson.gate[row] > 0) continue;
    const auto at = static_cast<std::ptrdiff_t>(at_of(static_cast<std::int64_t>(row), size));
    std::copy_n(own.candidates.ids.begin() + at, size, lesson.candidates.ids.begin() + at);
    std::copy_n(own.answers.q.begin() + at, size, lesson.answers.q.begin() + at);
  }
  lesson.gate.clear();
}

}  // namespace freshet
