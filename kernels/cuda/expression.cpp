#include "kernels/cuda/expression.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <limits>

namespace torchweld::cuda {
namespace {

// Names that C++ keeps for itself.
std::string_view function_name(Prim prim) {
  switch (prim) {
    case Prim::kAnd:
      return "bit_and";
    case Prim::kOr:
      return "bit_or";
    case Prim::kXor:
      return "bit_xor";
    case Prim::kNot:
      return "bit_not";
    default:
      return name_of(prim);
  }
}

std::string float_literal(double value, bool is_double) {
  if (!std::isfinite(value)) {
    if (is_double)
      return fmt::format("__longlong_as_double({:#x}ll)", std::bit_cast<uint64_t>(value));
    return fmt::format("__int_as_float({:#x})", std::bit_cast<uint32_t>(static_cast<float>(value)));
  }
  // The shortest digits that read back as the same number.
  std::string digits =
      is_double ? fmt::format("{}", value) : fmt::format("{}", static_cast<float>(value));
  if (digits.find_first_of(".e") == std::string::npos) digits += ".0";
  if (!is_double) digits += 'f';
  return digits.front() == '-' ? "(" + digits + ")" : digits;
}

}  // namespace

std::string_view element_type(DType dtype) {
  return dtype == DType::kBool ? std::string_view("b8") : name_of(dtype);
}

std::string_view value_type(DType dtype) { return name_of(compute_type(dtype)); }

std::string literal(const Inst& constant) {
  const int64_t whole = constant.imm_int;
  switch (constant.type) {
    case DType::kF32:
    case DType::kF64: {
      const bool is_double = constant.type == DType::kF64;
      const double value = is_double ? constant.imm : static_cast<float>(constant.imm);
      return float_literal(value, is_double);
    }
    case DType::kBool:
      return whole != 0 ? "true" : "false";
    case DType::kI32:
      return fmt::format("i32({}ll)", static_cast<int32_t>(whole));
    default:
      // The lowest has no literal of its own: a minus sign is an operator.
      if (whole == std::numeric_limits<int64_t>::min()) return "(-9223372036854775807ll - 1)";
      return fmt::format("i64({}ll)", whole);
  }
}

std::string expression(const KernelSpec& spec, const Inst& inst,
                       const std::function<std::string(int16_t)>& text_of) {
  if (inst.prim == Prim::kConst) return literal(inst);
  const std::string a = inst.args[0] >= 0 ? text_of(inst.args[0]) : "";
  if (inst.prim == Prim::kCast) {
    const DType from = spec.body[static_cast<size_t>(inst.args[0])].type;
    return from == inst.type ? a : fmt::format("prim::cast<{}>({})", value_type(inst.type), a);
  }
  if (inst.prim == Prim::kRound || inst.prim == Prim::kWrap)
    return fmt::format("prim::settle<{}>({})", element_type(inst.to), a);
  std::string text = fmt::format("prim::{}({}", function_name(inst.prim), a);
  for (int i = 1; i < arity_of(inst.prim); ++i)
    text += ", " + text_of(inst.args[static_cast<size_t>(i)]);
  return text + ")";
}

std::string identifier(std::string_view name) {
  std::string text;
  for (const char c : name.substr(0, 96)) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool digit = c >= '0' && c <= '9';
    if (text.empty() && digit) text += '_';
    text += letter || digit ? c : '_';
  }
  // A name without an underscore may be a C function's: abs, sqrt.
  return text.find('_') == std::string::npos ? text + "_kernel" : text;
}

}  // namespace torchweld::cuda
