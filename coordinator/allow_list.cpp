#include "coordinator/allow_list.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"

namespace freshet {
namespace {

bool is_name(std::string_view name) {
  auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !name.empty() && name.size() <= limits::kNodeNameBytesMax &&
         std::all_of(name.begin(), name.end(), fits);
}

std::string_view stripped(std::string_view line) {
  line = line.substr(0, line.find('#'));
  const auto first = line.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

Result<AllowedNode> parse_node(std::string_view name, std::string_view identity) {
  if (!is_name(name))
    return fail(Code::kBadInput,
                fmt::format("\"{}\" is no node name: use 1 to {} letters, digits, '-', '_' or '.'",
                            name, limits::kNodeNameBytesMax));
  TRY_ASSIGN(PublicIdentity parsed, public_identity_from_text(identity));
  return AllowedNode{std::string(name), parsed};
}

}  // namespace

Result<AllowList> AllowList::parse(std::string_view text, std::string_view source) {
  AllowList list;
  for (int number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = stripped(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    const std::string where = fmt::format("{}:{}", source, number);
    const auto space = line.find_first_of(" \t");
    if (space == std::string_view::npos)
      return fail(Code::kBadInput, where + ": want \"NAME IDENTITY\"");
    auto node = parse_node(line.substr(0, space), stripped(line.substr(space)));
    if (!node) return fail_in(where, node.error());
    if (auto inserted = list.insert(std::move(*node)); !inserted) {
      return fail(Code::kBadInput, where + ": " + inserted.error().what);
    }
  }
  return list;
}

Result<AllowList> AllowList::load(const Path& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return AllowList{};
  TRY_ASSIGN(std::string text, read_file(file, limits::kAllowListBytesMax));
  return parse(text, file.string());
}

Result<void> AllowList::insert(AllowedNode node) {
  const NodeId id = node.identity.id();
  if (by_name_.contains(node.name))
    return fail(Code::kRefused, fmt::format("node name \"{}\" is already allowed", node.name));
  const AllowedNode* other = find(node.identity.transport);
  if (other == nullptr) other = find(id);
  if (other != nullptr)
    return fail(Code::kRefused, fmt::format("this key is already allowed as \"{}\"", other->name));
  by_name_.emplace(node.name, id);
  by_transport_.emplace(node.identity.transport, id);
  nodes_.emplace(id, std::move(node));
  return {};
}

const AllowedNode* AllowList::find(const TransportPublic& key) const {
  auto found = by_transport_.find(key);
  return found == by_transport_.end() ? nullptr : find(found->second);
}

const AllowedNode* AllowList::find(NodeId id) const {
  auto found = nodes_.find(id);
  return found == nodes_.end() ? nullptr : &found->second;
}

Result<void> allow_node(const Path& file, std::string_view name, std::string_view identity) {
  TRY_ASSIGN(AllowedNode node, parse_node(name, identity));
  TRY_ASSIGN(AllowList list, AllowList::load(file));
  TRY(list.insert(node));
  std::error_code error;
  std::string text;
  if (std::filesystem::exists(file, error)) {
    TRY_ASSIGN(text, read_file(file, limits::kAllowListBytesMax));
    if (!text.empty() && text.back() != '\n') text += '\n';
  }
  text += fmt::format("{} {}\n", node.name, to_text(node.identity));
  return write_file_durably(file, as_bytes(text), 0600);
}

Result<std::shared_ptr<AllowedNodes>> AllowedNodes::open(Path file) {
  std::shared_ptr<AllowedNodes> nodes(new AllowedNodes(std::move(file)));
  TRY(nodes->refresh());
  return nodes;
}

bool AllowedNodes::admits(const TransportPublic& key) const { return list()->find(key) != nullptr; }

std::shared_ptr<const AllowList> AllowedNodes::list() const {
  std::lock_guard lock(mutex_);
  return list_;
}

Result<void> AllowedNodes::refresh() {
  struct stat info {};
  if (::stat(file_.c_str(), &info) != 0) info = {};
  const std::int64_t changed_ns = info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec;
  if (changed_ns == changed_ns_ && static_cast<std::uint64_t>(info.st_size) == size_) return {};
  changed_ns_ = changed_ns;
  size_ = static_cast<std::uint64_t>(info.st_size);
  TRY_ASSIGN(listed_, AllowList::load(file_));
  merge();
  return {};
}

void AllowedNodes::certify(std::vector<AllowedNode> nodes,
                           const std::vector<TransportPublic>& revoked) {
  certified_ = std::move(nodes);
  revoked_ = {revoked.begin(), revoked.end()};
  merge();
}

void AllowedNodes::merge() {
  AllowList merged;
  for (const auto& [id, node] : listed_.nodes()) {
    const TransportPublic& key = node.identity.transport;
    if (!revoked_.contains(key)) {
      (void)merged.insert(node);
    } else if (told_.insert(key).second) {
      log::warning(
          "{}: the keys of node \"{}\" were revoked or replaced; its line no longer counts: "
          "take it out",
          file_.string(), node.name);
    }
  }
  for (const AllowedNode& node : certified_)  // a key that the file has, too, is refused here
    (void)merged.insert(node);
  auto shared = std::make_shared<const AllowList>(std::move(merged));
  std::lock_guard lock(mutex_);
  list_ = std::move(shared);
}

}  // namespace freshet
