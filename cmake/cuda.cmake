# torchweld::cuda_headers: the headers of the driver, NVRTC and cuBLASLt. Their libraries are opened at run time, when a
# CUDA device is asked for, so nothing links them and one binary runs with and without a driver. nvcc isn't needed.
#
# The headers come with LibTorch's wheel, or with a CUDA toolkit.

file(GLOB cuda_wheel_includes "${TORCHWELD_LIBTORCH}/../nvidia/*/include")
find_path(TORCHWELD_CUDA_INCLUDE nvrtc.h
  HINTS ${cuda_wheel_includes} /usr/local/cuda/include
  DOC "Folder with cuda.h, nvrtc.h and cublasLt.h")
if(NOT TORCHWELD_CUDA_INCLUDE)
  message(FATAL_ERROR
    "CUDA's headers were not found, neither beside LibTorch nor in a toolkit. Run cmake/dependencies.sh, which fetches "
    "them with LibTorch, or name their folder with -DTORCHWELD_CUDA_INCLUDE=/path/to/cuda/include")
endif()
find_path(TORCHWELD_CUDA_LIBRARIES libnvrtc.so.13
  HINTS "${TORCHWELD_CUDA_INCLUDE}/../lib" "${TORCHWELD_CUDA_INCLUDE}/../lib64"
  DOC "Where libnvrtc.so.13 and libcublasLt.so.13 are looked for when the loader's own path has none")

add_library(torchweld_cuda_headers INTERFACE)
add_library(torchweld::cuda_headers ALIAS torchweld_cuda_headers)
target_include_directories(torchweld_cuda_headers SYSTEM INTERFACE "${TORCHWELD_CUDA_INCLUDE}")
target_compile_definitions(torchweld_cuda_headers INTERFACE
  TORCHWELD_CUDA_LIBRARIES="$<IF:$<BOOL:${TORCHWELD_CUDA_LIBRARIES}>,${TORCHWELD_CUDA_LIBRARIES},>")
