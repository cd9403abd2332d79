#pragma once
// A folder that stands under its name whole or not at all: filled under another name beside it, then renamed.

#include "base/files.h"
#include "base/result.h"

namespace freshet {

class OutputFolder {
 public:
  // kRefused where something stands there, unless `replace`; a folder that holds no model and no adapter is not
  // replaced even then.
  static Result<OutputFolder> begin(const Path& path, bool replace);

  const Path& path() const { return unfinished_; }  // to write into
  Result<void> finish();                            // after this it stands; what stood there before is gone

  OutputFolder(OutputFolder&& other) noexcept;
  OutputFolder& operator=(OutputFolder&&) = delete;
  ~OutputFolder();  // removes what was not finished

 private:
  OutputFolder(Path path, Path unfinished) : path_(std::move(path)), unfinished_(std::move(unfinished)) {}
  Path path_, unfinished_;
};

// The same rule for a file: kRefused where something stands there, unless `replace` and it is a file.
Result<void> check_output_file(const Path& path, bool replace);

}  // namespace freshet
