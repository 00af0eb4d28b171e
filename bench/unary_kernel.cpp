#include "bench/unary_kernel.h"

#include <optional>
#include <string>
#include <vector>

#include "kernels/body_builder.h"

namespace torchweld {
namespace {

OperandSpec contiguous_f32() {
  OperandSpec operand;
  operand.strides[0] = StrideClass::kOne;
  return operand;
}

OpArg loaded(BodyBuilder& body, int operand) {
  OpArg argument;
  argument.kind = OpArg::Kind::kTensor;
  argument.value = body.load(operand, DType::kF32);
  argument.dtype = DType::kF32;
  return argument;
}

/// The row applied to `count` contiguous float32 tensors; nullopt if it does not take them.
std::optional<KernelSpec> applied(const OpRow& row, int count) {
  BodyBuilder body;
  std::vector<OpArg> arguments;
  for (int i = 0; i < count; ++i) arguments.push_back(loaded(body, i));
  std::string why;
  const auto value = emit_op(body, row, arguments, DType::kF32, &why);
  if (!value || body.type_of(*value) != DType::kF32) return std::nullopt;
  std::vector<int16_t> roots{*value};
  KernelSpec spec;
  spec.name = std::string(row.name);
  spec.body = body.finish(&roots);
  spec.loads = {contiguous_f32()};
  spec.stores = {{contiguous_f32(), roots[0]}};
  return spec;
}

/// Nullopt for rows that would use a second operand.
std::optional<KernelSpec> unary_spec(const OpRow& row) {
  const auto one = applied(row, 1), two = applied(row, 2);
  return one && two && one->same_kernel(*two) ? one : std::nullopt;
}

}  // namespace

std::shared_ptr<const Kernel> unary_kernel(Backend* backend, const OpRow& row) {
  const auto spec = backend != nullptr ? unary_spec(row) : std::nullopt;
  std::string why;
  return spec ? backend->compile(*spec, {}, &why) : nullptr;
}

}  // namespace torchweld
