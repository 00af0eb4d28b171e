// A compiled kernel: its module on the device, and how a geometry becomes launches of its entries.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kernels/cuda/arguments.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/program.h"
#include "kernels/cuda/schedule.h"
#include "kernels/cuda/source.h"
#include "kernels/cuda/vector_width.h"

namespace torchweld::cuda {

/// Launches the entries of one module.
///
/// Memory  a split row's partial results lie in a workspace of its own for each stream, made by the
/// first launch there (a larger geometry waits for the stream and makes another); others allocate
/// nothing. Launches on one stream follow one another, so they may share it.
/// Throws  Error kInternal when rows are longer than those the kernel was compiled for.
class CudaKernel final : public Kernel {
 public:
  /// `module` is the program's, where several kernels share it; null: it is loaded.
  CudaKernel(std::shared_ptr<Device> device, const KernelSpec& spec, const Schedule& schedule,
             Source source, Program program, std::shared_ptr<Module> module = nullptr);
  ~CudaKernel() override;
  CudaKernel(const CudaKernel&) = delete;
  CudaKernel& operator=(const CudaKernel&) = delete;

  void launch(const Geometry& geometry, void* const* pointers,
              const LaunchSite& site) const override;
  const std::string& name() const override { return spec_.name; }
  int64_t code_bytes() const override { return static_cast<int64_t>(program_.image.cubin.size()); }
  double compile_us() const override { return program_.compile_us; }
  KernelListing listing() const override;

  const Schedule& schedule() const { return schedule_; }
  /// By entry name.
  const std::vector<std::pair<std::string, Resources>>& resources() const {
    return program_.kernels;
  }

 private:
  /// One launch under way.
  struct Run {
    const Geometry& geometry;
    void* const* pointers;
    Stream stream;
  };
  void launch_pointwise(const Run& run) const;
  void launch_transpose(const Run& run) const;
  void launch_rows(const Run& run) const;
  void launch_split(const Run& run, Extents extents) const;
  void launch_entry(const Run& run, size_t entry, const Extents& extents, Dim3 grid) const;
  void* workspace(int64_t bytes, Stream stream) const;

  std::shared_ptr<Device> device_;
  KernelSpec spec_;
  Schedule schedule_;
  Source source_;
  Program program_;
  std::shared_ptr<Module> module_;
  std::vector<const Function*> functions_;  // by entry
  // Known before, so that launches allocate nothing.
  std::vector<VectorOperand> vector_operands_;
  int phases_ = 1;
  int64_t reductions_ = 0;
  mutable std::mutex mutex_;  // of the workspaces
  mutable std::map<Stream, std::pair<void*, int64_t>> workspaces_;
};

}  // namespace torchweld::cuda
