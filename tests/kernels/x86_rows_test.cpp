// Rows reduced by generated x86 code, in each instruction set that this machine has, against the
// reference.
#include <gtest/gtest.h>

#include "kernels/x86/backend.h"
#include "tests/kernels/cuda/cases.h"

namespace torchweld {
namespace {

class X86Rows : public ::testing::TestWithParam<x86::Isa> {
 protected:
  std::shared_ptr<Backend> backend_ = x86::make_backend(GetParam());

  void SetUp() override {
    if (backend_ == nullptr) GTEST_SKIP() << "not on this machine";
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

/// The same of the columns of a matrix.
Case reduced_columns(DType dtype, int64_t rows, int64_t cols, int seed) {
  CaseBuilder b("reduced columns", {rows, cols}, {true, false});
  BodyBuilder& body = b.body();
  const DType type = compute_type(dtype);
  const int16_t x = b.load(dtype, {}, seed);
  b.store_row(body.emit(Prim::kSum, type, x), dtype);
  b.store_row(body.emit(Prim::kLargest, type, x), dtype);
  const int16_t smallest = body.emit(Prim::kSmallest, type, x);
  b.store(body.emit(Prim::kSub, type, x, smallest), dtype);
  Case c = b.finish();
  c.ulp = 8.0 * static_cast<double>(rows);
  c.absolute = 1e-5;
  return c;
}

/// [2 images, 3 groups | 4 channels, pixels]: less the mean, times a weight that changes within the
/// row.
Case group_norm_case(DType dtype, int64_t pixels) {
  CaseBuilder b("group norm", {2, 3, 4, pixels}, {false, false, true, true});
  BodyBuilder& body = b.body();
  const DType type = compute_type(dtype);
  const int16_t x = b.load(dtype);
  const int16_t weight = b.load(dtype, {0, 4, 1, 0}, 4);
  const int16_t mean = body.emit(Prim::kMul, type, body.emit(Prim::kSum, type, x),
                                 body.constant(type, 1.0 / static_cast<double>(4 * pixels)));
  const int16_t centred = body.emit(Prim::kSub, type, x, mean);
  b.store(body.emit(Prim::kMul, type, centred, weight), dtype);
  b.store_row(mean, dtype);
  Case c = b.finish();
  c.ulp = 64;
  c.absolute = dtype == DType::kF16 ? 1e-2 : 1e-5;
  return c;
}

/// No dim has its elements side by side.
Case strided_case(DType dtype, int64_t length) {
  CaseBuilder b("strided", {3, 5, length}, {false, true, true});
  const DType type = compute_type(dtype);
  const int16_t x = b.load(dtype, {20 * length, 4 * length, 2}, 2);
  const int16_t largest = b.body().emit(Prim::kLargest, type, x);
  b.store(b.body().emit(Prim::kSub, type, x, largest), dtype, {30 * length, 6 * length, 3});
  b.store_row(largest, dtype);
  return b.finish();
}

TEST_P(X86Rows, ReduceAsTheReference) {
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16}) {
    for (const int64_t cols : kColumns) {
      expect_agreement(reduced(dtype, 3, cols, 2));
      expect_agreement(reduced(dtype, 3, cols, 3));  // NaN, infinities, denormals
    }
  }
}

TEST_P(X86Rows, SoftmaxAndLayerNorm) {
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16}) {
    for (const int64_t cols : kColumns) {
      expect_agreement(softmax_case(dtype, 5, cols));
      expect_agreement(softmax_case(dtype, 5, cols, false, 3));
      expect_agreement(layer_norm_case(dtype, 5, cols));
    }
  }
}

/// A window of one element, and a value of the row that joins it: coalesced, that is no value of
/// the row.
Case row_of_one() {
  CaseBuilder b("row of one", {40, 1}, {false, true});
  const int16_t sum = b.body().emit(Prim::kSum, DType::kF32, b.load(DType::kF32));
  const int16_t row = b.load(DType::kF32, {1, 0});
  b.store_row(b.body().emit(Prim::kAdd, DType::kF32, sum, row), DType::kF32);
  return b.finish();
}

TEST_P(X86Rows, SayWhatTheyCannotDo) {
  const auto refused = [&](const Case& c) {
    std::string why;
    EXPECT_EQ(backend_->compile(c.spec, c.geometry, &why), nullptr) << c.name;
    return why;
  };
  EXPECT_EQ(refused(running_sum_case(DType::kF32, 3, 9)),
            "a reduction that has no x86 code generator");
  EXPECT_EQ(refused(row_of_one()), "rows of one element are not told from their elements");
  EXPECT_EQ(refused(reductions_case(DType::kI64, 3, 9)),
            "a reduction that has no x86 code generator");
}

// Longer than what is put aside, and than a block of sums.
TEST_P(X86Rows, LongRows) {
  for (const int64_t cols : {8191, 8192, 8193, 16384, 16400, 40000}) {
    expect_agreement(reduced(DType::kF32, 2, cols, 2));
    for (const DType dtype : {DType::kF32, DType::kF64})
      expect_agreement(softmax_case(dtype, 2, cols));
    expect_agreement(layer_norm_case(DType::kF64, 2, cols));
  }
}

// A lane a row: sums, products and extremes of the columns of a matrix, and what follows them.
TEST_P(X86Rows, AcrossMemory) {
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16}) {
    for (const int64_t rows : {1, 2, 7, 255, 256, 257, 600}) {
      for (const int64_t cols : {1, 3, 8, 17, 33, 64, 70}) {
        expect_agreement(reduced_columns(dtype, rows, cols, 2));
        expect_agreement(reduced_columns(dtype, rows, cols, 3));
      }
    }
    for (const int64_t cols : kColumns) {
      expect_agreement(softmax_case(dtype, 9, cols, true));
      expect_agreement(softmax_case(dtype, 9, cols, true, 3));
    }
  }
}

