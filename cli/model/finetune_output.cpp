#include "cli/model/finetune_output.h"

#include <signal.h>

#include <cerrno>
#include <charconv>

#include "base/json.h"
#include "model/files/output_folder.h"

namespace freshet {
namespace {

namespace fs = std::filesystem;

// Whether `text` is the number of a process that is no more.
bool names_ended_process(std::string_view text) {
  pid_t process = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), process);
  return error == std::errc{} && end == text.data() + text.size() && process > 0 &&
         ::kill(process, 0) != 0 && errno == ESRCH;
}

// Whether all that stands there is what a fine-tuning writes.
bool is_unfinished_adapter(const Path& folder) {
  std::error_code error;
  if (fs::symlink_status(folder, error).type() != fs::file_type::directory) return false;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.rfind("adapter_", 0) != 0 && name.rfind("directions.json", 0) != 0) return false;
    if (at->symlink_status(error).type() != fs::file_type::regular) return false;
  }
  return !error;
}

bool is_file(const Path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() == fs::file_type::regular;
}

}  // namespace

Result<FinetuneOutput> FinetuneOutput::open(const Path& asked, bool resume, bool replace) {
  const Path folder = asked.has_filename() ? asked : asked.parent_path();  // "out/" is "out"
  // Begun and left at once: whatever would stand in the way in the end is said now.
  TRY(OutputFolder::begin(folder, replace));
  FinetuneOutput output(folder, resume, replace);
  std::error_code ignored;
  if (resume || !fs::exists(output.state_, ignored)) return output;
  if (!replace)
    return fail(Code::kRefused, output.state_.string() +
                                    " holds a training that was broken off; go on with it "
                                    "(--resume) or start anew (--force)");
  return output;
}

void FinetuneOutput::forget_saved() const {
  std::error_code ignored;
  if (replace_ && !resume_) fs::remove(state_, ignored);
}

Result<std::optional<Checkpoint>> FinetuneOutput::take_saved() const {
  std::error_code ignored;
  if (!resume_ || !fs::exists(state_, ignored)) return std::optional<Checkpoint>();
  TRY_ASSIGN(Checkpoint saved, read_checkpoint(state_));
  return std::optional<Checkpoint>(std::move(saved));
}

Result<void> FinetuneOutput::save(const TrainingTerms& terms, const TrainState& state) const {
  return write_checkpoint(state_, terms, state);
}

Result<void> FinetuneOutput::finish(const ModelConfig& config, const PeftAdapter& adapter,
                                    const std::vector<double>* directions,
                                    std::uint64_t seed) const {
  TRY_ASSIGN(OutputFolder folder, OutputFolder::begin(folder_, replace_));
  TRY(write_peft_folder(folder.path(), config, adapter));
  if (directions != nullptr) {
    const Json json = {
        {"seed", seed}, {"directions", directions->size()}, {"factors", *directions}};
    TRY(write_file_durably(folder.path() / "directions.json", as_bytes(to_text(json) + "\n")));
  }
  TRY(folder.finish());
  std::error_code ignored;
  fs::remove(state_, ignored);
  remove_leftovers();
  return {};
}

// Unfinished files of processes that were killed while they wrote.
void FinetuneOutput::remove_leftovers() const {
  const Path parent = folder_.has_parent_path() ? folder_.parent_path() : Path(".");
  std::error_code error, ignored;
  std::vector<Path> found;
  for (fs::directory_iterator at(parent, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    const auto of_ended = [&](const std::string& begin) {
      return name.rfind(begin, 0) == 0 &&
             names_ended_process(std::string_view(name).substr(begin.size()));
    };
    if ((of_ended(folder_.filename().string() + ".tmp") && is_unfinished_adapter(at->path())) ||
        (of_ended(state_.filename().string() + ".tmp") && is_file(at->path())))
      found.push_back(at->path());
  }
  for (const Path& path : found) fs::remove_all(path, ignored);
}

}  // namespace freshet
