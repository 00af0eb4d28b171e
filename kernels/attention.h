// Attention as one kernel: softmax(q k' * scale + mask) v. Not a spec: it has two products inside.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string>

#include "kernels/dtype.h"
#include "kernels/kernel.h"

namespace torchweld {

/// One call of attention.
///
/// Shapes   q [batch, heads, queries, head_size], k [batch, kv_heads, keys, head_size], heads a
///          multiple of kv_heads; v and out the same with value_columns(); mask [batch, heads,
///          queries, keys].
/// Strides  elements: batch, head, row, and for the mask column; the last dim of the others is
///          dense. 0 broadcasts. Any start and any strides are right; rows that start at multiples
///          of four elements are read in vectors.
struct AttentionShape {
  DType dtype = DType::kF32;  ///< of q, k, v and out: f32, f16 or bf16
  int64_t batch = 1, heads = 1, kv_heads = 1, queries = 0, keys = 0;
  int64_t head_size = 64;
  bool causal = false;  ///< query i sees keys 0 to i, as scaled_dot_product_attention's is_causal
  DType mask = DType::kOther;  ///< kOther: none; kBool: chooses keys; a float: added to the score
  float scale = 1;
  std::array<int64_t, 3> q_strides{}, k_strides{}, v_strides{}, out_strides{};
  std::array<int64_t, 4> mask_strides{};
  bool mask_keeps = true;  ///< kBool: which of its values lets a key take part
  float masked_score = -std::numeric_limits<float>::infinity();  ///< kBool: of the other keys
  float empty_row = 0;     ///< of a query whose scores are all -inf; softmax written out gives NaN
  int64_t value_size = 0;  ///< columns of v and out; 0: head_size

  int64_t value_columns() const { return value_size == 0 ? head_size : value_size; }
};

/// Pointers of one call; mask may be null where the shape has none.
struct AttentionPointers {
  const void *q = nullptr, *k = nullptr, *v = nullptr, *mask = nullptr;
  void* out = nullptr;
};

/// What runs attention on one device; thread-safe.
///
/// Numerics  f32 throughout; out is rounded once. NaN spreads as in softmax.
/// Aliasing  out overlaps none of the inputs.
class AttentionKernels {
 public:
  virtual ~AttentionKernels() = default;

  /// Whether there is a kernel for `shape`; if not, why.
  virtual bool accepts(const AttentionShape& shape, std::string* why) const = 0;
  /// Memory that a launch needs besides its operands; LaunchSite::scratch.
  virtual int64_t scratch_bytes(const AttentionShape& shape) const = 0;
  /// Compiles what `shape` needs, so that no launch does.
  virtual void prepare(const AttentionShape& shape) = 0;
  /// Of the kernel for `shape`, compiled if it was not; empty where the back end makes no source.
  virtual KernelListing listing(const AttentionShape&) { return {}; }
  /// Neither allocates nor waits after prepare.
  virtual void launch(const AttentionShape& shape, const AttentionPointers& pointers,
                      const LaunchSite& site) = 0;
};

}  // namespace torchweld
