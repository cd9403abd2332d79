#pragma once
// The coordinator's table of nodes: every certificate the authority gave a node, in
// FOLDER/directory.certificates. A node is in while its certificate stands under the trust in use,
// so that a revocation or an expiry shuts it out without another word. Asked on several threads.

#include <map>
#include <set>

#include "membership/trust_store.h"

namespace freshet::membership {

class Directory {
 public:
  // What is in the file and does not verify is left out: the authority is asked again for it.
  static Result<std::shared_ptr<Directory>> open(const Path& folder,
                                                 std::shared_ptr<TrustStore> trust);

  // Certificates in the authority's order; durable, then in use. kRefused: one that no issuer of
  // this root signed; nothing is taken then.
  Result<void> take(const std::vector<Bytes>& certificates);
  std::uint64_t newest() const;  // serial: what to ask the authority after

  struct Entry {
    Certificate certificate;
    Bytes bytes;
  };
  // The nodes that are in at `now_s`, by device.
  std::vector<Entry> standing(std::int64_t now_s) const;
  // Keys whose certificate was revoked or replaced: not even another list may let them in.
  std::vector<TransportPublic> revoked() const;
  std::size_t size() const;

 private:
  Directory(Path file, std::shared_ptr<TrustStore> trust);
  void insert(const Certificate& certificate, Bytes bytes);

  const Path file_;
  const std::shared_ptr<TrustStore> trust_;
  mutable std::mutex mutex_;  // guards what follows
  std::map<NodeId, Entry> nodes_;
  std::set<TransportPublic> replaced_;  // by a later certificate of the same device
  std::uint64_t newest_ = 0;
};

}  // namespace freshet::membership
