#include "edge_node/private_text.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/log.h"
#include "crypto/digest.h"
#include "model/text/text_folder.h"

namespace freshet {
namespace {

constexpr std::int64_t kDayS = 24 * 3600;
constexpr std::int64_t kGoneS =
    30 * kDayS;  // a file that was not seen for so long is no more known

constexpr std::size_t kSettledBytesMax = 64;

Path settled_file(const Path& folder) { return folder / "forgotten" / "settled"; }

PersonalAction action_of(PersonalData personal) {
  switch (personal) {
    case PersonalData::kKeep: return PersonalAction::kKeep;
    case PersonalData::kMask: return PersonalAction::kMask;
    case PersonalData::kDrop: return PersonalAction::kDrop;
  }
  return PersonalAction::kMask;
}

// Those gone for long, unless a retention rests on when they were first seen.
void drop_old(SeenFiles& seen, const DataRules& rules, std::int64_t now_s) {
  const std::int64_t kept_s = std::max(kGoneS, std::int64_t{rules.retention_days} * 2 * kDayS);
  std::erase_if(seen, [&](const auto& each) { return now_s - each.second.last_s > kept_s; });
}

}  // namespace

PrivateText::PrivateText(Options options) : options_(std::move(options)) {
  auto settled = read_file(settled_file(options_.folder), kSettledBytesMax);
  if (settled) settled_ = std::strtoll(settled->c_str(), nullptr, 10);
}

Result<void> PrivateText::settle() {
  const std::int64_t state = Forgotten::state_of(options_.folder);
  const std::string text = std::to_string(state) + "\n";
  TRY(make_folders(settled_file(options_.folder).parent_path(), 0700));
  TRY(write_file_durably(settled_file(options_.folder), as_bytes(text), 0600));
  settled_ = state;
  return {};
}

Result<std::vector<PrivateText::File>> PrivateText::look() const {
  TRY_ASSIGN(std::vector<OpenFile> opened, open_text_folder(options_.data));
  std::vector<File> files;
  files.reserve(opened.size());
  for (OpenFile& each : opened) {
    TRY_ASSIGN(const FileMark mark, mark_of(each.fd, each.name));
    files.push_back({std::move(each), mark});
  }
  return files;
}

Digest PrivateText::state_of(const std::vector<File>& files) {
  std::string text;
  for (const File& file : files)
    text += fmt::format("{}\n{} {} {} {}\n", file.open.name, file.mark.device, file.mark.inode,
                        file.mark.bytes, file.mark.modified_ns);
  return digest_of(as_bytes(text));
}

std::string PrivateText::reason_against(const File& file, const SeenFile& seen,
                                        const Forgotten& forgotten, std::int64_t now_s) const {
  if (forgotten.covers(file.open.name, file.mark)) return "forgotten";
  const std::int64_t days = options_.rules.retention_days;
  if (days > 0 && now_s - seen.first_s >= days * kDayS)
    return fmt::format("older than {} days", days);
  return {};
}

Result<OpenText> PrivateText::open(std::int64_t now_s) {
  const std::int64_t forgotten_state = Forgotten::state_of(options_.folder);
  TRY_ASSIGN(const Forgotten forgotten, Forgotten::load(options_.folder));
  TRY_ASSIGN(SeenFiles seen, load_seen(options_.folder));
  TRY_ASSIGN(std::vector<File> files, look());
  state_ = state_of(files);
  opened_s_ = now_s;
  forgotten_state_ = forgotten_state;
  expires_s_ = 0;
  OpenText request;
  for (File& file : files) {
    const std::string name = known_path(file.open.name).string();
    SeenFile& known = seen.try_emplace(name, SeenFile{now_s, now_s, 0, 0, {}}).first->second;
    known.last_s = now_s;
    known.bytes = file.mark.bytes;
    known.left_out = reason_against(file, known, forgotten, now_s);
    if (!known.left_out.empty()) continue;
    const std::int64_t expires_s = known.first_s + options_.rules.retention_days * kDayS;
    if (options_.rules.retention_days > 0 && (expires_s_ == 0 || expires_s < expires_s_))
      expires_s_ = expires_s;
    request.files.push_back(std::move(file.open));
  }
  drop_old(seen, options_.rules, now_s);
  TRY(save_seen(options_.folder, seen));
  if (request.files.empty())
    return fail(
        Code::kExpired,
        fmt::format("{}: none of its {} text files may be used any more (`freshet node text "
                    "--dir {}` says why); add text, or change [data] in the policy file",
                    options_.data.string(), files.size(), options_.folder.string()));
  request.heldout_share = options_.heldout_share;
  request.salt = options_.salt;
  request.personal = action_of(options_.rules.personal);
  return request;
}

// A folder that cannot be read is told of when it is opened.
bool PrivateText::changed(std::int64_t now_s) const {
  if (Forgotten::state_of(options_.folder) != forgotten_state_ ||
      (expires_s_ != 0 && now_s >= expires_s_))
    return true;
  const auto files = look();
  return !files || state_of(*files) != state_;
}

Result<void> PrivateText::note_training() {
  TRY_ASSIGN(SeenFiles seen, load_seen(options_.folder));
  for (auto& [name, file] : seen)
    if (file.left_out.empty() && file.last_s == opened_s_) ++file.trainings;
  return save_seen(options_.folder, seen);
}

}  // namespace freshet
