#include "crypto/certificates/line.h"

#include "crypto/sodium.h"

namespace freshet {
namespace {

constexpr std::size_t kLineBytesMax = 4096;
constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

}  // namespace

Secret to_line(std::string_view prefix, ByteView bytes) {
  const std::size_t with_end = sodium_base64_encoded_len(bytes.size(), kVariant);
  Secret encoded(with_end);
  sodium_bin2base64(reinterpret_cast<char*>(encoded.writable().data()), with_end, bytes.data(),
                    bytes.size(), kVariant);
  Secret line(prefix.size() + with_end - 1);
  std::memcpy(line.writable().data(), prefix.data(), prefix.size());
  std::memcpy(line.writable().data() + prefix.size(), encoded.view().data(), with_end - 1);
  return line;
}

Result<Secret> from_line(std::string_view what, std::string_view prefix, std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  text = text.substr(0, text.find_last_not_of(kBlank) + 1);
  const std::string name(what);
  if (!text.starts_with(prefix))
    return fail(Code::kBadInput,
                name + " begins with \"" + std::string(prefix) + "\"; copy the whole line");
  text.remove_prefix(prefix.size());
  if (text.size() > kLineBytesMax)
    return fail(Code::kBadInput, name + " is not as long as this; copy one line alone");
  if (text.empty())
    return fail(Code::kBadInput, name + " with nothing after its colon; copy the whole line");
  Secret bytes(text.size());
  std::size_t size = 0;
  if (sodium_base642bin(bytes.writable().data(), bytes.view().size(), text.data(), text.size(),
                        nullptr, &size, nullptr, kVariant) != 0)
    return fail(Code::kBadInput,
                name +
                    " with a character that does not belong there, or without its end; copy "
                    "the whole line again");
  return Secret::copy_of(bytes.view().first(size));
}

}  // namespace freshet
