// One product as cuBLASLt describes it.
#pragma once

#include <vector>

#include "kernels/cuda/cublaslt_library.h"

namespace torchweld::cuda::cublaslt {

/// What cuBLAS itself takes on Hopper; older devices need less and get the same.
inline constexpr int64_t kWorkspaceBytes = int64_t{32} << 20;

/// Descriptors of a request. Immutable once made, but for the bias pointer, which is an attribute
/// of the description: a copy of it is made for each run.
///
/// Throws  Error kDevice, with the shape, when the library refuses.
class Product {
 public:
  explicit Product(const BlasRequest& request);

  /// Up to `most` algorithms that can run the request, the one that the library expects to be the
  /// fastest first; at least one.
  std::vector<cublasLtMatmulAlgo_t> candidates(cublasLtHandle_t handle, int most) const;
  /// Whether an algorithm from elsewhere can run it, with the workspace that there is.
  bool takes(cublasLtHandle_t handle, const cublasLtMatmulAlgo_t& algorithm) const;

  void run(cublasLtHandle_t handle, const cublasLtMatmulAlgo_t& algorithm,
           const BlasOperands& operands, Stream stream) const;

 private:
  void layout(Owned<cublasLtMatrixLayout_t>* out, int64_t rows, int64_t columns, int64_t ld,
              int64_t batch_stride);
  template <class T>
  void set(cublasLtMatmulDesc_t description, cublasLtMatmulDescAttributes_t which, T value) const;
  void describe_to(Owned<cublasLtMatmulDesc_t>* out, const void* bias) const;
  void prefer(Owned<cublasLtMatmulPreference_t>* out) const;

  const Library& lt_;
  BlasShape shape_;
  uint32_t alignment_;
  cublasComputeType_t compute_;
  cudaDataType_t scale_;
  Owned<cublasLtMatrixLayout_t> a_, b_, c_, d_;
};

}  // namespace torchweld::cuda::cublaslt
