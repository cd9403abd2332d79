// Attention over tiles against the plain loops: heads that share keys, windows, documents, lengths
// at the edge of a panel; in f32, and in bf16 where the processor multiplies it.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/rng.h"
#include "tests/trainer/every_tile_loops.h"
#include "trainer/kernels/attention.h"
#include "trainer/kernels/product.h"

namespace freshet::kernels {
namespace {

using Numbers = std::vector<float>;

struct AttentionCase {
  int time, heads, kv_heads, dim;
  std::vector<int> first_seen;
};

// What goes in and what comes out of one sequence.
struct Sequence {
  Numbers q, k, v, dout;             // [T,H,D], [T,G,D] twice, [T,H,D]
  Numbers out, log_sum, dq, dk, dv;  // the same, and [H,T]
};

std::size_t at(const AttentionCase& of, int heads, int t, int h, int d) {
  return (static_cast<std::size_t>(t) * static_cast<std::size_t>(heads) +
          static_cast<std::size_t>(h)) *
             static_cast<std::size_t>(of.dim) +
         static_cast<std::size_t>(d);
}

Numbers random_numbers(Rng& rng, int time, int heads, int dim) {
  Numbers values(static_cast<std::size_t>(time * heads * dim));
  for (float& value : values) value = static_cast<float>(rng.normal());
  return values;
}

void add_head(const AttentionCase& of, int h, Sequence& s) {
  const int g = h / (of.heads / of.kv_heads);
  const auto product = [&](const Numbers& a, int t, const Numbers& b, int j) {
    double sum = 0;
    for (int d = 0; d < of.dim; ++d)
      sum += double{a[at(of, of.heads, t, h, d)]} * b[at(of, of.kv_heads, j, g, d)];
    return sum;
  };
  const double scale = 1 / std::sqrt(static_cast<double>(of.dim));
  for (int t = 0; t < of.time; ++t) {
    const int first = of.first_seen.empty() ? 0 : of.first_seen[static_cast<std::size_t>(t)];
    double all = 0, along = 0;
    for (int j = first; j <= t; ++j) all += std::exp(scale * product(s.q, t, s.k, j));
    s.log_sum[static_cast<std::size_t>(h * of.time + t)] = static_cast<float>(std::log(all));
    for (int j = first; j <= t; ++j) {
      const double p = std::exp(scale * product(s.q, t, s.k, j)) / all;
      for (int d = 0; d < of.dim; ++d)
        s.out[at(of, of.heads, t, h, d)] +=
            static_cast<float>(p * s.v[at(of, of.kv_heads, j, g, d)]);
      along += p * product(s.dout, t, s.v, j);
    }
    for (int j = first; j <= t; ++j) {
      const double p = std::exp(scale * product(s.q, t, s.k, j)) / all;
      const double slope = p * (product(s.dout, t, s.v, j) - along) * scale;
      for (int d = 0; d < of.dim; ++d) {
        const std::size_t query = at(of, of.heads, t, h, d), key = at(of, of.kv_heads, j, g, d);
        s.dq[query] += static_cast<float>(slope * s.k[key]);
        s.dk[key] += static_cast<float>(slope * s.q[query]);
        s.dv[key] += static_cast<float>(p * s.dout[query]);
      }
    }
  }
}

Sequence expected_of(const AttentionCase& of, Sequence s) {
  s.out.assign(s.q.size(), 0);
  s.dq = s.out;
  s.dk.assign(s.k.size(), 0);
  s.dv = s.dk;
  s.log_sum.assign(static_cast<std::size_t>(of.heads * of.time), 0);
  for (int h = 0; h < of.heads; ++h) add_head(of, h, s);
  return s;
}

std::vector<std::uint16_t> halves_of(const Numbers& values) {
  std::vector<std::uint16_t> halves(values.size());
  to_bf16(static_cast<std::int64_t>(values.size()), values.data(), halves.data());
  return halves;
}

Sequence found_of(const AttentionCase& of, Sequence s, bool bf16) {
  AttentionShape shape{of.time,
                       of.heads,
                       of.kv_heads,
                       of.dim,
                       of.first_seen.empty() ? nullptr : of.first_seen.data(),
                       bf16};
  const std::vector<std::uint16_t> q = halves_of(s.q), k = halves_of(s.k), v = halves_of(s.v);
  const auto either = [&](const Numbers& wide, const std::vector<std::uint16_t>& halves) {
    return bf16 ? static_cast<const void*>(halves.data()) : wide.data();
  };
  Numbers scratch(static_cast<std::size_t>(attention_scratch(shape)), NAN);
  s.out.assign(s.q.size(), NAN);
  s.dq = s.out;
  s.dk.assign(s.k.size(), NAN);
  s.dv = s.dk;
  s.log_sum.assign(static_cast<std::size_t>(of.heads * of.time), NAN);
  for (int g = 0; g < of.kv_heads; ++g) {
    attention(shape, g, either(s.q, q), either(s.k, k), either(s.v, v), s.out.data(),
              s.log_sum.data(), scratch.data());
    std::fill(scratch.begin(), scratch.end(), NAN);
    attention_backward(shape, g, s.dout.data(), either(s.q, q), either(s.k, k), either(s.v, v),
                       s.out.data(), s.log_sum.data(), s.dq.data(), s.dk.data(), s.dv.data(),
                       scratch.data());
  }
  return s;
}

// The length of the difference beside that of what was expected, or beside what numbers of a
// quarter would have where less is expected: the one key of one position has no gradient.
double apart(const Numbers& expected, const Numbers& found) {
  double square = 0, difference = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    square += double{expected[i]} * expected[i];
    difference += std::pow(double{expected[i]} - found[i], 2);
  }
  return std::sqrt(difference / std::max(square, static_cast<double>(expected.size()) / 16));
}

void expect_near(const Sequence& expected, const Sequence& found, double allowed) {
  EXPECT_LT(apart(expected.out, found.out), allowed);
  EXPECT_LT(apart(expected.log_sum, found.log_sum), allowed);
  EXPECT_LT(apart(expected.dq, found.dq), allowed);
  EXPECT_LT(apart(expected.dk, found.dk), allowed);
  EXPECT_LT(apart(expected.dv, found.dv), allowed);
}

void check(const AttentionCase& of) {
  constexpr std::uint64_t kSeed = 5;
  Rng rng(kSeed);
  Sequence s;
  s.q = random_numbers(rng, of.time, of.heads, of.dim);
  s.k = random_numbers(rng, of.time, of.kv_heads, of.dim);
  s.v = random_numbers(rng, of.time, of.kv_heads, of.dim);
  s.dout = random_numbers(rng, of.time, of.heads, of.dim);
  const Sequence expected = expected_of(of, s);
  SCOPED_TRACE("seed " + std::to_string(kSeed) + " time " + std::to_string(of.time) + " heads " +
               std::to_string(of.heads) + " of " + std::to_string(of.kv_heads) + " dim " +
               std::to_string(of.dim));
  with_every_tile_loops([&] {
    expect_near(expected, found_of(of, s, false), 1e-5);
    if (multiplies_bf16() && of.dim % 2 == 0) expect_near(expected, found_of(of, s, true), 1e-2);
  });
}

TEST(Attention, EqualsThePlainLoopsAtTheEdgesOfPanels) {
  for (const int time : {1, 2, 7, 16, 17, 33, 47, 48, 49, 97, 130}) check({time, 6, 2, 16, {}});
}

TEST(Attention, EqualsThePlainLoopsForEveryNumberOfHeads) {
  for (const auto& [heads, kv_heads] : {std::pair{1, 1}, {4, 4}, {9, 3}, {32, 1}, {5, 1}})
    check({70, heads, kv_heads, 8, {}});
  for (const int dim : {1, 2, 5, 20, 64, 80, 128}) check({40, 2, 1, dim, {}});
}

TEST(Attention, EqualsThePlainLoopsWhereQueriesDoNotSeeAllBeforeThem) {
  AttentionCase window{100, 4, 2, 16, {}}, documents{100, 4, 2, 16, {}};
  for (int t = 0; t < 100; ++t) {
    window.first_seen.push_back(std::max(0, t - 36));
    documents.first_seen.push_back(t < 13 ? 0 : t < 77 ? 13 : t < 90 ? 77 : t);
  }
  check(window);
  check(documents);
}

}  // namespace
}  // namespace freshet::kernels
