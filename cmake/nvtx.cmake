# torchweld::nvtx, the header-only marks that NVIDIA's profilers show. Comes with CUDA's pip packages, which are beside
# LibTorch's wheel, and with the CUDA toolkit. Without it the marks compile to nothing.

file(GLOB nvidia_includes "${TORCHWELD_LIBTORCH}/../nvidia/*/include")
find_path(TORCHWELD_NVTX_INCLUDE nvtx3/nvToolsExt.h
  HINTS ${nvidia_includes} /usr/local/cuda/include
  DOC "Folder with nvtx3/nvToolsExt.h")

add_library(torchweld_nvtx INTERFACE)
add_library(torchweld::nvtx ALIAS torchweld_nvtx)
if(TORCHWELD_NVTX_INCLUDE)
  # The folder holds all of CUDA's headers. Only the folder of NVTX is wanted: a link keeps the others out of sight.
  set(nvtx_only "${PROJECT_BINARY_DIR}/nvtx")
  file(MAKE_DIRECTORY "${nvtx_only}")
  file(CREATE_LINK "${TORCHWELD_NVTX_INCLUDE}/nvtx3" "${nvtx_only}/nvtx3" SYMBOLIC)
  target_include_directories(torchweld_nvtx SYSTEM INTERFACE "${nvtx_only}")
  target_compile_definitions(torchweld_nvtx INTERFACE TORCHWELD_HAS_NVTX=1)
else()
  target_compile_definitions(torchweld_nvtx INTERFACE TORCHWELD_HAS_NVTX=0)
endif()
target_link_libraries(torchweld_nvtx INTERFACE ${CMAKE_DL_LIBS})
