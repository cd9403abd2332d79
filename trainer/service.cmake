# The half of the trainer that needs no LibTorch: its conversation with the daemon and its sandbox.
include_guard(GLOBAL)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
freshet_library(trainer_service
  SOURCES ${CMAKE_SOURCE_DIR}/trainer/service.cpp ${CMAKE_SOURCE_DIR}/trainer/sandbox.cpp
  PUBLIC freshet_model PRIVATE PkgConfig::SECCOMP)
