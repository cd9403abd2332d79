# freshet_library(name SOURCES ... [PUBLIC ...] [PRIVATE ...]) makes the static library freshet_<name> of one folder or
# of one half of it; freshet_binary makes a program, which the target `programs` builds unless it is a test's; freshet_test
# makes one ctest of one GoogleTest program.

find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(GTest REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# GCC 12 warns about overlapping copies inside its own std::string (-Wrestrict).
add_compile_options(-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wno-restrict -fno-omit-frame-pointer -fstack-protector-strong)
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  add_compile_options(-Werror)
else()
  add_compile_definitions(_FORTIFY_SOURCE=2)
endif()
# A program loads what it uses of what its libraries name.
add_link_options(-Wl,--as-needed)
if(FRESHET_SANITIZE)
  # GCC 12 takes its own instrumentation for uninitialised memory in std::regex and std::function. A null pointer ends the
  # program without a check of every access, which is a third of the compiler's work; `make fuzz` has those checks too.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize=null,alignment,vptr -fno-sanitize-recover=undefined
    -Wno-maybe-uninitialized)
  add_link_options(-fsanitize=address,undefined)
endif()
if(FRESHET_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
endif()

# Sources of one target are compiled some at a time, which reads each header once for all of them: half the work. So names in
# anonymous namespaces are the target's, and a source that needs flags of its own is not batched.
option(FRESHET_BATCHES "Compile several sources at a time" OFF)
function(freshet_batch target)
  if(FRESHET_BATCHES)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)  # takes a batched source for a header
  endif()
endfunction()

function(freshet_library name)
  cmake_parse_arguments(LIB "ALONE" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(freshet_${name} STATIC ${LIB_SOURCES})
  if(NOT LIB_ALONE)
    freshet_batch(freshet_${name})
  endif()
  target_include_directories(freshet_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(freshet_${name} PUBLIC ${LIB_PUBLIC} PRIVATE ${LIB_PRIVATE})
endfunction()

add_custom_target(programs)
function(freshet_binary name)
  cmake_parse_arguments(BIN "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${BIN_SOURCES})
  freshet_batch(${name})
  target_link_libraries(${name} PRIVATE ${BIN_LINK})
  if(NOT CMAKE_CURRENT_SOURCE_DIR MATCHES "^${CMAKE_SOURCE_DIR}/tests")
    add_dependencies(programs ${name})
  endif()
endfunction()

function(freshet_compile_as_test target)
  target_compile_options(${target} PRIVATE -O0 -U_FORTIFY_SOURCE)
endfunction()

# GoogleTest's header, read once for all test programs.
file(WRITE ${CMAKE_BINARY_DIR}/gtest_header.cpp "// Built for its precompiled header.\n")
add_library(freshet_gtest OBJECT EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/gtest_header.cpp)
target_link_libraries(freshet_gtest PRIVATE GTest::gtest fmt::fmt)
freshet_compile_as_test(freshet_gtest)
target_precompile_headers(freshet_gtest PRIVATE <gtest/gtest.h>)

function(freshet_test name)
  cmake_parse_arguments(TEST "OPTIMIZED" "" "SOURCES;LINK" ${ARGN})
  add_executable(test_${name} ${TEST_SOURCES})
  freshet_batch(test_${name})
  target_link_libraries(test_${name} PRIVATE ${TEST_LINK} GTest::gtest_main)
  if(NOT TEST_OPTIMIZED)  # what a test says need not be fast, and compiles in a third of the time
    freshet_compile_as_test(test_${name})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # which reads its text instead where flags differ, as OpenMP's do
      target_precompile_headers(test_${name} REUSE_FROM freshet_gtest)
      set_target_properties(test_${name} PROPERTIES PCH_WARN_INVALID OFF)
    endif()
  endif()
  set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND test_${name} --gtest_brief=1 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES TIMEOUT 600 ENVIRONMENT
    "FRESHET_BIN=${CMAKE_BINARY_DIR}/bin;OMP_WAIT_POLICY=passive;OMP_NUM_THREADS=1;ASAN_OPTIONS=detect_leaks=1;UBSAN_OPTIONS=print_stacktrace=1")
endfunction()

# A fuzz target is one file with LLVMFuzzerTestOneInput. With -DFRESHET_FUZZ=ON (clang) it is a libFuzzer program. With
# sanitizers tests/fuzz/replay_main.cpp drives it with mutated seeds for a few seconds as an ordinary ctest. Without either
# it would see little, and is not built.
function(freshet_fuzz name)
  cmake_parse_arguments(FUZZ "" "" "SOURCES;LINK" ${ARGN})
  if(NOT FRESHET_FUZZ AND NOT FRESHET_SANITIZE)
    return()
  endif()
  if(FRESHET_FUZZ)
    add_executable(fuzz_${name} ${FUZZ_SOURCES})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    if(NOT TARGET freshet_fuzz_replay)
      add_library(freshet_fuzz_replay OBJECT ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cpp)
      target_include_directories(freshet_fuzz_replay PRIVATE ${CMAKE_SOURCE_DIR})
      target_link_libraries(freshet_fuzz_replay PRIVATE freshet_base)
    endif()
    add_executable(fuzz_${name} ${FUZZ_SOURCES} $<TARGET_OBJECTS:freshet_fuzz_replay>)
  endif()
  target_link_libraries(fuzz_${name} PRIVATE ${FUZZ_LINK})
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  if(NOT FRESHET_FUZZ)
    add_test(NAME fuzz_${name} COMMAND fuzz_${name} --seconds 3 --seed 1 ${CMAKE_SOURCE_DIR}/tests/fuzz/seeds/${name}
      WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(fuzz_${name} PROPERTIES TIMEOUT 60)
  endif()
endfunction()
