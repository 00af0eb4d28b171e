// A compiled kernel: its module on the device, and how a geometry becomes launches of its entries.
#pragma once

#include <memory>
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
/// Memory  a split row's partial results lie in the launch's scratch; nothing is allocated.
/// Throws  Error kInternal when rows are longer than those the kernel was compiled for, or when
///         scratch is wanted and not given.
class CudaKernel final : public Kernel {
 public:
  /// `module` is the program's, where several kernels share it; null: it is loaded.
  CudaKernel(std::shared_ptr<Device> device, const KernelSpec& spec, const Schedule& schedule,
             Source source, Program program, std::shared_ptr<Module> module = nullptr);

  void launch(const Geometry& geometry, void* const* pointers,
              const LaunchSite& site) const override;
  int64_t scratch_bytes(const Geometry& geometry) const override;
  const std::string& name() const override { return spec_.name; }
  int64_t code_bytes() const override { return static_cast<int64_t>(program_.image.cubin.size()); }
  double compile_us() const override { return program_.compile_us; }
  KernelListing listing() const override { return listing_of(source_.text, program_); }

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
    void* scratch;
  };
  void launch_pointwise(const Run& run) const;
  void launch_transpose(const Run& run) const;
  void launch_rows(const Run& run) const;
  void launch_split(const Run& run, Extents extents) const;
  void launch_entry(const Run& run, size_t entry, const Extents& extents, Dim3 grid) const;

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
  int64_t partials_ = 0;  // of one chunk of a split row
};

}  // namespace torchweld::cuda
