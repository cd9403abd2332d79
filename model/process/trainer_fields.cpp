#include "model/process/trainer_fields.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/json.h"
#include "base/limits.h"

namespace freshet {
namespace {

constexpr std::string_view kSource = "trainer message";

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// The end of a name says the kind of a file, so that is what stays of a long one.
std::string trimmed(std::string_view name) {
  if (name.size() > limits::kTrainerNameBytesMax)
    name.remove_prefix(name.size() - limits::kTrainerNameBytesMax);
  while (!name.empty() && continues_character(name.front())) name.remove_prefix(1);
  std::string kept(name);
  for (char& c : kept)
    if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\' || c == 0x7f) c = '?';
  return kept;
}

std::string_view checked_kind(const Json& json) {
  auto found = json.find("kind");
  return found != json.end() && found->is_string() ? found->get_ref<const std::string&>()
                                                   : std::string_view();
}

template <class T>
bool all_within(const std::vector<T>& values, Bounds<T> bounds) {
  return std::all_of(values.begin(), values.end(),
                     [&](T each) { return each >= bounds.low && each <= bounds.high; });
}

template <class T>
bool holds_list(const Json& json, std::size_t count_max, Bounds<T> bounds) {
  if (!json.is_array() || json.size() > count_max) return false;
  for (const Json& each : json)
    if (!json_holds<T>(each)) return false;
  return all_within(json.get<std::vector<T>>(), bounds);
}

class Problem {
 public:
  bool any() const { return error_.has_value(); }
  void field(const std::string& key) {
    text("\"" + key + "\" is missing, of the wrong type or out of bounds");
  }
  void text(const std::string& what) {
    error({Code::kBadInput, std::string(kSource) + ": " + what});
  }
  void error(Error error) {
    if (!error_) error_ = std::move(error);
  }
  Result<void> result() const {
    if (error_) return tl::unexpected(*error_);
    return {};
  }

 private:
  std::optional<Error> error_;
};

class Writer final : public Fields {
 public:
  using Fields::real;
  void count(const std::string& key, std::uint64_t& value, std::uint64_t most) override {
    put(key, value, value <= most);
  }
  void integer(const std::string& key, int& value, Bounds<int> bounds) override {
    put(key, value, value >= bounds.low && value <= bounds.high);
  }
  void real(const std::string& key, double& value, Bounds<double> bounds) override {
    put(key, value, value >= bounds.low && value <= bounds.high);
  }
  void flag(const std::string& key, bool& value) override { put(key, value, true); }
  void text(const std::string& key, std::string& value, std::size_t bytes_max) override {
    put(key, value, value.size() <= bytes_max);
  }
  void texts(const std::string& key, std::vector<std::string>& values,
             Bounds<std::size_t> count_and_bytes) override {
    bool good = values.size() <= count_and_bytes.low;
    for (const std::string& value : values) good = good && value.size() <= count_and_bytes.high;
    put(key, values, good);
  }
  void integers(const std::string& key, std::vector<int>& values, std::size_t count_max,
                Bounds<int> bounds) override {
    put(key, values, values.size() <= count_max && all_within(values, bounds));
  }
  void reals(const std::string& key, std::vector<float>& values, std::size_t count_max,
             Bounds<float> bounds) override {
    put(key, values, values.size() <= count_max && all_within(values, bounds));
  }
  void file(const std::string& key, OpenFile& value) override {
    put(key, trimmed(value.name), true);
    attach(key, std::move(value.fd));
  }
  void files(const std::string& key, std::vector<OpenFile>& values) override {
    Json names = Json::array();
    for (OpenFile& value : values) {
      names.push_back(trimmed(value.name));
      attach(key, std::move(value.fd));
    }
    put(key, std::move(names), true);
  }
  void floats(const std::string& key, std::vector<float>& values) override {
    put(key, values.size(), values.size() <= limits::kVectorEntriesMax);
    if (values.empty() || problem_.any()) return;
    Result<UniqueFd> fd = sealed_vector(values);
    if (fd)
      attach(key, std::move(*fd));
    else
      problem_.error(std::move(fd.error()));
  }
  void refuse(const std::string& key) override { problem_.field(key); }

  Result<TrainerFrame> finish(std::string_view kind) {
    json_["kind"] = std::string(kind);
    TrainerFrame frame{to_text(json_), std::move(fds_)};
    if (frame.header.size() > limits::kTrainerHeaderBytesMax ||
        frame.fds.size() > limits::kTrainerFrameFilesMax)
      problem_.text("too long for one frame");
    TRY(problem_.result());
    return frame;
  }

