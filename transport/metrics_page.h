#pragma once
// The numbers of a daemon for Prometheus: GET /metrics at an address of the operator's choice, in
// the text format 0.0.4. Plain HTTP without a secret in it, for loopback or a private network.
// Never blocks; a reader that is slow or sends too much is hung up on.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/files.h"

namespace freshet {

// The page, line by line.
class MetricsText {
 public:
  using Labels = std::vector<std::pair<std::string_view, std::string>>;
  // What is said about a name stands before the first of its lines, which follow each other.
  void gauge(std::string_view name, std::string_view says, double value, const Labels& labels = {});
  void counter(std::string_view name, std::string_view says, double value,
               const Labels& labels = {});
  const std::string& text() const { return text_; }

 private:
  void line(std::string_view kind, std::string_view name, std::string_view says, double value,
            const Labels& labels);
  std::string text_, last_;
};

// Memory, open files and processor time of this process, by the names that Prometheus's own
// libraries give them.
void add_process(MetricsText& page);

class MetricsPage {
 public:
  // HOST:PORT; port 0 takes a free one. kBadInput: no such address; kUnavailable: in use.
  static Result<MetricsPage> listen(const std::string& address);

  std::string address() const { return address_; }
  std::vector<int> descriptors() const;  // readable when serve() has something to do
  void serve(const std::function<std::string()>& text, Instant now);

 private:
  struct Reader {
    UniqueFd fd;
    std::string in, out;
    Instant since;
  };
  MetricsPage(UniqueFd listening, std::string address)
      : listening_(std::move(listening)), address_(std::move(address)) {}
  void accept_new(Instant now);
  static bool go_on(Reader& reader, const std::function<std::string()>& text);  // false: it is over

  UniqueFd listening_;
  std::string address_;
  std::vector<Reader> readers_;
};

}  // namespace freshet
