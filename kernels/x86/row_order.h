// In which order LibTorch's kernels round rows, as far as generated code follows them: sums, and
// softmax, whose weights become shares.
#pragma once

#include "kernels/spec.h"

namespace torchweld::x86 {

/// Source  LibTorch 2.11: vectorized_inner_sum in SumKernel.cpp, vec_reduce_all in
///         ATen/cpu/vec/functional_base.h.
enum class SumOrder : uint8_t {
  kBlocks,   ///< of our own
  kCascade,  ///< sum and mean: emitted_cascade.h
  kChain,    ///< softmax's weights: one partial sum a lane over the whole row
};

/// The order of the sum that is instruction `sum`. Moments, whose order in LibTorch is another one,
/// have our own, which is faster. A softmax that is written out is taken for one.
SumOrder order_of_sum(const std::vector<Inst>& body, int16_t sum);

/// The spec with each weight over the weights' sum, in rows along memory, as a product with the
/// sum's inverse: one division a row. Rows across memory are divided there, too, and stay.
///
/// Source  vec_softmax_lastdim in SoftMaxKernel.cpp, LibTorch 2.11.
KernelSpec with_inverse_sums(const KernelSpec& spec);

}  // namespace torchweld::x86
