# Sets TORCH_LIBRARIES and TORCH_INCLUDE_DIRS: of the LibTorch that CMake finds (Debian's, or any under CMAKE_PREFIX_PATH), or
# of the one under FRESHET_TORCH_ROOT, taken as it lies there. The second way is for the torch package of a Python environment:
# its own CMake files ask for the CUDA toolkit that it was built with, which a machine without a GPU does not have and which
# computing on the CPU does not need.

set(FRESHET_TORCH_ROOT "" CACHE PATH "A LibTorch with include/ and lib/, such as site-packages/torch; empty: what CMake finds")
option(FRESHET_TORCH_CUDA "With FRESHET_TORCH_ROOT: link its CUDA half too, for --device cuda" OFF)

if(FRESHET_TORCH_ROOT)
  set(libraries c10 torch_cpu)
  if(FRESHET_TORCH_CUDA)
    list(APPEND libraries c10_cuda torch_cuda)
    add_link_options(-Wl,--no-as-needed)  # nothing of ours names them: they register themselves when they are loaded
  endif()
  set(TORCH_LIBRARIES "")
  foreach(library ${libraries})
    find_library(FRESHET_LIB_${library} ${library} PATHS ${FRESHET_TORCH_ROOT}/lib NO_DEFAULT_PATH REQUIRED)
    list(APPEND TORCH_LIBRARIES ${FRESHET_LIB_${library}})
  endforeach()
  # Its own headers alone: beside them lie other versions of libraries that we link, {fmt} among them.
  set(headers ${CMAKE_BINARY_DIR}/libtorch-headers)
  file(MAKE_DIRECTORY ${headers})
  foreach(folder ATen c10 caffe2 torch)
    if(EXISTS ${FRESHET_TORCH_ROOT}/include/${folder})
      file(CREATE_LINK ${FRESHET_TORCH_ROOT}/include/${folder} ${headers}/${folder} SYMBOLIC)
    endif()
  endforeach()
  set(TORCH_INCLUDE_DIRS ${headers} ${headers}/torch/csrc/api/include)
  message(STATUS "LibTorch: ${FRESHET_TORCH_ROOT}")
else()
  find_package(Torch REQUIRED)
endif()
