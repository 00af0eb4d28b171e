// Row specs: their phases, their layouts, and the reference evaluator on them.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/body_builder.h"
#include "kernels/geometry.h"
#include "kernels/phases.h"
#include "kernels/reference.h"

namespace torchweld {
namespace {

constexpr DType kF = DType::kF32;

OperandSpec operand(std::initializer_list<StrideClass> strides, DType dtype = kF) {
  OperandSpec spec;
  spec.dtype = dtype;
  std::copy(strides.begin(), strides.end(), spec.strides.begin());
  return spec;
}

const OperandSpec kRows = operand({StrideClass::kAny, StrideClass::kOne});
const OperandSpec kOneARow = operand({StrideClass::kOne, StrideClass::kZero});

// exp(x - max) / sum(exp(x - max))
KernelSpec softmax() {
  KernelSpec spec;
  spec.name = "softmax";
  spec.rank = 2;
  spec.reduced = 1;
  BodyBuilder body;
  const int16_t x = body.load(0, kF);
  const int16_t e =
      body.emit(Prim::kExp, kF, body.emit(Prim::kSub, kF, x, body.emit(Prim::kLargest, kF, x)));
  std::vector<int16_t> roots = {body.emit(Prim::kDiv, kF, e, body.emit(Prim::kSum, kF, e))};
  spec.body = body.finish(&roots);
  spec.loads = {kRows};
  spec.stores = {{kRows, roots[0]}};
  return spec;
}

void run(const KernelSpec& spec, const Geometry& geometry, std::vector<void*> pointers) {
  std::string why;
  ReferenceBackend().compile(spec, geometry, &why)->launch(geometry, pointers.data(), {});
}

TEST(Rows, SoftmaxTakesThreePasses) {
  const KernelSpec spec = softmax();
  const Phases phases = phases_of(spec);
  EXPECT_EQ(phases.count, 3);
  EXPECT_EQ(phases.ready, (std::vector<int>{0, 1, 1, 1, 2, 2}));
  EXPECT_EQ(phases.per_row, (std::vector<bool>{false, true, false, false, true, false}));
}

TEST(Rows, SoftmaxOfTheReference) {
  std::vector<float> x = {1, 2, 3, -INFINITY, 5, 5}, y(6);
  run(softmax(), Geometry{{2, 3}, {{3, 1}, {3, 1}}, 6}, {x.data(), y.data()});
  const double sum = std::exp(-2.0) + std::exp(-1.0) + 1;
  EXPECT_NEAR(y[0], std::exp(-2.0) / sum, 1e-7);
  EXPECT_NEAR(y[2], 1 / sum, 1e-7);
  EXPECT_EQ(y[3], 0);
  EXPECT_EQ(y[5], 0.5f);
}

KernelSpec reduction(Prim prim, DType result) {
  KernelSpec spec;
  spec.name = "reduction";
  spec.rank = 2;
  spec.reduced = 1;
  BodyBuilder body;
  std::vector<int16_t> roots = {body.emit(prim, result, body.load(0, kF))};
  spec.body = body.finish(&roots);
  spec.loads = {kRows};
  StoreSpec store{kOneARow, roots[0]};
  store.operand.dtype = result;
  store.per_row = true;
  spec.stores = {store};
  return spec;
}

TEST(Rows, ReductionsOfTheReference) {
  std::vector<float> x = {1, NAN, 3, 7, 2, 7}, y(2);
  const Geometry geometry{{2, 3}, {{3, 1}, {1, 0}}, 6};
  run(reduction(Prim::kSum, kF), geometry, {x.data(), y.data()});
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_EQ(y[1], 16);
  run(reduction(Prim::kLargest, kF), geometry, {x.data(), y.data()});
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_EQ(y[1], 7);
  std::vector<int64_t> place(2);
  run(reduction(Prim::kArgLargest, DType::kI64), geometry, {x.data(), place.data()});
  EXPECT_EQ(place, (std::vector<int64_t>{1, 0}));
  run(reduction(Prim::kArgSmallest, DType::kI64), geometry, {x.data(), place.data()});
  EXPECT_EQ(place, (std::vector<int64_t>{1, 1}));
}

TEST(Rows, NothingIsReducedToTheIdentity) {
  std::vector<float> y(2, -1);
  const Geometry geometry{{2, 0}, {{1, 1}, {1, 0}}, 0};
  run(reduction(Prim::kSum, kF), geometry, {nullptr, y.data()});
  EXPECT_EQ(y, (std::vector<float>{0, 0}));
  run(reduction(Prim::kLargest, kF), geometry, {nullptr, y.data()});
  EXPECT_EQ(y[0], -INFINITY);
}

TEST(Rows, RunningSumsStartAnewInEachRow) {
  KernelSpec spec = reduction(Prim::kRunningSum, kF);
  spec.stores = {{kRows, spec.stores[0].value}};
  std::vector<float> x = {1, 2, 3, 4, 5, 6}, y(6);
  run(spec, Geometry{{2, 3}, {{3, 1}, {3, 1}}, 6}, {x.data(), y.data()});
  EXPECT_EQ(y, (std::vector<float>{1, 3, 6, 4, 9, 15}));
  EXPECT_EQ(phases_of(spec).count, 1);
}

// out[i] = i < param ? table[index[i]] : 0, with nothing read where the answer is 0.
TEST(Rows, GathersReadOnlyWhereTheyShould) {
  KernelSpec spec;
  spec.name = "gather";
  BodyBuilder body;
  const int16_t inside = body.emit(Prim::kLt, DType::kBool, body.coord(0), body.param(0));
  std::vector<int16_t> roots = {body.load_at(0, kF, body.load(1, DType::kI64), inside)};
  spec.body = body.finish(&roots);
  spec.loads = {operand({StrideClass::kZero}), operand({StrideClass::kOne}, DType::kI64)};
  spec.stores = {{operand({StrideClass::kOne}), roots[0]}};
  EXPECT_FALSE(is_plain(spec));
  std::vector<float> table = {10, 20, 30}, y(4, -1);
  std::vector<int64_t> index = {2, 0, 1, 1 << 30};
  Geometry geometry{{4}, {{0}, {1}, {1}}, 4, {3}};
  run(spec, geometry, {table.data(), index.data(), y.data()});
  EXPECT_EQ(y, (std::vector<float>{30, 10, 20, 0}));
  EXPECT_NE(to_text(spec).find("load f32 in0 at %"), std::string::npos);
}

TEST(Rows, ReducedDimsStayInnermostAndInOrder) {
  // Reduce dims 0 and 2 of [4, 5, 6], dense.
  const auto layout = coalesce(std::vector<int64_t>{4, 5, 6}, {{30, 6, 1}, {0, 1, 0}}, 1,
                               {{true, false, true}, {}});
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->reduced, 2);
  EXPECT_EQ(layout->geometry.sizes, (std::vector<int64_t>{5, 4, 6}));
  EXPECT_EQ(layout->geometry.strides[0], (std::vector<int64_t>{6, 30, 1}));
}

TEST(Rows, AWholeTensorIsOneRow) {
  const auto layout = coalesce(std::vector<int64_t>{4, 5}, {{5, 1}, {0, 0}}, 1, {{true, true}, {}});
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->geometry.sizes, (std::vector<int64_t>{1, 20}));
  EXPECT_EQ(layout->reduced, 1);
}

TEST(Rows, PinnedDimsAreNotMerged) {
  const auto layout = coalesce(std::vector<int64_t>{2, 3, 4}, {{12, 4, 1}, {12, 4, 1}}, 1,
                               {{}, {false, false, true}});
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->geometry.sizes, (std::vector<int64_t>{6, 4}));
  EXPECT_EQ(layout->places, (std::vector<int>{-1, -1, 1}));
}

}  // namespace
}  // namespace torchweld
