// A plan as text: what golden tests compare. One way only; plans are made, never read.
//
//   step 0: fused fused_relu_mul_f32 over [12]
//     %1: f32[3,4] = aten::relu(%0)
//     %2: f32[3,4] = aten::mul.Scalar(%1, 2)
//     load  %0 in input 0 {1}
//     store %2 in output of 48 bytes {1}
//   step 1: eager aten::nonzero, since its result's shape depends on data
//     %3 = aten::nonzero(%2)
//   return %3 in eager
//   arena 0 of 0 bytes
//
// Braces hold an operand's strides over the kernel's loop nest; `+8` the bytes before its first
// element.
#pragma once

#include <string>

#include "fusion/plan.h"

namespace torchweld {

std::string to_text(const Plan& plan);

}  // namespace torchweld
