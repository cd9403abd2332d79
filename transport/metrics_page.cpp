#include "transport/metrics_page.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

namespace freshet {
namespace {

constexpr std::size_t kReadersMax = 8, kRequestBytesMax = 8 * 1024;
constexpr std::int64_t kReaderMs = 5000;  // from the first byte to the last

std::string escaped_label(const std::string& value) {
  std::string text;
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  return text;
}

std::string http_answer(std::string_view status, std::string_view body) {
  return fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
      "Content-Length: {}\r\nConnection: close\r\n\r\n{}",
      status, body.size(), body);
}

std::string answer_to(std::string_view request, const std::function<std::string()>& text) {
  const std::string_view line = request.substr(0, request.find("\r\n"));
  if (!line.starts_with("GET ")) return http_answer("405 Method Not Allowed", "only GET\n");
  const std::string_view path = line.substr(4, line.find(' ', 4) - 4);
  if (path == "/metrics" || path.starts_with("/metrics?")) return http_answer("200 OK", text());
  return http_answer("404 Not Found", "the numbers are at /metrics\n");
}

struct AddressList {
  addrinfo* first = nullptr;
  ~AddressList() {
    if (first != nullptr) ::freeaddrinfo(first);
  }
};

Result<std::string> bound_address(int fd) {
  sockaddr_storage at{};
  socklen_t size = sizeof at;
  char host[NI_MAXHOST], port[NI_MAXSERV];
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) != 0 ||
      ::getnameinfo(reinterpret_cast<sockaddr*>(&at), size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return fail(Code::kUnavailable, "the address that metrics are served at is not known");
  return at.ss_family == AF_INET6 ? fmt::format("[{}]:{}", host, port)
                                  : fmt::format("{}:{}", host, port);
}

}  // namespace

void MetricsText::line(std::string_view kind, std::string_view name, std::string_view says,
                       double value, const Labels& labels) {
  if (last_ != name) {
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, says, name, kind);
    last_ = name;
  }
  text_ += name;
  std::string between = "{";
  for (const auto& [label, of] : labels) {
    text_ += fmt::format("{}{}=\"{}\"", between, label, escaped_label(of));
    between = ",";
  }
  text_ += fmt::format("{} {}\n", labels.empty() ? "" : "}", value);
}

void MetricsText::gauge(std::string_view name, std::string_view says, double value,
                        const Labels& labels) {
  line("gauge", name, says, value, labels);
}

void MetricsText::counter(std::string_view name, std::string_view says, double value,
                          const Labels& labels) {
  line("counter", name, says, value, labels);
}

void add_process(MetricsText& page) {
  std::ifstream file("/proc/self/statm");
  double pages = 0, resident = 0;
  if (file >> pages >> resident)
    page.gauge("process_resident_memory_bytes", "Memory of this process.",
               resident * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  rusage used{};
  if (::getrusage(RUSAGE_SELF, &used) == 0)
    page.counter("process_cpu_seconds_total", "Processor time of this process.",
                 static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                     static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
  std::error_code error;
  const std::filesystem::directory_iterator open("/proc/self/fd", error);
  if (!error)
    page.gauge("process_open_fds", "Open files of this process.",
               static_cast<double>(std::distance(begin(open), end(open)) - 1));
}

Result<MetricsPage> MetricsPage::listen(const std::string& address) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos)
    return fail(Code::kBadInput,
                "metrics at \"" + address + "\": want HOST:PORT, such as 127.0.0.1:9464");
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  AddressList found;
  if (const int error =
          ::getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found.first);
      error != 0)
    return fail(Code::kBadInput, "metrics at \"" + address + "\": " + ::gai_strerror(error));
  UniqueFd fd(::socket(found.first->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int yes = 1;
  if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
      ::bind(fd.get(), found.first->ai_addr, found.first->ai_addrlen) != 0 ||
      ::listen(fd.get(), static_cast<int>(kReadersMax)) != 0)
    return fail(Code::kUnavailable,
                fmt::format("metrics cannot be served at {}: {}; choose another "
                            "address with --metrics",
                            address, std::generic_category().message(errno)));
  TRY_ASSIGN(std::string bound, bound_address(fd.get()));
  return MetricsPage(std::move(fd), std::move(bound));
}

std::vector<int> MetricsPage::descriptors() const {
  std::vector<int> all{listening_.get()};
  for (const Reader& reader : readers_) all.push_back(reader.fd.get());
  return all;
}

void MetricsPage::accept_new(Instant now) {
  while (readers_.size() < kReadersMax) {
    UniqueFd fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) return;
    readers_.push_back({std::move(fd), {}, {}, now});
  }
}

bool MetricsPage::go_on(Reader& reader, const std::function<std::string()>& text) {
  char buffer[2048];
  while (reader.out.empty()) {
    const ssize_t got = ::recv(reader.fd.get(), buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    if (got == 0) return false;
    reader.in.append(buffer, static_cast<std::size_t>(got));
    if (reader.in.find("\r\n\r\n") != std::string::npos)
      reader.out = answer_to(reader.in, text);
    else if (reader.in.size() > kRequestBytesMax)
      return false;
  }
  while (!reader.out.empty()) {
    const ssize_t put = ::send(reader.fd.get(), reader.out.data(), reader.out.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    reader.out.erase(0, static_cast<std::size_t>(put));
  }
  return false;
}

void MetricsPage::serve(const std::function<std::string()>& text, Instant now) {
  accept_new(now);
  std::erase_if(readers_, [&](Reader& reader) {
    return now - reader.since > kReaderMs || !go_on(reader, text);
  });
}

}  // namespace freshet
