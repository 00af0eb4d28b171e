// Rows reduced by generated x86 code, against the reference. One instruction set: rows take AVX2 on
// every machine.
#include <gtest/gtest.h>

#include "kernels/x86/backend.h"
#include "tests/kernels/cuda/cases.h"

namespace torchweld {
namespace {

class X86Rows : public ::testing::Test {
 protected:
  std::shared_ptr<Backend> backend_ = x86::make_backend();

  void SetUp() override {
    if (backend_ == nullptr) GTEST_SKIP() << "no AVX2";
  }

  void expect_agreement(const Case& c) {
    std::string why;
    const auto kernel = backend_->compile(c.spec, c.geometry, &why);
    ASSERT_NE(kernel, nullptr) << c.name << ": " << why;
    std::vector<std::vector<uint8_t>> memory;
    std::vector<void*> pointers;
    for (const CaseOperand& operand : c.operands) memory.push_back(operand.bytes);
    for (size_t i = 0; i < memory.size(); ++i)
      pointers.push_back(memory[i].data() + c.operands[i].first * size_of(c.operands[i].dtype));
    kernel->launch(c.geometry, pointers.data(), {});
    EXPECT_EQ(difference_from_reference(c, memory), "") << c.geometry.sizes.back() << " columns";
  }
};

constexpr int64_t kColumns[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 129, 1000};

/// Sum, product, largest and smallest of rows, each stored, and the rows less their mean.
Case reduced(DType dtype, int64_t rows, int64_t cols, int seed) {
  CaseBuilder b("reduced", {rows, cols}, {false, true});
  BodyBuilder& body = b.body();
  const DType type = compute_type(dtype);
  const int16_t x = b.load(dtype, {}, seed);
  const int16_t sum = body.emit(Prim::kSum, type, x);
  if (seed % 2 == 0) {
    b.store_row(sum, dtype);
    b.store_row(
        body.emit(Prim::kProduct, type, body.emit(Prim::kMul, type, x, body.constant(type, 0.01))),
        dtype);
    const int16_t mean =
        body.emit(Prim::kMul, type, sum, body.constant(type, 1.0 / static_cast<double>(cols)));
    b.store(body.emit(Prim::kSub, type, x, mean), dtype);
  }
  b.store_row(body.emit(Prim::kLargest, type, x), dtype);
  b.store_row(body.emit(Prim::kSmallest, type, x), dtype);
  Case c = b.finish();
  c.ulp = 8.0 * static_cast<double>(cols);
  c.absolute = 1e-5;
  return c;
}

TEST_F(X86Rows, ReduceAsTheReference) {
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16}) {
    for (const int64_t cols : kColumns) {
      expect_agreement(reduced(dtype, 3, cols, 2));
      expect_agreement(reduced(dtype, 3, cols, 3));  // NaN, infinities, denormals
    }
  }
}

TEST_F(X86Rows, SoftmaxAndLayerNorm) {
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16}) {
    for (const int64_t cols : kColumns) {
      expect_agreement(softmax_case(dtype, 5, cols));
      expect_agreement(softmax_case(dtype, 5, cols, false, 3));
      expect_agreement(layer_norm_case(dtype, 5, cols));
    }
  }
}

TEST_F(X86Rows, SayWhatTheyCannotDo) {
  const auto refused = [&](const Case& c) {
    std::string why;
    EXPECT_EQ(backend_->compile(c.spec, c.geometry, &why), nullptr) << c.name;
    return why;
  };
  EXPECT_EQ(refused(softmax_case(DType::kF32, 9, 7, true)),
            "a row that is read across memory has no x86 code generator");
  EXPECT_EQ(refused(running_sum_case(DType::kF32, 3, 9)),
            "a reduction that has no x86 code generator");
  EXPECT_EQ(refused(reductions_case(DType::kI64, 3, 9)),
            "a reduction that has no x86 code generator");
  EXPECT_EQ(refused(channels_case(DType::kF32, 2, 3, 5)),
            "rows that are not one stretch of memory have no x86 code generator");
}

// Row by row on several threads: a row is never split.
TEST_F(X86Rows, ThreadsTakeWholeRows) {
  const Case c = softmax_case(DType::kF32, 300, 1000);
  std::string why;
  const auto kernel = backend_->compile(c.spec, c.geometry, &why);
  std::vector<std::vector<uint8_t>> memory;
  std::vector<void*> pointers;
  for (const CaseOperand& operand : c.operands) memory.push_back(operand.bytes);
  for (std::vector<uint8_t>& bytes : memory) pointers.push_back(bytes.data());
  int pieces = 0;
  LaunchSite site;
  site.parallel = [&](int64_t count, int64_t, const std::function<void(int64_t, int64_t)>& work) {
    EXPECT_EQ(count, 300);
    for (int64_t at = 0; at < count; at += 7, ++pieces) work(at, std::min(at + 7, count));
  };
  kernel->launch(c.geometry, pointers.data(), site);
  EXPECT_GT(pieces, 1);
  EXPECT_EQ(difference_from_reference(c, memory), "");
}

}  // namespace
}  // namespace torchweld
