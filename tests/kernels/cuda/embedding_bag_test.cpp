// Bags of embeddings on the virtual GPU against a loop.
#include "kernels/cuda/embedding_bag.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/scalar.h"
#include "tests/kernels/cuda/device.h"

namespace torchweld {
namespace {

constexpr int64_t kRows = 11;
const std::vector<int64_t> kIndices = {3, 0, 7, 7, 10, 2, 5, 1, 9, 4, 3};
const std::vector<int64_t> kOffsets = {0, 4, 4, 5};  // the second bag is empty

struct Bags {
  EmbeddingBagShape shape;
  std::vector<uint8_t> table, weights, out;
};

Bags make_bags(DType dtype, BagMode mode, int64_t columns, int64_t padding, bool weighted) {
  Bags b;
  b.shape = {dtype,
             DType::kI64,
             mode,
             kRows,
             columns,
             columns,
             static_cast<int64_t>(kOffsets.size()),
             static_cast<int64_t>(kIndices.size()),
             padding};
  b.table = case_values(dtype, kRows * columns, 2, false);
  if (weighted) b.weights = case_values(dtype, b.shape.index_count, 4, false);
  b.out.resize(static_cast<size_t>(b.shape.bags * columns * size_of(dtype)));
  return b;
}

double read(DType dtype, const std::vector<uint8_t>& bytes, int64_t at) {
  const Scalar s = load_scalar(dtype, bytes.data() + at * size_of(dtype));
  return dtype == DType::kF64 ? s.f64 : s.f32;
}

double wanted(const Bags& b, int64_t bag, int64_t column) {
  const auto begin = static_cast<size_t>(kOffsets[static_cast<size_t>(bag)]);
  const bool has_next = bag + 1 < b.shape.bags;
  const size_t end =
      has_next ? static_cast<size_t>(kOffsets[static_cast<size_t>(bag) + 1]) : kIndices.size();
  double value = 0;
  int64_t count = 0;
  for (size_t i = begin; i < end; ++i) {
    if (kIndices[i] == b.shape.padding) continue;
    const double x = read(b.shape.dtype, b.table, kIndices[i] * b.shape.columns + column);
    const double weight =
        b.weights.empty() ? 1 : read(b.shape.dtype, b.weights, static_cast<int64_t>(i));
    value = b.shape.mode != BagMode::kMax ? value + x * weight
            : count == 0                  ? x
                                          : std::max(value, x);
    ++count;
  }
  return b.shape.mode == BagMode::kMean && count > 0 ? value / static_cast<double>(count) : value;
}

void run(Bags* b, const std::vector<int64_t>& indices = kIndices,
         const std::vector<int64_t>& offsets = kOffsets) {
  static cuda::EmbeddingBag kernel(shared_backend().compiler());
  cuda::Device& device = shared_device();
  std::vector<void*> memory;
  const auto place = [&](const void* bytes, size_t count) {
    memory.push_back(device.allocate(static_cast<int64_t>(std::max<size_t>(count, 1))));
    device.copy(memory.back(), bytes, static_cast<int64_t>(count), nullptr);
    return memory.back();
  };
  EmbeddingBagPointers pointers;
  pointers.table = place(b->table.data(), b->table.size());
  pointers.indices = place(indices.data(), indices.size() * sizeof(int64_t));
  pointers.offsets = place(offsets.data(), offsets.size() * sizeof(int64_t));
  if (!b->weights.empty()) pointers.weights = place(b->weights.data(), b->weights.size());
  pointers.out = place(b->out.data(), b->out.size());
  kernel.launch(b->shape, pointers, nullptr);
  device.copy(b->out.data(), pointers.out, static_cast<int64_t>(b->out.size()), nullptr);
  device.synchronize(cuda::Stream{});
  for (void* m : memory) device.release(m);
}

class CudaEmbeddingBag : public testing::TestWithParam<DType> {};

TEST_P(CudaEmbeddingBag, SumsMeansAndMaxima) {
  const DType dtype = GetParam();
  const double tolerance = dtype == DType::kF64   ? 1e-14
                           : dtype == DType::kF32 ? 1e-6
                           : dtype == DType::kF16 ? 1e-3
                                                  : 8e-3;
  for (const BagMode mode : {BagMode::kSum, BagMode::kMean, BagMode::kMax}) {
    for (const int64_t columns : {1, 24, 37}) {
      const bool weighted = mode == BagMode::kSum && columns == 24;
      Bags b = make_bags(dtype, mode, columns, columns == 37 ? 7 : -1, weighted);
      run(&b);
      for (int64_t i = 0; i < b.shape.bags * columns; ++i) {
        const double want = wanted(b, i / columns, i % columns);
        ASSERT_NEAR(read(dtype, b.out, i), want, tolerance * (1 + std::abs(want)))
            << "mode " << static_cast<int>(mode) << " columns " << columns << " at " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(DTypes, CudaEmbeddingBag,
                         testing::Values(DType::kF32, DType::kF16, DType::kBF16, DType::kF64),
                         [](const auto& param) { return std::string(name_of(param.param)); });

TEST(CudaEmbeddingBagIndices, OutOfRangeReadNothing) {
  Bags all = make_bags(DType::kF32, BagMode::kMean, 8, -1, false);
  run(&all);
  std::vector<int64_t> indices = kIndices, offsets = kOffsets;
  indices.insert(indices.begin() + 2, {-1, kRows, int64_t{1} << 40});
  for (size_t i = 1; i < offsets.size(); ++i) offsets[i] += 3;
  offsets[0] = -7;
  Bags odd = make_bags(DType::kF32, BagMode::kMean, 8, -1, false);
  odd.shape.index_count = static_cast<int64_t>(indices.size());
  run(&odd, indices, offsets);
  EXPECT_EQ(odd.out, all.out);
  offsets[3] = int64_t{1} << 40;  // the last bag begins, and the one before it ends, past the end
  run(&odd, indices, offsets);
  for (int64_t column = 0; column < 8; ++column)
    EXPECT_EQ(read(DType::kF32, odd.out, 24 + column), 0);
}

TEST(CudaEmbeddingBagLimits, AreSaidInWords) {
  std::string why;
  EXPECT_FALSE(cuda::EmbeddingBag::accepts({DType::kI32}, &why));
  EXPECT_FALSE(cuda::EmbeddingBag::accepts({DType::kF32, DType::kU8}, &why));
  EXPECT_NE(why.find("int64"), std::string::npos);
}

}  // namespace
}  // namespace torchweld
