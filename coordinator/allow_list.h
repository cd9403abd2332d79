#pragma once
// Who may connect: the text file DIR/nodes.allowed, one "NAME freshet-id-1:..." a line, `#` starts
// a comment; and whom an authority certified. A list is a value; AllowedNodes is the list in use,
// asked on ZeroMQ's threads, read again when the file changes.

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "crypto/keys.h"

namespace freshet {

struct AllowedNode {
  std::string name;
  PublicIdentity identity;
};

class AllowList {
 public:
  // kBadInput, naming line and cause: a malformed line, a name or a key that stands there twice.
  static Result<AllowList> parse(std::string_view text, std::string_view source);
  static Result<AllowList> load(const Path& file);  // a missing file is an empty list

  Result<void> insert(AllowedNode node);
  const AllowedNode* find(const TransportPublic& key) const;
  const AllowedNode* find(NodeId id) const;
  std::size_t size() const { return nodes_.size(); }
  const std::map<NodeId, AllowedNode>& nodes() const { return nodes_; }

 private:
  std::map<NodeId, AllowedNode> nodes_;
  std::map<TransportPublic, NodeId> by_transport_;
  std::map<std::string, NodeId> by_name_;
};

// Appends a node durably. kBadInput for a malformed name or identity, kRefused for a name or key
// that is there already.
Result<void> allow_node(const Path& file, std::string_view name, std::string_view identity);

class AllowedNodes {
 public:
  static Result<std::shared_ptr<AllowedNodes>> open(Path file);
  bool admits(const TransportPublic& key) const;
  std::shared_ptr<const AllowList> list() const;
  // Reads the file again if it changed since. A file that does not parse leaves the list as it was
  // and is the error.
  Result<void> refresh();
  // The nodes whose certificates stand now, in the place of those before, beside the file's, whose
  // name holds where both know a key. Revoked keys are out, though the file lists them.
  void certify(std::vector<AllowedNode> nodes, const std::vector<TransportPublic>& revoked);

 private:
  explicit AllowedNodes(Path file) : file_(std::move(file)) {}
  void merge();
  Path file_;
  AllowList listed_;  // of the file
  std::vector<AllowedNode> certified_;
  std::set<TransportPublic> revoked_, told_;  // told_: of the file's, and it was said
  std::int64_t changed_ns_ = -1;
  std::uint64_t size_ = 0;
  mutable std::mutex mutex_;  // guards list_
  std::shared_ptr<const AllowList> list_ = std::make_shared<const AllowList>();
};

}  // namespace freshet
