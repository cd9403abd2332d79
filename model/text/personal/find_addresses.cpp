// Addresses of mail and machines, and what opens doors for programs.

#include <algorithm>
#include <array>

#include "model/text/personal/finders.h"

namespace freshet::personal {
namespace {

constexpr std::size_t kLocalMax = 64, kDomainMax = 253, kSecretMax = 8192;

std::size_t run_of(std::string_view text, std::size_t at, std::size_t most, bool (*belongs)(char)) {
  std::size_t end = at;
  while (end < text.size() && end - at < most && belongs(text[end])) ++end;
  return end;
}

bool is_local(char c) {
  return is_word(c) || std::string_view("!#$%&'*+/=?^`{|}~.-").find(c) != std::string_view::npos;
}
bool is_host(char c) { return is_word(c) || c == '-' || c == '.'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_token(char c) { return is_digit(c) || is_letter(c) || c == '_' || c == '-' || c == '.'; }

// Four numbers up to 255.
std::size_t ipv4_at(std::string_view text, std::size_t at) {
  if (at > 1 && text[at - 1] == '.' && is_digit(text[at - 2])) return 0;  // of a longer one
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && at_or_end(text, at++) != '.') return 0;
    const std::size_t end = run_of(text, at, 3, is_digit);
    if (end == at || (text[at] == '0' && end - at > 1)) return 0;
    int value = 0;
    for (; at < end; ++at) value = 10 * value + (text[at] - '0');
    if (value > 255) return 0;
  }
  // 1.2.3.4.5 is none; a full stop behind one ends a sentence.
  const bool goes_on = at_or_end(text, at) == '.' && is_digit(at_or_end(text, at + 1));
  return goes_on || is_word(at_or_end(text, at)) ? 0 : at;
}

// Eight groups of hexadecimal digits, or fewer where "::" stands for zeros.
std::size_t ipv6_at(std::string_view text, std::size_t at) {
  int groups = 0, gaps = 0;
  std::size_t end = at;
  bool digits = false;
  while (groups <= 8) {
    const std::size_t group = run_of(text, end, 5, is_hex);
    if (group - end > 4) return 0;
    if (group > end) {
      ++groups;
      digits = digits || std::any_of(text.begin() + static_cast<std::ptrdiff_t>(end),
                                     text.begin() + static_cast<std::ptrdiff_t>(group), is_digit);
    }
    end = group;
    if (at_or_end(text, end) != ':') break;
    if (at_or_end(text, end + 1) == ':') {
      ++gaps;
      end += 2;
    } else if (is_hex(at_or_end(text, end + 1))) {
      ++end;
    } else {
      break;
    }
  }
  const bool whole = (groups == 8 && gaps == 0) || (gaps == 1 && groups >= 2 && groups <= 7);
  return whole && digits && !is_word(at_or_end(text, end)) ? end : 0;
}

std::size_t mac_at(std::string_view text, std::size_t at) {
  const char separator = at_or_end(text, at + 2);
  if (separator != ':' && separator != '-') return 0;
  for (int part = 0; part < 6; ++part, at += 3) {
    if (!is_hex(at_or_end(text, at)) || !is_hex(at_or_end(text, at + 1))) return 0;
    if (part < 5 && at_or_end(text, at + 2) != separator) return 0;
  }
  const std::size_t end = at - 1;
  return is_word(at_or_end(text, end)) || at_or_end(text, end) == separator ? 0 : end;
}

// What begins like this and goes on for so many letters and digits was given out by somebody.
struct Token {
  std::string_view begins;
  std::size_t more;
};
constexpr std::array<Token, 22> kTokens{{
    {"AKIA", 16},    {"ASIA", 16},     {"ghp_", 36},        {"gho_", 36},     {"ghu_", 36},
    {"ghs_", 36},    {"ghr_", 36},     {"github_pat_", 60}, {"glpat-", 20},   {"xoxb-", 20},
    {"xoxp-", 20},   {"xoxa-", 20},    {"AIza", 35},        {"sk_live_", 20}, {"rk_live_", 20},
    {"sk-ant-", 30}, {"sk-proj-", 30}, {"SG.", 60},         {"npm_", 36},     {"hf_", 30},
    {"dop_v1_", 60}, {"ya29.", 30},
}};

std::size_t private_key_at(std::string_view text, std::size_t at) {
  constexpr std::string_view kBegin = "-----BEGIN ", kKey = "PRIVATE KEY", kEnd = "-----END ";
  const std::string_view rest = text.substr(at, kSecretMax);
  if (!rest.starts_with(kBegin)) return 0;
  const std::size_t line = rest.find('\n');
  if (rest.substr(0, line).find(kKey) == std::string_view::npos) return 0;
  const std::size_t last = rest.find(kEnd);
  if (last == std::string_view::npos) return at + rest.size();
  return at + std::min(rest.find('\n', last), rest.size());
}

// header.claims.signature, each in base64url; a JSON object begins with "eyJ".
std::size_t web_token_at(std::string_view text, std::size_t at) {
  if (!text.substr(at).starts_with("eyJ")) return 0;
  const std::size_t end = run_of(text, at, kSecretMax, is_token);
  const std::string_view token = text.substr(at, end - at);
  const std::size_t dot = token.find('.');
  if (dot == std::string_view::npos || !token.substr(dot + 1).starts_with("eyJ")) return 0;
  const std::size_t second = token.find('.', dot + 1);
  return second == std::string_view::npos || token.size() - second < 20 ? 0 : end;
}

// The password in scheme://name:password@host, from the name on.
std::size_t password_at(std::string_view text, std::size_t at) {
  if (at < 3 || text.substr(at - 3, 3) != "://") return 0;
  const auto belongs = [](char c) {
    return c > ' ' && c != '/' && c != '@' && c != '"' && c != '\'' && c != '<' && c != '>';
  };
  const std::size_t end = run_of(text, at, 256, belongs);
  const std::size_t colon = text.substr(at, end - at).find(':');
  return at_or_end(text, end) == '@' && colon != std::string_view::npos && colon > 0 ? end : 0;
}

}  // namespace

