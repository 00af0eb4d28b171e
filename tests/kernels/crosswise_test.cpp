// Operands that lie crosswise, against the reference: every element type, odd sizes, threads and
// parts, memory that ends where they do.
#include "kernels/x86/crosswise.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "kernels/x86/backend.h"
#include "kernels/x86/turn.h"
#include "tests/kernels/cuda/cases.h"
#include "tests/kernels/guarded.h"

namespace torchweld {
namespace {

using testing::Guarded;

TEST(Turn, IsATransposition) {
  for (const int64_t bytes : {1, 2, 4, 8}) {
    for (int64_t rows = 1; rows < 20; ++rows) {
      for (int64_t columns = 1; columns < 20; ++columns) {
        for (const int64_t gap : {0, 3}) {
          const int64_t from_pitch = (columns + 3 - gap) * bytes, to_pitch = (rows + gap) * bytes;
          const auto extent = [&](int64_t pitch, int64_t lines, int64_t length) {
            return static_cast<size_t>((lines - 1) * pitch + length * bytes);
          };
          const Guarded from(extent(from_pitch, rows, columns));
          const Guarded to(extent(to_pitch, columns, rows));
          for (size_t i = 0; i < extent(from_pitch, rows, columns); ++i)
            from.data()[i] = static_cast<char>(i * 7 % 251);
          x86::turn(bytes, from.data(), from_pitch, rows, columns, to.data(), to_pitch);
          for (int64_t r = 0; r < rows; ++r) {
            for (int64_t c = 0; c < columns; ++c) {
              ASSERT_EQ(
                  std::memcmp(to.data() + c * to_pitch + r * bytes,
                              from.data() + r * from_pitch + c * bytes, static_cast<size_t>(bytes)),
                  0)
                  << bytes << " bytes, " << rows << " x " << columns << " at " << r << ", " << c;
            }
          }
        }
      }
    }
  }
}

class Crosswise : public ::testing::TestWithParam<x86::Isa> {
 protected:
  std::shared_ptr<Backend> backend_ = x86::make_backend(GetParam());

  void SetUp() override {
    if (backend_ == nullptr) GTEST_SKIP() << "not on this machine";
  }

  using Launch = std::function<void(const Kernel&, const Geometry&, void* const*)>;

  void expect_agreement(const Case& c, const Launch& launch) {
    ASSERT_TRUE(x86::crosswise_of(c.spec, c.geometry).any()) << c.name;
    std::string why;
    const auto kernel = backend_->compile(c.spec, c.geometry, &why);
    ASSERT_NE(kernel, nullptr) << c.name << ": " << why;
    std::vector<std::unique_ptr<Guarded>> memory;
    std::vector<void*> pointers;
    for (const CaseOperand& operand : c.operands) {
      memory.push_back(std::make_unique<Guarded>(operand.bytes.size()));
      std::memcpy(memory.back()->data(), operand.bytes.data(), operand.bytes.size());
      pointers.push_back(memory.back()->data() + operand.first * size_of(operand.dtype));
    }
    launch(*kernel, c.geometry, pointers.data());
    std::vector<std::vector<uint8_t>> got;
    for (size_t i = 0; i < memory.size(); ++i) {
      const auto* bytes = reinterpret_cast<const uint8_t*>(memory[i]->data());
      got.emplace_back(bytes, bytes + c.operands[i].bytes.size());
    }
    EXPECT_EQ(difference_from_reference(c, got), "") << c.geometry.sizes.back() << " columns";
  }

  void expect_agreement(const Case& c) {
    expect_agreement(c, [](const Kernel& kernel, const Geometry& geometry, void* const* pointers) {
      kernel.launch(geometry, pointers, {});
    });
  }
};

/// [images, rows, columns], of which the columns lie side by side in the first operand and the
/// store, and the rows in the second operand and, if wanted, a second store.
Case pointwise(DType dtype, std::vector<int64_t> domain, bool stores, DType crosswise) {
  const int64_t rows = domain[1], columns = domain[2];
  const std::vector<int64_t> turned = {rows * columns, 1, rows};
  CaseBuilder b("pointwise", std::move(domain));
  BodyBuilder& body = b.body();
  const DType type = compute_type(dtype);
  const int16_t x = b.load(dtype);
  int16_t y = b.load(crosswise, turned, 4);
  if (compute_type(crosswise) != type) y = body.emit(Prim::kCast, type, y);
  const int16_t row = b.load(dtype, {0, 1, 0}, 6);
  const int16_t least = body.emit(Prim::kMin, type, x, y);
  b.store(body.emit(Prim::kMax, type, least, row), dtype);
  if (stores) b.store(least, dtype, turned);
  return b.finish();
}

TEST_P(Crosswise, Pointwise) {
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16, DType::kI32,
                            DType::kI64, DType::kU8, DType::kI16}) {
    for (const int64_t rows : {2, 3, 5, 8, 33, 300}) {
      for (const int64_t columns : {32, 45, 130, 257}) {
        expect_agreement(pointwise(dtype, {2, rows, columns}, false, dtype));
        expect_agreement(pointwise(dtype, {2, rows, columns}, true, dtype));
      }
    }
  }
  // Rows too short for vectors along them.
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kI64, DType::kU8}) {
    for (const int64_t rows : {16, 33, 3000}) {
      for (const int64_t columns : {2, 3, 4, 7}) {
        expect_agreement(pointwise(dtype, {2, rows, columns}, false, dtype));
        expect_agreement(pointwise(dtype, {2, rows, columns}, true, dtype));
      }
    }
  }
  expect_agreement(pointwise(DType::kF32, {1, 40, 50}, true, DType::kU8));
  expect_agreement(pointwise(DType::kF32, {1, 40, 50}, true, DType::kF64));
}

