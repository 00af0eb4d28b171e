// Matrix products of a device's library, with cuBLASLt's own argument semantics: column-major
// matrices, leading dimensions, an epilogue. cuBLASLt is one implementation (cublaslt.h), the
// virtual GPU's host twin the other.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/cuda/device.h"
#include "kernels/dtype.h"

namespace torchweld::cuda {

/// What happens to a product's elements before they are stored. Gelu is the form with tanh.
enum class Epilogue : uint8_t { kNone, kRelu, kGelu };

/// D = epilogue(alpha * op(A) op(B) + beta * C + bias), `batch` times.
///
/// Shapes   column-major: op(A) is m x k, op(B) k x n, C and D m x n, bias one number a row of D.
///          Leading dimensions and batch strides in elements; a batch stride of 0 repeats a matrix.
/// Types    one dtype for all: f32, f64, f16 or bf16. Halves accumulate in f32, f32 in f32 or,
/// where
///          the caller allows it, in TF32.
struct BlasShape {
  DType dtype = DType::kF32;
  int64_t m = 0, n = 0, k = 0, batch = 1;
  bool transpose_a = false, transpose_b = false;
  int64_t lda = 0, ldb = 0, ldc = 0, ldd = 0;
  int64_t batch_a = 0, batch_b = 0, batch_c = 0, batch_d = 0;
  double alpha = 1, beta = 0;  ///< C is read only when beta isn't 0
  bool has_bias = false;
  Epilogue epilogue = Epilogue::kNone;
  bool operator==(const BlasShape&) const = default;
};

/// "f16 4x8x16 TN batch 3 bias relu", for messages and reports.
std::string describe(const BlasShape& shape);

/// A product before it has operands, as plans know it.
struct BlasRequest {
  BlasShape shape;
  bool allow_tf32 = false;
  int alignment =
      256;  ///< bytes, a power of two: what all operands' first elements are multiples of
  bool operator==(const BlasRequest&) const = default;
};

/// All of it as text: equal requests and no others have the same.
std::string describe(const BlasRequest& request);

struct BlasOperands {
  const void *a = nullptr, *b = nullptr, *c = nullptr, *bias = nullptr;
  void* d = nullptr;
  void* workspace = nullptr;
};

/// A power of two, 256 at most.
int common_alignment(const BlasOperands& operands);

/// Thread-safe.
class Blas {
 public:
  virtual ~Blas() = default;

  /// Bytes that run() wants as workspace; the same for all shapes, so that plans know it
  /// beforehand.
  virtual int64_t workspace_bytes() const = 0;

  /// Chooses the algorithm of a request, so that no run() of one does. With `measure` the
  /// candidates are timed on the device first, which takes milliseconds and waits for it.
  virtual void prepare(const BlasRequest&, bool /*measure*/) {}

  /// Gives the product to the stream. Throws Error kDevice with the shape when the library refuses.
  virtual void run(const BlasShape& shape, const BlasOperands& operands, bool allow_tf32,
                   Stream stream) = 0;

  /// "cuBLASLt 13.1".
  virtual std::string description() const = 0;
};

}  // namespace torchweld::cuda
