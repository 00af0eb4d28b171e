// The device that the CUDA tests run on, and the back end on it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/backend.h"
#include "tests/kernels/cuda/case.h"

namespace torchweld {

/// Memory traffic since the device was asked last.
struct Traffic {
  int64_t sectors = 0, ideal_sectors = 0;        ///< of 32 bytes, of global memory
  int64_t wavefronts = 0, ideal_wavefronts = 0;  ///< of shared memory: bank conflicts add to them
};

/// A virtual GPU of this compute capability; it reports races and accesses out of bounds as errors.
/// jitter  approximate instructions are up to two ulps off
std::shared_ptr<cuda::Device> make_virtual_device(int capability = 90, bool jitter = true);
Traffic take_traffic(cuda::Device& device);

/// The back end of all tests of this process, with nothing on disk.
cuda::CudaBackend& shared_backend();
cuda::Device& shared_device();

/// Launches with the scratch that the kernel wants, and waits.
void launch_and_wait(const Kernel& kernel, const Geometry& geometry, void* const* pointers,
                     cuda::Device& device);

/// Runs a case; difference_from_reference.
std::string difference(const Case& c, const Kernel& kernel, cuda::Device& device);

/// A case on a skeleton that is right for it.
struct ScheduledCase {
  Case c;
  cuda::Schedule schedule;
  cuda::Fit fit;
};

/// A case on every skeleton that is right for it.
std::vector<ScheduledCase> on_every_skeleton(const Case& c);

/// Compiles all of them side by side, then runs each: one message for each that differs.
std::vector<std::string> differences(const std::vector<ScheduledCase>& cases);

/// An empty folder that is deleted with it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace torchweld
