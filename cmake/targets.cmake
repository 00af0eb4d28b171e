# What every target of ours shares, as usage requirements: never as global flags.

find_program(TORCHWELD_CCACHE ccache)
if(TORCHWELD_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Paths below the source folder are hashed relative to it, so that another clone finds what this one compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" CCACHE_NOHASHDIR=1
    "${TORCHWELD_CCACHE}")
endif()

option(TORCHWELD_WARNINGS_AS_ERRORS "Warnings in Torchweld's own sources are errors" ${PROJECT_IS_TOP_LEVEL})

add_library(torchweld_strict INTERFACE)
target_compile_features(torchweld_strict INTERFACE cxx_std_20)
# Members left out of a braced list have default initialisers; GCC warns all the same.
target_compile_options(torchweld_strict INTERFACE -Wall -Wextra -Wno-missing-field-initializers
  $<$<BOOL:${TORCHWELD_WARNINGS_AS_ERRORS}>:-Werror>)

# Repository-root includes ("kernels/spec.h"), and the public headers as installed (<torchweld/error.h>).
add_library(torchweld_layout INTERFACE)
target_include_directories(torchweld_layout INTERFACE
  "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/engine/include")

# Declares torchweld_<folder>: an object library of every source below the calling folder.
function(torchweld_folder)
  cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME folder)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
  add_library(torchweld_${folder} OBJECT ${sources})
  set_target_properties(torchweld_${folder} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(torchweld_${folder} PRIVATE torchweld_strict PUBLIC torchweld_layout)
endfunction()
