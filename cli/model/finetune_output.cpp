#include "cli/model/finetune_output.h"

#include <algorithm>

#include "base/json.h"
#include "model/files/output_folder.h"

namespace freshet {
namespace {

namespace fs = std::filesystem;

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
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
  fs::remove(output.state_, ignored);
  return output;
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
    for (const std::string& begin :
         {folder_.filename().string() + ".tmp", state_.filename().string() + ".tmp"})
      if (name.rfind(begin, 0) == 0 && is_number(std::string_view(name).substr(begin.size())))
        found.push_back(at->path());
  }
  for (const Path& path : found) fs::remove_all(path, ignored);
}

}  // namespace freshet
