// Bags of rows of a table, on the host.
#include "kernels/embedding_bag.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/half.h"

namespace torchweld {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Call {
  EmbeddingBagShape shape;
  std::vector<float> table;
  std::vector<int64_t> indices, offsets;
  std::vector<float> weights = {};
  std::vector<float> out = {};

  std::optional<std::string> run() {
    shape.index_count = static_cast<int64_t>(indices.size());
    shape.bags = static_cast<int64_t>(offsets.size()) - (shape.offsets_end ? 1 : 0);
    shape.rows = static_cast<int64_t>(table.size()) / shape.row_stride;
    out.assign(static_cast<size_t>(shape.bags * shape.columns), 99);
    return embedding_bag(shape,
                         {table.data(), indices.data(), offsets.data(),
                          weights.empty() ? nullptr : weights.data(), out.data()},
                         nullptr);
  }
};

/// Three rows of two columns that lie three apart.
Call call(BagMode mode) {
  Call c;
  c.shape.mode = mode;
  c.shape.columns = 2;
  c.shape.row_stride = 3;
  c.table = {1, -1, 7, 2, -4, 7, 5, -3, 7};
  c.indices = {0, 2, 1, 1, 2};
  c.offsets = {0, 2, 2, 4};
  return c;
}

TEST(EmbeddingBag, SumsMeansAndMaximaOfWhatIsThere) {
  Call sum = call(BagMode::kSum), mean = call(BagMode::kMean), max = call(BagMode::kMax);
  EXPECT_FALSE(sum.run() || mean.run() || max.run());
  EXPECT_EQ(sum.out, (std::vector<float>{6, -4, 0, 0, 4, -8, 5, -3}));
  EXPECT_EQ(mean.out, (std::vector<float>{3, -2, 0, 0, 2, -4, 5, -3}));
  EXPECT_EQ(max.out, (std::vector<float>{5, -1, 0, 0, 2, -4, 5, -3}));
}

TEST(EmbeddingBag, PaddingIsLeftOutAndTheLastOffsetMayBeTheEnd) {
  Call c = call(BagMode::kMean);
  c.shape.padding = 2;
  c.shape.offsets_end = true;
  EXPECT_FALSE(c.run());
  EXPECT_EQ(c.out, (std::vector<float>{1, -1, 0, 0, 2, -4}));
}

TEST(EmbeddingBag, WeightsScaleRows) {
  Call c = call(BagMode::kSum);
  c.weights = {2, 3, 10, 1, -1};
  EXPECT_FALSE(c.run());
  EXPECT_EQ(c.out, (std::vector<float>{17, -11, 0, 0, 22, -44, -5, 3}));
}

TEST(EmbeddingBag, ANaNIsAMaximumOnlyWhereItComesFirst) {
  Call c = call(BagMode::kMax);
  c.table[0] = c.table[7] = kNaN;
  EXPECT_FALSE(c.run());
  EXPECT_TRUE(std::isnan(c.out[0]));
  EXPECT_EQ(c.out[1], -1);
}

TEST(EmbeddingBag, BadIndicesAndOffsetsAreFoundBeforeAnythingIsWritten) {
  const auto fault = [](const std::vector<int64_t>& indices, const std::vector<int64_t>& offsets) {
    Call c = call(BagMode::kSum);
    c.indices = indices;
    c.offsets = offsets;
    const std::string what = c.run().value_or("none");
    for (const float x : c.out) EXPECT_EQ(x, 99);
    return what;
  };
  EXPECT_EQ(fault({0, 3}, {0}), "index 3 names none of 3 rows");
  EXPECT_EQ(fault({0, -1}, {0}), "index -1 names none of 3 rows");
  EXPECT_EQ(fault({0, 1}, {1}), "offsets begin at 1, not at 0");
  EXPECT_EQ(fault({0, 1}, {0, 2, 1}), "offset 1 comes after 2 of 2 indices");
  EXPECT_EQ(fault({0, 1}, {0, 3}), "offset 3 comes after 0 of 2 indices");
}

TEST(EmbeddingBag, HalvesAreSummedAsFloats) {
  const std::vector<uint16_t> table{f16_of_f32(2048), f16_of_f32(1)};
  const std::vector<int32_t> indices{0, 1, 1}, offsets{0};
  uint16_t out = 0;
  EmbeddingBagShape s;
  s.dtype = DType::kF16;
  s.index = DType::kI32;
  s.rows = 2;
  s.columns = s.row_stride = s.bags = 1;
  s.index_count = 3;
  EXPECT_FALSE(
      embedding_bag(s, {table.data(), indices.data(), offsets.data(), nullptr, &out}, nullptr));
  EXPECT_EQ(f32_of_f16(out), 2050);  // 2048 + 1 is no half
}

TEST(EmbeddingBag, ManyColumnsAndThreads) {
  Call c;
  c.shape.mode = BagMode::kSum;
  c.shape.columns = c.shape.row_stride = 300;
  c.table.resize(300 * 50);
  for (size_t i = 0; i < c.table.size(); ++i) c.table[i] = static_cast<float>(i % 97);
  for (int64_t i = 0; i < 400; ++i) c.indices.push_back(i * 7 % 50);
  for (int64_t b = 0; b < 40; ++b) c.offsets.push_back(b * 10);
  EXPECT_FALSE(c.run());
  const std::vector<float> alone = c.out;
  for (const size_t column : {0u, 127u, 128u, 299u}) {
    float expected = 0;
    for (size_t i = 30; i < 40; ++i)
      expected += c.table[static_cast<size_t>(c.indices[i]) * 300 + column];
    EXPECT_EQ(alone[3 * 300 + column], expected);
  }
  const ParallelFor halves = [](int64_t count, int64_t grain, const auto& f) {
    ASSERT_LT(grain, count);
    f(0, count / 2);
    f(count / 2, count);
  };
  std::vector<float> shared(alone.size());
  EXPECT_FALSE(embedding_bag(
      c.shape, {c.table.data(), c.indices.data(), c.offsets.data(), nullptr, shared.data()},
      halves));
  EXPECT_EQ(shared, alone);
}

}  // namespace
}  // namespace torchweld