TEST_P(Crosswise, ThreadsAndPartsGiveTheSame) {
  for (const std::vector<int64_t>& domain :
       {std::vector<int64_t>{5, 70, 300}, {1, 70, 300}, {5, 7000, 3}, {1, 9000, 3}}) {
    const Case c = pointwise(DType::kF32, domain, true, DType::kF32);
    expect_agreement(c, [](const Kernel& kernel, const Geometry& geometry, void* const* pointers) {
      const ParallelFor pieces = [](int64_t count, int64_t grain, const auto& run) {
        for (int64_t i = 0; i < count; i += grain) run(i, std::min(count, i + grain));
      };
      kernel.launch(geometry, pointers, {pieces});
    });
    expect_agreement(c, [](const Kernel& kernel, const Geometry& geometry, void* const* pointers) {
      const int64_t n = geometry.sizes.front(), middle = n / 3;
      kernel.launch_part(geometry, pointers, middle, n);
      if (middle > 0) kernel.launch_part(geometry, pointers, 0, middle);
    });
  }
}

/// Layer norm without weights, of the sum of rows along memory and rows across it.
Case rows(DType dtype, int64_t images, int64_t count, int64_t columns) {
  CaseBuilder b("rows", {images, count, columns}, {false, false, true});
  BodyBuilder& body = b.body();
  const DType type = compute_type(dtype);
  const int16_t x =
      body.emit(Prim::kAdd, type, b.load(dtype), b.load(dtype, {count * columns, 1, count}, 4));
  const int16_t share = body.constant(type, 1.0 / static_cast<double>(columns));
  const int16_t mean = body.emit(Prim::kMul, type, body.emit(Prim::kSum, type, x), share);
  b.store(body.emit(Prim::kSub, type, x, mean), dtype);
  b.store_row(mean, dtype);
  Case c = b.finish();
  c.ulp = 64;
  c.absolute = dtype == DType::kF16 || dtype == DType::kBF16 ? 4e-2 : 1e-5;
  return c;
}

TEST_P(Crosswise, Rows) {
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kF16}) {
    for (const int64_t count : {4, 8, 21, 100}) {
      for (const int64_t columns : {16, 31, 96, 1000})
        expect_agreement(rows(dtype, 2, count, columns));
    }
  }
}

TEST(CrosswiseOf, SaysWhereTilesAreNoUse) {
  const auto found = [](const Case& c) { return x86::crosswise_of(c.spec, c.geometry).any(); };
  EXPECT_TRUE(found(rows(DType::kF32, 2, 40, 1000)));
  EXPECT_FALSE(found(rows(DType::kF32, 2, 40, 4000))) << "no eight rows fit";
  EXPECT_TRUE(found(pointwise(DType::kF32, {2, 8, 8}, false, DType::kF32)));
  EXPECT_FALSE(found(pointwise(DType::kF32, {2, 1, 8}, false, DType::kF32)));
  EXPECT_FALSE(found(pointwise(DType::kF32, {2, 7, 8}, false, DType::kF32)));
  EXPECT_TRUE(found(pointwise(DType::kF32, {2, 8, 7}, false, DType::kF32)));
  EXPECT_FALSE(found(pointwise(DType::kF32, {2, 7, 7}, false, DType::kF32)));
  EXPECT_FALSE(x86::crosswise_of(rows(DType::kF32, 2, 40, 100).spec, {}).any()) << "any geometry";
}

INSTANTIATE_TEST_SUITE_P(Isas, Crosswise, ::testing::Values(x86::Isa::kAvx2, x86::Isa::kAvx512),
                         [](const auto& info) {
                           return info.param == x86::Isa::kAvx512 ? "Avx512" : "Avx2";
                         });

}  // namespace
}  // namespace torchweld