 private:
  template <class T>
  void put(const std::string& key, T&& value, bool good) {
    if (good)
      json_[key] = std::forward<T>(value);
    else
      refuse(key);
  }
  void attach(const std::string& key, UniqueFd fd) {
    if (!fd) return refuse(key);
    fds_.push_back(std::move(fd));
  }
  Json json_ = Json::object();
  std::vector<UniqueFd> fds_;
  Problem problem_;
};

class Reader final : public Fields {
 public:
  Reader(const Json& json, std::vector<UniqueFd>& fds) : json_(json), fds_(fds) {}
  using Fields::real;
  void count(const std::string& key, std::uint64_t& value, std::uint64_t most) override {
    const Json& found = find(key);
    const bool good = found.is_number_unsigned() && found.get<std::uint64_t>() <= most;
    take(key, value, found, good);
  }
  void integer(const std::string& key, int& value, Bounds<int> bounds) override {
    const Json& found = find(key);
    // A number above the signed 64-bit range would come out negative, so it is compared as what it
    // is.
    const bool huge = found.is_number_unsigned() &&
                      found.get<std::uint64_t>() > static_cast<std::uint64_t>(INT32_MAX);
    const bool good = found.is_number_integer() && !huge &&
                      found.get<std::int64_t>() >= bounds.low &&
                      found.get<std::int64_t>() <= bounds.high;
    take(key, value, found, good);
  }
  void real(const std::string& key, double& value, Bounds<double> bounds) override {
    const Json& found = find(key);
    const bool good = found.is_number() && found.get<double>() >= bounds.low &&
                      found.get<double>() <= bounds.high;
    take(key, value, found, good);
  }
  void flag(const std::string& key, bool& value) override {
    const Json& found = find(key);
    take(key, value, found, found.is_boolean());
  }
  void text(const std::string& key, std::string& value, std::size_t bytes_max) override {
    const Json& found = find(key);
    take(key, value, found, is_text(found, bytes_max));
  }
  void texts(const std::string& key, std::vector<std::string>& values,
             Bounds<std::size_t> count_and_bytes) override {
    const Json& found = find(key);
    bool good = found.is_array() && found.size() <= count_and_bytes.low;
    for (std::size_t i = 0; good && i < found.size(); ++i)
      good = is_text(found[i], count_and_bytes.high);
    take(key, values, found, good);
  }
  void integers(const std::string& key, std::vector<int>& values, std::size_t count_max,
                Bounds<int> bounds) override {
    const Json& found = find(key);
    take(key, values, found, holds_list(found, count_max, bounds));
  }
  void reals(const std::string& key, std::vector<float>& values, std::size_t count_max,
             Bounds<float> bounds) override {
    const Json& found = find(key);
    take(key, values, found, holds_list(found, count_max, bounds));
  }
  void file(const std::string& key, OpenFile& value) override {
    text(key, value.name,
         3 * limits::kTrainerNameBytesMax);  // a byte that is no UTF-8 travels as three
    value.fd = next_fd();
  }
  void files(const std::string& key, std::vector<OpenFile>& values) override {
    std::vector<std::string> names;
    texts(key, names, {limits::kTrainerFrameFilesMax, 3 * limits::kTrainerNameBytesMax});
    for (std::string& name : names) values.push_back({std::move(name), next_fd()});
  }
  void floats(const std::string& key, std::vector<float>& values) override {
    std::uint64_t entries = 0;
    count(key, entries, limits::kVectorEntriesMax);
    if (entries == 0) return;
    const UniqueFd fd = next_fd();
    if (problem_.any()) return;
    Result<std::vector<float>> read = open_sealed_vector(fd, entries);
    if (read)
      values = std::move(*read);
    else
      problem_.error(std::move(read.error()));
  }
  void refuse(const std::string& key) override { problem_.field(key); }

  Result<void> finish() {
    if (next_ != fds_.size()) problem_.text("a descriptor that belongs to no field");
    return problem_.result();
  }

 private:
  static bool is_text(const Json& json, std::size_t bytes_max) {
    return json.is_string() && json.get_ref<const std::string&>().size() <= bytes_max;
  }
  const Json& find(const std::string& key) const {
    static const Json kAbsent;  // null, which no field takes
    auto found = json_.find(key);
    return found == json_.end() ? kAbsent : *found;
  }
  template <class T>
  void take(const std::string& key, T& value, const Json& found, bool good) {
    if (good)
      value = found.get<T>();
    else
      refuse(key);
  }
  UniqueFd next_fd() {
    if (next_ < fds_.size()) return std::move(fds_[next_++]);
    problem_.text("a descriptor is missing");
    return {};
  }
  const Json& json_;
  std::vector<UniqueFd>& fds_;
  std::size_t next_ = 0;
  Problem problem_;
};

}  // namespace

void Fields::real(const std::string& key, float& value, Bounds<double> bounds) {
  double wide = value;
  real(key, wide, bounds);
  value = static_cast<float>(wide);
}

void Fields::choice(const std::string& key, std::size_t& index,
                    std::span<const std::string_view> names) {
  std::string name(names[index]);
  text(key, name, 64);
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) {
      index = i;
      return;
    }
  refuse(key);
}

Result<TrainerFrame> write_frame(std::string_view kind, const FieldList& list) {
  Writer writer;
  list(writer);
  return writer.finish(kind);
}

struct FrameReader::State {
  Json json;
  std::vector<UniqueFd> fds;
};

FrameReader::FrameReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
FrameReader::FrameReader(FrameReader&&) noexcept = default;
FrameReader& FrameReader::operator=(FrameReader&&) noexcept = default;
FrameReader::~FrameReader() = default;

Result<FrameReader> FrameReader::parse(TrainerFrame frame) {
  TRY_ASSIGN(Json json, parse_json(frame.header, kSource));
  if (!json.is_object() || checked_kind(json).empty())
    return fail(Code::kBadInput, std::string(kSource) + ": no object with a \"kind\"");
  return FrameReader(std::make_unique<State>(State{std::move(json), std::move(frame.fds)}));
}

std::string_view FrameReader::kind() const { return checked_kind(state_->json); }

std::uint64_t FrameReader::id() const {
  auto found = state_->json.find("id");
  return found != state_->json.end() && found->is_number_unsigned() ? found->get<std::uint64_t>()
                                                                    : 0;
}

Result<void> FrameReader::read(const FieldList& list) {
  Reader reader(state_->json, state_->fds);
  list(reader);
  return reader.finish();
}

}  // namespace freshet
