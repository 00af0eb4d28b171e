// Which function runs an instruction. Each family of instructions answers for its own.
#pragma once

#include "tests/virtual_gpu/ptx.h"

namespace torchweld::virtual_gpu {

/// Sets types, space and vector width from the modifiers.
void read_modifiers(Instruction* instruction);

/// Sets `execute` or `flow`. Throws Error kInternal for an instruction that nobody knows.
void decode(Instruction* instruction);

/// The families; null when the instruction is none of theirs.
Execute real_arithmetic(Instruction* instruction);  ///< f32 and f64
Execute half_arithmetic(Instruction* instruction);  ///< f16, bf16 and their pairs
Execute integer_arithmetic(Instruction* instruction);
Execute bit_operation(Instruction* instruction);
Execute conversion(Instruction* instruction);        ///< cvt
Execute comparison(Instruction* instruction);        ///< setp, set, selp, slct
Execute memory_operation(Instruction* instruction);  ///< ld, st, mov, cvta, copies between slots
Execute atomic_operation(Instruction* instruction);
Execute async_copy(Instruction* instruction);
Execute collective(Instruction* instruction);        ///< shfl, vote, match, redux
Execute matrix_operation(Instruction* instruction);  ///< mma, ldmatrix

}  // namespace torchweld::virtual_gpu
