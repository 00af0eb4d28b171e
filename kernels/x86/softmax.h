// Softmax in the order in which LibTorch's kernel rounds it: what of a spec is one, and how its
// weights become shares. Rows of other formulas, written out ones among them, are no concern here.
#pragma once

#include "kernels/spec.h"

namespace torchweld::x86 {

/// Whether a value is exp(x - max(x)) in f32. Its sum has one partial sum a lane over a whole row.
///
/// Source  vec_reduce_all in ATen/cpu/vec/functional_base.h, LibTorch 2.11.
bool is_softmax_weight(const std::vector<Inst>& body, int16_t value);

/// The spec with each weight over the weights' sum, in rows along memory, as a product with the
/// sum's inverse: one division a row. Rows across memory are divided there, too, and stay.
///
/// Source  vec_softmax_lastdim in SoftMaxKernel.cpp, LibTorch 2.11.
KernelSpec with_inverse_sums(const KernelSpec& spec);

}  // namespace torchweld::x86
