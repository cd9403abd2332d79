#include "model/question.h"

#include <gtest/gtest.h>

#include <functional>

namespace freshet {
namespace {

Question small_question() {
  return {.vocab = 9,
          .window = 2,
          .candidates = 3,
          .ids = {1, 2, 3, 8},
          .next = {2, -1, 8, 0},
          .candidate_ids = {0, 1, 2, 8, 7, 6, 3, 4, 5, 1, 0, 8}};
}

TEST(Question, ComesBackFromItsBytes) {
  const Question question = small_question();
  ASSERT_TRUE(check_question(question));
  const auto again = read_question(canonical_bytes(question));
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(*again, question);
  const Layout layout = answer_layout(4, 3);
  EXPECT_EQ(layout.size, 16u);
  EXPECT_NE(canonical_bytes(layout), canonical_bytes(answer_layout(3, 4)));
}

TEST(Question, RefusesWhatDoesNotFit) {
  const struct {
    std::function<void(Question&)> change;
    const char* says;
  } rows[] = {
      {[](Question& q) { q.candidates = 2; }, "do not fit"},
      {[](Question& q) { q.candidate_ids.pop_back(); }, "do not fit"},
      {[](Question& q) { q.next.pop_back(); }, "do not fit"},
      {[](Question& q) { q.window = 3; }, "windows of 3"},
      {[](Question& q) { q.candidates = 10; }, "10 candidates"},
      {[](Question& q) { q.ids.clear(); }, "of 0 tokens"},
      {[](Question& q) { q.vocab = 8; }, "outside its vocabulary"},
      {[](Question& q) { q.ids[0] = -1; }, "outside its vocabulary"},
      {[](Question& q) { q.next[0] = -2; }, "outside its vocabulary"},
      {[](Question& q) { q.candidate_ids[4] = 8; }, "twice for token 1"},
  };
  for (const auto& row : rows) {
    Question question = small_question();
    row.change(question);
    const auto checked = check_question(question);
    ASSERT_FALSE(checked) << row.says;
    EXPECT_NE(checked.error().what.find(row.says), std::string::npos) << checked.error().what;
  }
}

TEST(Question, BytesThatAreCutOrGoOnAreRefused) {
  Bytes bytes = canonical_bytes(small_question());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(read_question(ByteView(bytes).first(size))) << size;
  bytes.push_back(0);
  EXPECT_FALSE(read_question(bytes));
}

}  // namespace
}  // namespace freshet
