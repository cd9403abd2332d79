# The tests of the trainer's torch-free half, in builds with and without LibTorch.
include_guard(GLOBAL)
set(here ${CMAKE_CURRENT_LIST_DIR})
freshet_binary(trainer_test_server SOURCES ${here}/trainer_test_server.cpp ${here}/toy_backend.cpp
  LINK freshet_trainer_service)
set_target_properties(trainer_test_server PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
freshet_test(trainer_service
  SOURCES ${here}/test_frames.cpp ${here}/test_messages.cpp ${here}/test_process.cpp ${here}/test_sandbox.cpp ${here}/test_service.cpp
          ${here}/toy_backend.cpp
  LINK freshet_trainer_service)
add_dependencies(test_trainer_service trainer_test_server)
