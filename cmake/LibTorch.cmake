# LibTorch as imported targets: LibTorch::c10, LibTorch::torch_cpu and, where the build of LibTorch has them,
# LibTorch::c10_cuda and LibTorch::torch_cuda.
#
# It does not use find_package(Torch): that demands a CUDA toolkit with nvcc for a LibTorch that was built with CUDA,
# and puts flags of its own on every target of the project.
#
# Looks at, in this order: TORCHWELD_LIBTORCH, each entry of CMAKE_PREFIX_PATH (an unpacked LibTorch, or a
# site-packages folder, or the `torch` folder in one), the cached environment that cmake/dependencies.sh makes.

if(TARGET LibTorch::torch_cpu)
  return()
endif()

if(DEFINED ENV{TORCHWELD_CACHE})
  set(_torchweld_cache "$ENV{TORCHWELD_CACHE}")
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(_torchweld_cache "$ENV{XDG_CACHE_HOME}/torchweld")
else()
  set(_torchweld_cache "$ENV{HOME}/.cache/torchweld")
endif()
file(GLOB _torchweld_venvs "${_torchweld_cache}/venv-*/lib/python3*/site-packages/torch")
list(SORT _torchweld_venvs COMPARE NATURAL ORDER DESCENDING)

set(_torchweld_prefixes ${CMAKE_PREFIX_PATH} $ENV{CMAKE_PREFIX_PATH})
string(REPLACE ":" ";" _torchweld_prefixes "${_torchweld_prefixes}")
find_path(TORCHWELD_LIBTORCH lib/libtorch_cpu.so
  PATHS ${_torchweld_prefixes} ${_torchweld_venvs}
  PATH_SUFFIXES . torch libtorch
  NO_DEFAULT_PATH
  DOC "Folder of LibTorch: the one with include/ and lib/libtorch_cpu.so")
if(NOT TORCHWELD_LIBTORCH)
  message(FATAL_ERROR
    "LibTorch was not found. Run cmake/dependencies.sh, which fetches it, "
    "or name an existing one with -DCMAKE_PREFIX_PATH=/path/to/libtorch")
endif()

function(_torchweld_import name)
  set(library "${TORCHWELD_LIBTORCH}/lib/lib${name}.so")
  if(NOT EXISTS "${library}")
    return()
  endif()
  add_library(LibTorch::${name} SHARED IMPORTED)
  set_target_properties(LibTorch::${name} PROPERTIES
    IMPORTED_LOCATION "${library}"
    INTERFACE_INCLUDE_DIRECTORIES "${TORCHWELD_LIBTORCH}/include")
  target_link_libraries(LibTorch::${name} INTERFACE ${ARGN})
endfunction()

# The libraries of a wheel find their nvidia-* packages by their own rpath; nothing needs to be added for them.
_torchweld_import(c10)
_torchweld_import(torch_cpu LibTorch::c10)
_torchweld_import(c10_cuda LibTorch::c10)
_torchweld_import(torch_cuda LibTorch::torch_cpu LibTorch::c10_cuda)
# torch/script.h and torch/nn.h live beside the plain headers.
set_property(TARGET LibTorch::torch_cpu APPEND PROPERTY INTERFACE_INCLUDE_DIRECTORIES
  "${TORCHWELD_LIBTORCH}/include/torch/csrc/api/include")
