// Attention on a CUDA device.
#pragma once

#include <memory>
#include <string>

#include "kernels/attention.h"
#include "kernels/cuda/loaded_programs.h"

namespace torchweld::cuda {

/// Whether the kernel is written for `shape`; if not, why.
bool accepts_attention(const AttentionShape& shape, std::string* why);

/// Compiles and launches. Head sizes are 32 to 128, multiples of 8.
class Attention : public AttentionKernels {
 public:
  explicit Attention(std::shared_ptr<Compiler> compiler) : programs_(std::move(compiler)) {}

  bool accepts(const AttentionShape& shape, std::string* why) const override {
    return accepts_attention(shape, why);
  }
  static Source source_of(const AttentionShape& shape);
  int64_t scratch_bytes(const AttentionShape&) const override { return 0; }
  void prepare(const AttentionShape& shape) override;
  void launch(const AttentionShape& shape, const AttentionPointers& pointers,
              const LaunchSite& site) override;

  KernelListing listing(const AttentionShape& shape) override;

 private:
  const LoadedPrograms::Loaded& loaded(const AttentionShape& shape);

  LoadedPrograms programs_;
};

}  // namespace torchweld::cuda
