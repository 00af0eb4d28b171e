// The x86 back ends of this machine, and operands of kernels that are tested on each.
#pragma once

#include <memory>
#include <vector>

#include "kernels/x86/backend.h"

namespace torchweld {

/// By instruction set, those that this machine has.
inline std::vector<std::shared_ptr<Backend>> backends() {
  std::vector<std::shared_ptr<Backend>> all;
  for (const x86::Isa isa : {x86::Isa::kAvx2, x86::Isa::kAvx512}) {
    if (auto backend = x86::make_backend(isa)) all.push_back(std::move(backend));
  }
  return all;
}

/// Of one dim.
inline OperandSpec operand(DType dtype, StrideClass inner) {
  OperandSpec spec;
  spec.dtype = dtype;
  spec.strides[0] = inner;
  return spec;
}

}  // namespace torchweld
