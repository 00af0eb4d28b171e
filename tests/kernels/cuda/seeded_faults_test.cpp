// Faults put into the skeletons' own text, one at a time: each has to be reported by the virtual
// GPU or to give another result than the reference. What it proves is that these tests can fail.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kernels/cuda/nvrtc.h"
#include "kernels/cuda/skeleton_headers.h"
#include "tests/kernels/cuda/cases.h"
#include "tests/kernels/cuda/device.h"
#include "tests/kernels/cuda/text_fault.h"
#include "torchweld/error.h"

namespace torchweld {
namespace {

using cuda::Skeleton;

/// A fault, and what shows it.
struct Fault : TextFault {
  Skeleton skeleton;
  Case c;
};

Case doubled(DType dtype, int64_t elements) {
  CaseBuilder b("doubled", {elements});
  const int16_t x = b.load(dtype);
  b.store(b.body().emit(Prim::kAdd, compute_type(dtype), x, x), dtype);
  return b.finish();
}

/// A matrix plus a vector: two dims that don't merge.
Case vector_added(int64_t rows, int64_t cols) {
  CaseBuilder b("vector_added", {rows, cols});
  const int16_t x = b.load(DType::kF32), y = b.load(DType::kF32, {0, 1}, 4);
  b.store(b.body().emit(Prim::kAdd, DType::kF32, x, y), DType::kF32);
  return b.finish();
}

Case transposed(int64_t rows, int64_t cols) {
  CaseBuilder b("transposed", {rows, cols});
  b.store(b.load(DType::kF32, {1, rows}), DType::kF32);
  return b.finish();
}

std::vector<Fault> faults() {
  const Case rows = softmax_case(DType::kF32, 5, 1300);
  const Case columns = softmax_case(DType::kF32, 50, 70, true);
  const Case equal = [] {
    CaseBuilder b("equal", {3, 200}, {false, true});
    const int16_t x = b.load(DType::kF32);
    b.store_row(b.body().emit(Prim::kArgLargest, DType::kI64, x), DType::kI64);
    b.fill(0, [](int64_t i) { return static_cast<double>(i % 7); });
    return b.finish();
  }();
  return {
      {"a whole vector over the end", "pointwise.cuh", "left >= kVector;", "left > 0;",
       Skeleton::kPointwise, doubled(DType::kF32, 1001)},
      {"a tail that is never stored", "pointwise.cuh", "static_cast<int>(left);", "0;",
       Skeleton::kPointwise, doubled(DType::kF16, 1001)},
      {"a row's length taken for its vectors", "pointwise.cuh", "row * a.length) * kVector",
       "row * a.length)", Skeleton::kPointwise, vector_added(37, 64)},
      {"no barrier between fill and take", "transpose.cuh", "  __syncthreads();\n", "",
       Skeleton::kTranspose, transposed(40, 70)},
      {"no bound across a tile", "transpose.cuh", "at[kAcross] < a.sizes[kAcross] && ", "",
       Skeleton::kTranspose, transposed(40, 70)},
      {"a tile that is not transposed", "transpose.cuh", "Body::take(tiles, column, line, x)",
       "Body::take(tiles, line, column, x)", Skeleton::kTranspose, transposed(64, 64)},
      {"no barrier before partial results are replaced", "groups.cuh",
       "    __syncthreads();  // the previous phase's results have been read\n", "",
       Skeleton::kRowBlock, rows},
      {"no barrier before partial results are read", "groups.cuh",
       "    __syncthreads();\n    // Every warp", "    // Every warp", Skeleton::kRowBlock, rows},
      {"one partial result too many", "groups.cuh", "if (lane < kWarps)", "if (lane <= kWarps)",
       Skeleton::kRowBlock, rows},
      {"a butterfly that starts too low", "groups.cuh", "mask = kLanes / 2", "mask = kLanes / 4",
       Skeleton::kRowWarp, softmax_case(DType::kF32, 5, 200)},
      {"no barrier between lines", "groups.cuh",
       "    partial[threadIdx.x] = r;\n    __syncthreads();\n", "    partial[threadIdx.x] = r;\n",
       Skeleton::kRowColumns, columns},
      {"a line too few", "groups.cuh", "line < kLines", "line < kLines - 1", Skeleton::kRowColumns,
       columns},
      {"no scan of the totals' barrier", "groups.cuh",
       "    if (lane == kWarp - 1) totals[warp] = sum;\n    __syncthreads();\n",
       "    if (lane == kWarp - 1) totals[warp] = sum;\n", Skeleton::kRowBlock,
       running_sum_case(DType::kF32, 3, 1500)},
      {"rows that don't exist", "row_columns.cuh", "exists = index < a.count", "exists = true",
       Skeleton::kRowColumns, columns},
      {"lanes of rows that don't exist", "row_warp.cuh", "exists = index < a.count",
       "exists = index <= a.count", Skeleton::kRowWarp, softmax_case(DType::kF32, 5, 20)},
      {"a whole vector over the row's end", "row.cuh", "whole = left >= kVector",
       "whole = left > 0", Skeleton::kRowWarp, softmax_case(DType::kF32, 1, 33)},
      {"a chunk over the row's end", "row_split.cuh",
       "begin + a.chunk < a.length ? begin + a.chunk : a.length", "begin + a.chunk",
       Skeleton::kRowSplit, softmax_case(DType::kF32, 2, 20000)},
      {"chunks that share a slot", "row_split.cuh", "* a.chunks + chunk;", "* a.chunks;",
       Skeleton::kRowSplit, softmax_case(DType::kF32, 2, 20000)},
      {"the last of equal ones", "reductions.cuh", "equal && at < place", "equal && at > place",
       Skeleton::kRowWarp, equal},
      {"a maximum that drops NaN", "primitives.cuh", "is_nan(a) || a > b ? a : b", "a > b ? a : b",
       Skeleton::kRowWarp, reductions_case(DType::kF32, 4, 100, 3)},
      {"halves that round towards zero", "half.cuh", "cvt.rn.f16.f32", "cvt.rz.f16.f32",
       Skeleton::kPointwise,
       [] {
         CaseBuilder b("narrowed", {500});
         b.store(b.load(DType::kF32), DType::kF16);
         Case c = b.finish();
         c.ulp = 0;
         return c;
       }()},
      {"a row's number that is always the first one's", "vector.cuh", "(base)[offset])",
       "(base)[0])", Skeleton::kPointwise,
       [] {
         CaseBuilder b("number_added", {20, 64});
         const int16_t x = b.load(DType::kF32), y = b.load(DType::kF32, {1, 0}, 4);
         b.store(b.body().emit(Prim::kAdd, DType::kF32, x, y), DType::kF32);
         return b.finish();
       }()},
  };
}

/// The case on the skeleton as its files are, or with the fault in them: what is reported.
std::string outcome(const Fault& fault, bool seeded, bool jitter = true) {
  cuda::Schedule schedule;
  if (cuda::schedule_as(fault.skeleton, fault.c.spec, fault.c.geometry, &schedule) ==
      cuda::Fit::kNone)
    return "the skeleton does not take the case";
  cuda::Source source = cuda::source_of(fault.c.spec, schedule);
  std::string changed;
  cuda::CompileRequest request{"seeded.cu", source.text, cuda::skeleton_headers()};
  if (seeded) request.headers = headers_with(fault, &changed);
  cuda::Compiled compiled = cuda::compile(request);
  try {
    const auto device = make_virtual_device(90, jitter);
    const cuda::CudaKernel kernel(device, fault.c.spec, schedule, std::move(source),
                                  {std::move(compiled.image), std::move(compiled.kernels)});
    return difference(fault.c, kernel, *device);
  } catch (const Error& report) {
    return report.what();
  }
}

class CudaSeededFault : public ::testing::TestWithParam<size_t> {};

TEST_P(CudaSeededFault, IsFound) {
  static const std::vector<Fault> all = faults();
  const Fault& fault = all[GetParam()];
  EXPECT_EQ(outcome(fault, false), "") << fault.what;
  EXPECT_NE(outcome(fault, true), "") << fault.what << " was not found";
}

// A whole number that an approximate quotient may just miss. Exact approximations would hide it.
TEST(CudaJitter, ShowsAnAnswerThatHangsOnAnApproximation) {
  CaseBuilder b("whole_quotient", {500});
  const int16_t x = b.load(DType::kF32), y = b.load(DType::kF32, {}, 4);
  const int16_t quotient = b.body().emit(Prim::kDiv, DType::kF32, x, y);
  b.store(b.body().emit(Prim::kFloor, DType::kF32, quotient), DType::kF32);
  b.fill(0, [](int64_t i) { return 3.0 * static_cast<double>(i + 1); });
  b.fill(1, [](int64_t) { return 3.0; });
  const Fault fault = {"a quotient that is approximate",
                       "primitives.cuh",
                       "return a / b; }                      ",
                       "return __fdividef(a, b); }",
                       Skeleton::kPointwise,
                       b.finish()};
  EXPECT_EQ(outcome(fault, false), "");
  EXPECT_EQ(outcome(fault, true, /*jitter=*/false), "");
  EXPECT_NE(outcome(fault, true), "");
}

INSTANTIATE_TEST_SUITE_P(All, CudaSeededFault, ::testing::Range(size_t{0}, faults().size()));

}  // namespace
}  // namespace torchweld
