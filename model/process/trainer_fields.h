#pragma once
// The fields of a trainer message, listed once and used in both directions: writing takes each out
// of the struct into a frame, reading fills it from one. Both check the same bounds, so nothing is
// sent that the other side would refuse. After the first thing wrong the rest does nothing.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/files/model_files.h"
#include "model/process/trainer_frame.h"

namespace freshet {

template <class T>
struct Bounds {
  T low, high;
};

class Fields {
 public:
  virtual ~Fields() = default;
  virtual void count(const std::string& key, std::uint64_t& value, std::uint64_t most) = 0;
  virtual void integer(const std::string& key, int& value, Bounds<int> bounds) = 0;
  virtual void real(const std::string& key, double& value, Bounds<double> bounds) = 0;  // never NaN
  virtual void flag(const std::string& key, bool& value) = 0;
  virtual void text(const std::string& key, std::string& value, std::size_t bytes_max) = 0;
  virtual void texts(const std::string& key, std::vector<std::string>& values,
                     Bounds<std::size_t> count_and_bytes) = 0;
  virtual void integers(const std::string& key, std::vector<int>& values, std::size_t count_max,
                        Bounds<int> bounds) = 0;  // of each
  virtual void reals(const std::string& key, std::vector<float>& values, std::size_t count_max,
                     Bounds<float> bounds) = 0;  // of each; never NaN
  virtual void file(const std::string& key, OpenFile& value) = 0;
  virtual void files(const std::string& key, std::vector<OpenFile>& values) = 0;  // of one frame
  virtual void floats(const std::string& key, std::vector<float>& values) = 0;    // bit for bit
  virtual void refuse(const std::string& key) = 0;

  void real(const std::string& key, float& value, Bounds<double> bounds);
  void choice(const std::string& key, std::size_t& index, std::span<const std::string_view> names);
};

using FieldList = std::function<void(Fields&)>;

Result<TrainerFrame> write_frame(std::string_view kind, const FieldList& list);

class FrameReader {
 public:
  static Result<FrameReader> parse(TrainerFrame frame);
  std::string_view kind() const;
  std::uint64_t id() const;  // 0 where it says none

  // Every field of the list must be there, and every descriptor must belong to one.
  Result<void> read(const FieldList& list);

  FrameReader(FrameReader&&) noexcept;
  FrameReader& operator=(FrameReader&&) noexcept;
  ~FrameReader();

 private:
  struct State;
  explicit FrameReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace freshet
