#pragma once
// Descriptors of text in memory, for tests.

#include <sys/mman.h>

#include <string_view>

#include "base/files.h"
#include "model/files/model_files.h"

namespace freshet {

inline UniqueFd text_fd(std::string_view text) {
  UniqueFd fd(::memfd_create("test", MFD_CLOEXEC));
  if (!write_all(fd.get(), as_bytes(text), "test")) fd.reset();
  return fd;
}

inline OpenFile text_file(std::string name, std::string_view text) {
  return {std::move(name), text_fd(text)};
}

inline ModelFiles toy_model_files() {
  ModelFiles files;
  files.config = text_file("config.json", "{ }");
  files.tokenizer = text_file("tokenizer.json", "12345");
  files.weights.push_back(text_file("model.safetensors", "1234567"));
  return files;
}

}  // namespace freshet
