// Text, identity and building of specs.
#include "kernels/spec.h"

#include <gtest/gtest.h>

#include "kernels/body_builder.h"
#include "kernels/op_table.h"

namespace torchweld {
namespace {

OpArg tensor(int16_t value, DType dtype = DType::kF32) {
  OpArg arg;
  arg.kind = OpArg::Kind::kTensor;
  arg.value = value;
  arg.dtype = dtype;
  return arg;
}

OpArg number(double value) {
  OpArg arg;
  arg.kind = OpArg::Kind::kScalarFloat;
  arg.f = value;
  return arg;
}

KernelSpec scale_and_shift(Rounding rounding, DType dtype) {
  KernelSpec spec;
  spec.name = "scale_and_shift";
  BodyBuilder body(rounding);
  std::string why;
  const int16_t x = body.load(0, dtype);
  const auto scaled = emit_op(body, *find_op("aten::mul.Tensor"),
                              std::vector<OpArg>{tensor(x, dtype), number(2)}, dtype, &why);
  const auto shifted =
      emit_op(body, *find_op("aten::add_.Scalar"),
              std::vector<OpArg>{tensor(*scaled, dtype), number(0.1), number(1)}, dtype, &why);
  std::vector<int16_t> roots = {*shifted};
  spec.body = body.finish(&roots);
  OperandSpec operand;
  operand.dtype = dtype;
  operand.strides[0] = StrideClass::kOne;
  spec.loads = {operand};
  spec.stores = {{operand, roots[0]}};
  return spec;
}

TEST(Spec, OperatorsAreNotContractedWithOneAnother) {
  EXPECT_EQ(to_text(scale_and_shift(Rounding::kDefault, DType::kF32)),
            "kernel scale_and_shift rank 1\n"
            "  in0: f32[1]\n"
            "  %0 = load f32 in0\n"
            "  %1 = const f32 2\n"
            "  %2 = mul f32 %0 %1\n"
            "  %3 = const f32 0.10000000149011612\n"
            "  %4 = add f32 %2 %3\n"
            "  out0: f32[1] = %4\n");
}

TEST(Spec, ExactRoundsAfterEachOp) {
  EXPECT_EQ(to_text(scale_and_shift(Rounding::kExact, DType::kBF16)),
            "kernel scale_and_shift rank 1\n"
            "  in0: bf16[1]\n"
            "  %0 = load f32 in0\n"
            "  %1 = const f32 2\n"
            "  %2 = mul f32 %0 %1\n"
            "  %3 = round_to f32 bf16 %2\n"
            "  %4 = const f32 0.10000000149011612\n"
            "  %5 = add f32 %3 %4\n"
            "  %6 = round_to f32 bf16 %5\n"
            "  out0: bf16[1] = %6\n");
}

TEST(Spec, SmallIntegersWrapOnce) {
  const std::string text = to_text(scale_and_shift(Rounding::kDefault, DType::kU8));
  EXPECT_NE(text.find("wrap i32 u8"), std::string::npos) << text;
}

TEST(Spec, NameIsNotIdentity) {
  const KernelSpec a = scale_and_shift(Rounding::kDefault, DType::kF32);
  KernelSpec b = a;
  b.name = "other";
  EXPECT_TRUE(a.same_kernel(b));
  EXPECT_EQ(a.hash(), b.hash());
  b.loads[0].strides[0] = StrideClass::kAny;
  EXPECT_FALSE(a.same_kernel(b));
  EXPECT_NE(a.hash(), b.hash());
}

TEST(Spec, SignOfZeroIsIdentity) {
  BodyBuilder body;
  EXPECT_NE(body.constant(DType::kF32, 0.0), body.constant(DType::kF32, -0.0));
  EXPECT_EQ(body.constant(DType::kF32, 0.1), body.constant(DType::kF32, static_cast<double>(0.1f)));
}

TEST(BodyBuilder, SharesAndFolds) {
  BodyBuilder body;
  const int16_t x = body.load(0, DType::kF32), y = body.load(1, DType::kF32);
  EXPECT_EQ(body.emit(Prim::kAdd, DType::kF32, x, y), body.emit(Prim::kAdd, DType::kF32, y, x));
  const int16_t two = body.constant(DType::kF32, 2);
  EXPECT_EQ(body.at(body.emit(Prim::kMul, DType::kF32, two, two)).imm, 4);
}

TEST(BodyBuilder, AProductMinusItselfStaysZero) {
  BodyBuilder body;
  const int16_t x = body.load(0, DType::kF32), y = body.load(1, DType::kF32);
  const int16_t product = body.emit(Prim::kMul, DType::kF32, x, y);
  EXPECT_EQ(body.at(body.emit(Prim::kSub, DType::kF32, product, product)).prim, Prim::kSub);
}

}  // namespace
}  // namespace torchweld