// Rows that are several stretches of memory, which batch norm's statistics are.
TEST_P(X86Rows, OfSeveralDims) {
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kF16}) {
    for (const int64_t length : {1, 5, 16, 37})
      expect_agreement(channels_case(dtype, 3, 4, length));
    for (const int64_t pixels : {1, 6, 17}) {
      expect_agreement(group_norm_case(dtype, pixels));
      expect_agreement(strided_case(dtype, pixels));
    }
  }
}

/// Predicates and offsets that follow from coordinates: windows of a padded image, each pixel of it
/// `step` times, flipped, and zeros around it.
Case windows_case(DType dtype, int64_t step, int64_t pad) {
  const int64_t size = 37, outs = (size + 2 * pad - 3) / step + 1;
  CaseBuilder b("windows", {2, outs, outs, 3, 3}, {false, false, false, true, true});
  BodyBuilder& body = b.body();
  b.operand(dtype, {size * size, step * size, step, size, 1}, 2 * size * size);
  int16_t inside = -1;
  for (int k = 1; k <= 2; ++k) {
    const int16_t place = body.emit(
        Prim::kSub, DType::kI64,
        body.emit(Prim::kAdd, DType::kI64,
                  body.emit(Prim::kMul, DType::kI64, b.coord(k), body.param(0)), b.coord(k + 2)),
        body.param(1));
    const int16_t here =
        body.emit(Prim::kAnd, DType::kBool,
                  body.emit(Prim::kLe, DType::kBool, body.constant_int(DType::kI64, 0), place),
                  body.emit(Prim::kLt, DType::kBool, place, body.constant_int(DType::kI64, size)));
    inside = inside < 0 ? here : body.emit(Prim::kAnd, DType::kBool, inside, here);
  }
  const DType type = compute_type(dtype);
  const int16_t x =
      body.load_at(0, dtype, body.constant_int(DType::kI64, -pad * (size + 1)), inside);
  b.store_row(body.emit(Prim::kSum, type, x), dtype);
  b.store_row(body.emit(Prim::kLargest, type, x), dtype);
  Case c = b.finish();
  c.ulp = 16;
  c.absolute = dtype == DType::kF16 || dtype == DType::kBF16 ? 1e-2 : 1e-5;
  c.geometry.params = {step, pad};
  return c;
}

TEST_P(X86Rows, OfWindowsAtPlacesThatFollowFromCoordinates) {
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16}) {
    for (const int64_t step : {1, 2, 3}) {
      for (const int64_t pad : {0, 1}) expect_agreement(windows_case(dtype, step, pad));
    }
  }
}

/// out[i, j] = x[rows - 1 - i, wrapped j] by an offset that differs from lane to lane.
Case moved_case(DType dtype, int64_t rows, int64_t cols, bool columns) {
  CaseBuilder b("moved", {rows, cols});
  BodyBuilder& body = b.body();
  b.operand(dtype, columns ? std::vector<int64_t>{0, rows} : std::vector<int64_t>{0, 0},
            rows * cols, 3);
  const int16_t row = body.emit(Prim::kSub, DType::kI64, body.param(0), b.coord(0));
  const int16_t col = body.emit(Prim::kRemainder, DType::kI64,
                                body.emit(Prim::kAdd, DType::kI64, b.coord(1), body.param(1)),
                                body.constant_int(DType::kI64, cols));
  const int16_t offset =
      columns ? row
              : body.emit(Prim::kAdd, DType::kI64,
                          body.emit(Prim::kMul, DType::kI64, row, body.param(2)), col);
  b.store(body.load_at(0, dtype, offset, -1), dtype);
  Case c = b.finish();
  c.geometry.params = {rows - 1, 5, cols};
  c.geometry.params.resize(columns ? 1 : 3);
  return c;
}

TEST_P(X86Rows, MovedElementsPassUnchanged) {
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16, DType::kI64,
                            DType::kI32, DType::kI16, DType::kU8, DType::kBool}) {
    for (const int64_t cols : {1, 3, 8, 17, 40}) {
      expect_agreement(moved_case(dtype, 7, cols, false));
      expect_agreement(moved_case(dtype, 7, cols, true));
    }
  }
}

/// The skeletons' cases without rows, but for scatters and gathers by data, which x86 code has not.
TEST_P(X86Rows, PointwiseCasesOfTheSkeletons) {
  int compiled = 0;
  for (const DType dtype : kCaseTypes) {
    for (const Case& c : pointwise_cases(dtype)) {
      std::string why;
      if (backend_->compile(c.spec, c.geometry, &why) == nullptr) {
        EXPECT_TRUE(c.name.starts_with("gathered") || c.name.starts_with("scatter"))
            << c.name << ": " << why;
        continue;
      }
      ++compiled;
      expect_agreement(c);
    }
  }
  EXPECT_GT(compiled, 100);
}

INSTANTIATE_TEST_SUITE_P(Isas, X86Rows, ::testing::Values(x86::Isa::kAvx2, x86::Isa::kAvx512),
                         [](const auto& info) {
                           return info.param == x86::Isa::kAvx2 ? "Avx2" : "Avx512";
                         });

// Row by row on several threads: a row is never split.
TEST_P(X86Rows, ThreadsTakeWholeRows) {
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
