// The products of small_matmul, one file an instruction set. Uses nothing of the standard library,
// so that no shared inline function is ever compiled with instructions that a processor may lack.
#pragma once

#include "kernels/x86/small_matmul.h"

namespace torchweld::x86 {

void matmul_avx2(const MatmulCall& call);  ///< of packed weights
void matmul_avx512(const MatmulCall& call);
/// Of weights as they are, on both: memory is the limit.
void dot_avx2(const MatmulCall& call);

}  // namespace torchweld::x86
