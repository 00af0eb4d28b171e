// Matrix products on the host with cuBLASLt's argument semantics: what checks the planner's leading
// dimensions, transpositions, strides and epilogues on machines without a GPU.
#pragma once

#include "kernels/cuda/blas.h"

namespace torchweld::virtual_gpu {

/// Plain loops over host memory, float64 inside; the stream has no meaning.
///
/// Throws  Error kDevice for arguments that cuBLASLt refuses: a leading dimension smaller than its
/// column, a null operand, no workspace.
class HostBlas final : public cuda::Blas {
 public:
  int64_t workspace_bytes() const override { return 256; }
  void run(const cuda::BlasShape& shape, const cuda::BlasOperands& operands, bool allow_tf32,
           cuda::Stream stream) override;
  std::string description() const override { return "host twin of cuBLASLt"; }
};

}  // namespace torchweld::virtual_gpu
