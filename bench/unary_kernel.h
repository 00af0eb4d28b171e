// A row of the operator table as a kernel of its own.
#pragma once

#include <memory>

#include "kernels/kernel.h"
#include "kernels/op_table.h"

namespace torchweld {

/// Of one contiguous float32 operand and result of rank 1. Null for rows that need a second operand
/// and where there is no back end.
std::shared_ptr<const Kernel> unary_kernel(Backend* backend, const OpRow& row);

}  // namespace torchweld