std::size_t email_at(std::string_view text, std::size_t at) {
  const std::size_t local = run_of(text, at, kLocalMax, is_local);
  if (local == at || at_or_end(text, local) != '@' || text[local - 1] == '.') return 0;
  std::size_t end = run_of(text, local + 1, kDomainMax, is_host);
  while (end > local + 1 && (text[end - 1] == '.' || text[end - 1] == '-')) --end;
  const std::string_view domain = text.substr(local + 1, end - local - 1);
  const std::size_t dot = domain.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || domain.find("..") != std::string_view::npos)
    return 0;
  const std::string_view top = domain.substr(dot + 1);
  const bool letters = std::none_of(top.begin(), top.end(), is_digit) && top.size() >= 2;
  return letters ? end : 0;
}

std::size_t address_at(std::string_view text, std::size_t at) {
  if (!is_hex(at_or_end(text, at))) return 0;
  if (const std::size_t end = ipv4_at(text, at)) return end;
  if (const std::size_t end = mac_at(text, at)) return end;
  return ipv6_at(text, at);
}

std::size_t secret_at(std::string_view text, std::size_t at) {
  if (const std::size_t end = private_key_at(text, at)) return end;
  if (const std::size_t end = web_token_at(text, at)) return end;
  if (const std::size_t end = password_at(text, at)) return end;
  for (const Token& token : kTokens) {
    if (!text.substr(at).starts_with(token.begins)) continue;
    const std::size_t end = run_of(text, at + token.begins.size(), kSecretMax, is_token);
    if (end - at - token.begins.size() >= token.more) return end;
  }
  return 0;
}

}  // namespace freshet::personal
