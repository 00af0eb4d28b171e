// The CUDA C++ text of types, numbers and single instructions.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "kernels/spec.h"

namespace torchweld::cuda {

/// "f16", "b8": how an element lies in memory.
std::string_view element_type(DType dtype);
/// "f32", "bool": the type that its arithmetic is done in.
std::string_view value_type(DType dtype);

/// A kConst as a literal of its type, to the bit.
std::string literal(const Inst& constant);

/// An instruction that depends on its arguments alone, given the text of those: not kLoad, kCoord,
/// kParam or what needs the row.
std::string expression(const KernelSpec& spec, const Inst& inst,
                       const std::function<std::string(int16_t)>& text_of);

/// `name` as an identifier of some 96 characters that the device's C library does not have.
std::string identifier(std::string_view name);

}  // namespace torchweld::cuda
