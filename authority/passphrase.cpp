#include "authority/passphrase.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>

#include "crypto/private_file.h"

namespace freshet::authority {
namespace {

constexpr std::size_t kBytesMax = 1024;

// The terminal's echo is off while this lives.
class Silence {
 public:
  explicit Silence(int terminal) : terminal_(terminal) {
    if (::tcgetattr(terminal_, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    silent.c_lflag |= ECHONL;
    is_on_ = ::tcsetattr(terminal_, TCSAFLUSH, &silent) == 0;
  }
  ~Silence() {
    if (is_on_) ::tcsetattr(terminal_, TCSAFLUSH, &before_);
  }
  bool is_on() const { return is_on_; }

 private:
  int terminal_;
  termios before_{};
  bool is_on_ = false;
};

Secret first_line(ByteView bytes) {
  std::size_t size = 0;
  while (size < bytes.size() && bytes[size] != '\n' && bytes[size] != '\r') ++size;
  return Secret::copy_of(bytes.first(size));
}

Result<Secret> ask(int terminal, const std::string& prompt) {
  const Silence silence(terminal);
  if (!silence.is_on())
    return fail(Code::kRefused, "the terminal's echo cannot be turned off; use --passphrase-file");
  TRY(write_all(terminal, as_bytes(prompt), "the terminal"));
  Secret line(kBytesMax);
  ssize_t got = -1;
  do {
    got = ::read(terminal, line.writable().data(), line.view().size());
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return fail(Code::kBadInput, "no passphrase was typed");
  return first_line(line.view().first(static_cast<std::size_t>(got)));
}

}  // namespace

Result<Secret> read_passphrase(const Path& file, const std::string& prompt, bool twice) {
  if (!file.empty()) {
    TRY_ASSIGN(const std::optional<Secret> content, read_private_file(file, kBytesMax));
    if (!content) return fail(Code::kBadInput, file.string() + " is not there");
    return first_line(content->view());
  }
  const UniqueFd terminal(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal)
    return fail(Code::kBadInput,
                "there is no terminal to ask for the passphrase at; name a file "
                "that holds it with --passphrase-file");
  TRY_ASSIGN(Secret first, ask(terminal.get(), prompt));
  if (!twice) return first;
  TRY_ASSIGN(const Secret second, ask(terminal.get(), "Once more: "));
  if (!equal_in_constant_time(first.view(), second.view()))
    return fail(Code::kBadInput, "the two passphrases differ");
  return first;
}

}  // namespace freshet::authority
