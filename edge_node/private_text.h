#pragma once
// The folder of a node's private text: which of its files may train now, as descriptors for the
// trainer. Looks at names, sizes and times, never into a file. Remembers what it has seen.

#include "edge_node/forgotten.h"
#include "edge_node/seen_files.h"
#include "model/process/trainer_messages.h"
#include "protocol/device_rules.h"

namespace freshet {

class PrivateText {
 public:
  struct Options {
    Path data, folder;  // of the text; the node's own
    DataRules rules;
    double heldout_share = 0.1;
    std::string salt;  // this node's own, the same for ever
  };
  explicit PrivateText(Options options);

  // The files that are there and may be used, and what the trainer has to do with them; what was
  // seen is on disk when this returns. kExpired where there are files and none may be used.
  Result<OpenText> open(std::int64_t now_s);
  // Whether a file came, went or changed since open(), or one may no longer be used.
  bool changed(std::int64_t now_s) const;
  // Whether a path was forgotten since settle(), which is durable: what was learned of it and has
  // not left goes before that.
  bool forgot() const { return Forgotten::state_of(options_.folder) != settled_; }
  Result<void> settle();
  // The files of open() were in one more training.
  Result<void> note_training();

 private:
  struct File {
    OpenFile open;
    FileMark mark;
  };
  static Digest state_of(const std::vector<File>& files);
  Result<std::vector<File>> look() const;
  std::string reason_against(const File& file, const SeenFile& seen, const Forgotten& forgotten,
                             std::int64_t now_s) const;

  Options options_;
  Digest state_{};                    // of the folder at open()
  std::int64_t opened_s_ = 0;         // when
  std::int64_t forgotten_state_ = 0;  // then
  std::int64_t settled_ = 0;
  std::int64_t expires_s_ = 0;  // the next of the files in use; 0: none does
};

}  // namespace freshet
