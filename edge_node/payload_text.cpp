// What left, as a person reads it, and how far its words are from uniform ones.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

#include "base/check.h"
#include "base/json.h"
#include "edge_node/payload.h"

namespace freshet {
namespace {

constexpr std::size_t kShown = 8;
constexpr int kBars = 16;
constexpr double kSuspicious = 1e-6;

// By the highest `class_bits` of words of `bits` bits.
std::vector<std::uint64_t> histogram(std::span<const std::uint32_t> words, int bits,
                                     int class_bits) {
  std::vector<std::uint64_t> counts(std::size_t{1} << class_bits);
  for (const std::uint32_t word : words)
    ++counts[std::min<std::size_t>(word >> (bits - class_bits), counts.size() - 1)];
  return counts;
}

// Series for x < a + 1, continued fraction by Lentz's method above (Press et al., 6.2).
double upper_gamma(double a, double x) {
  if (x <= 0) return 1;
  const double front = std::exp(a * std::log(x) - x - std::lgamma(a));
  constexpr int kStepsMax = 10'000;
  if (x < a + 1) {
    double term = 1 / a, sum = term;
    for (int i = 1; i < kStepsMax && std::abs(term) > sum * 1e-15; ++i) sum += term *= x / (a + i);
    return std::max(0.0, 1 - front * sum);
  }
  constexpr double kTiny = 1e-300;
  double b = x + 1 - a, c = 1 / kTiny, d = 1 / b, h = d;
  for (int i = 1; i < kStepsMax; ++i) {
    const double an = -i * (i - a);
    b += 2;
    d = an * d + b;
    if (std::abs(d) < kTiny) d = kTiny;
    c = b + an / c;
    if (std::abs(c) < kTiny) c = kTiny;
    d = 1 / d;
    const double change = d * c;
    h *= change;
    if (std::abs(change - 1) < 1e-15) break;
  }
  return front * h;
}

std::string time_text(std::int64_t wall_s) {
  const std::time_t time = wall_s;
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &parts);
  return text.data();
}

std::string first_words(std::span<const std::uint32_t> words) {
  std::string text;
  for (std::size_t i = 0; i < std::min(kShown, words.size()); ++i)
    text += fmt::format("{}{}", i == 0 ? "" : " ", words[i]);
  return text + (words.size() > kShown ? " ..." : "");
}

// One block for each sixteenth of the range, as high as its share.
std::string bars(std::span<const std::uint32_t> words, int bits) {
  constexpr std::array<std::string_view, 9> kBlocks = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const auto counts = histogram(words, bits, std::min(bits, 4));
  const std::uint64_t most =
      std::max<std::uint64_t>(1, *std::max_element(counts.begin(), counts.end()));
  std::string text;
  for (const std::uint64_t count : counts) text += kBlocks[(count * 8 + most - 1) / most];
  return text;
}

std::string verdict(const Uniformity& u) {
  return u.p > kSuspicious ? "what uniform random numbers look like"
                           : "not what uniform random numbers look like";
}

std::string lines_of(std::string_view what, std::span<const std::uint32_t> words, int bits) {
  const Uniformity u = uniformity_of(words, bits);
  return fmt::format(
      "{}\n"
      "  first words   {}\n"
      "  spread        |{}| from 0 to 2^{}\n"
      "  chi-square    {:.1f} over {} degrees of freedom, p = {:.2g}: {}\n",
      what, first_words(words), bars(words, bits), bits, u.chi_square, u.degrees, u.p, verdict(u));
}

Json json_of(std::span<const std::uint32_t> words, int bits) {
  const Uniformity u = uniformity_of(words, bits);
  return {{"words", words.size()},
          {"first_words", std::vector<std::uint32_t>(
                              words.begin(), words.begin() + static_cast<std::ptrdiff_t>(
                                                                 std::min(kShown, words.size())))},
          {"histogram", histogram(words, bits, std::min(bits, 4))},
          {"chi_square", u.chi_square},
          {"degrees_of_freedom", u.degrees},
          {"p", u.p}};
}

}  // namespace

double chi_square_tail(double x, int degrees) {
  CHECK(degrees > 0, "{} degrees", degrees);
  return upper_gamma(degrees / 2.0, x / 2);
}

Uniformity uniformity_of(std::span<const std::uint32_t> words, int bits) {
  const int class_bits = std::min(bits, 8);
  const auto counts = histogram(words, bits, class_bits);
  const double expected = static_cast<double>(words.size()) / static_cast<double>(counts.size());
  Uniformity result;
  result.degrees = static_cast<int>(counts.size()) - 1;
  for (const std::uint64_t count : counts)
    if (expected > 0)
      result.chi_square += std::pow(static_cast<double>(count) - expected, 2) / expected;
  result.p = chi_square_tail(result.chi_square, result.degrees);
  return result;
}

Json to_json(const Payload& payload) {
  const PayloadFacts& facts = payload.facts;
  Json json = {{"campaign", facts.campaign},
               {"campaign_id", fmt::format("{:016x}", facts.id.value)},
               {"round", facts.round.value},
               {"base_version", facts.base.value},
               {"sid", to_hex(facts.sid)},
               {"time", facts.wall_s},
               {"frame_bytes", payload.frame_bytes},
               {"frame_digest", to_hex(payload.frame_digest)},
               {"signature", payload.signature_hex},
               {"word_bits", facts.bits},
               {"masked", json_of(payload.masked, facts.bits)},
               {"unmasked", nullptr}};
  if (payload.unmasked) json["unmasked"] = json_of(*payload.unmasked, facts.bits);
  return json;
}

std::string to_text(const Payload& payload) {
  const PayloadFacts& facts = payload.facts;
  std::string text = fmt::format(
      "Round {} of campaign \"{}\", from version {}, {}\n\n"
      "  frame         {} bytes, digest {}\n"
      "  signature     {}... (this node's, over the round and these words)\n"
      "  words         {} of {} bits\n\n",
      facts.round.value, facts.campaign, facts.base.value, time_text(facts.wall_s),
      payload.frame_bytes, short_hex(payload.frame_digest), payload.signature_hex.substr(0, 16),
      facts.words, facts.bits);
  text += lines_of("What left this node, the masked words:", payload.masked, facts.bits);
  text +=
      "\nNothing else of this node's training left it in that round. Each word is this node's word "
      "plus\nmasks that it agreed on with the round's other members; they cancel in the sum of all "
      "and in\nnothing less, so that neither the coordinator nor anybody on the wire can read one "
      "node's words.\n";
  if (payload.unmasked)
    return text + "\n" +
           lines_of("What stayed here, the words under the masks (kept by --keep-unmasked):",
                    *payload.unmasked, facts.bits);
  return text +
         "\nThe words under the masks were not kept. To keep those of the next round, sealed, on "
         "this machine:\nstart the node with --keep-unmasked.\n";
}

}  // namespace freshet
