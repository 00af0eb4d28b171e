// What a test process's kernels are compiled from, kept for tests/architectures/.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "kernels/cuda/backend.h"

namespace torchweld::virtual_gpu {

/// The back end, whose sources are files of the folder TORCHWELD_KEPT_SOURCES from now on; safe for
/// many processes. Without that variable nothing is kept.
std::shared_ptr<cuda::CudaBackend> with_kept_sources(std::shared_ptr<cuda::CudaBackend> backend);

/// What was kept in a folder.
std::vector<cuda::Source> kept_sources(const std::filesystem::path& folder);

}  // namespace torchweld::virtual_gpu
