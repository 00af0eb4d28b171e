# cmake -DOUTPUT=<file.cpp> -P embed_skeletons.cmake <file.cuh>...: the files as C++ string literals, for skeleton_headers.h.
set(entries "")
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
  set(path "${CMAKE_ARGV${i}}")
  if(NOT path MATCHES "\\.cuh$")
    continue()
  endif()
  file(READ "${path}" text)
  cmake_path(GET path FILENAME name)
  string(APPEND entries "      {\"${name}\", R\"cuh(${text})cuh\"},\n")
endforeach()
file(WRITE "${OUTPUT}" "// Made by cmake/embed_skeletons.cmake.
#include \"kernels/cuda/skeleton_headers.h\"

namespace torchweld::cuda {

const std::vector<Header>& skeleton_headers() {
  static const std::vector<Header> headers = {
${entries}  };
  return headers;
}

}  // namespace torchweld::cuda
")
