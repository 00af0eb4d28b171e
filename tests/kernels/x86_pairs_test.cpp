// Floats of which every second is read or written, by vectors: what is between them stays.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "kernels/body_builder.h"
#include "tests/kernels/guarded.h"
#include "tests/kernels/x86_backends.h"

namespace torchweld {
namespace {

using testing::Guarded;

// A copy of f32 through a f64 that nobody reads has half as many lanes.
KernelSpec pairs_spec(bool few_lanes) {
  KernelSpec spec;
  spec.name = "pairs";
  BodyBuilder body;
  int16_t value = body.load(0, DType::kF32);
  if (few_lanes) value = body.cast(body.cast(value, DType::kF64), DType::kF32);
  std::vector<int16_t> roots = {value};
  spec.body = body.finish(&roots);
  spec.loads = {operand(DType::kF32, StrideClass::kAny)};
  spec.stores = {{operand(DType::kF32, StrideClass::kAny), roots[0]}};
  return spec;
}

TEST(X86Pairs, EverySecondElementIsReadAndWrittenAlone) {
  for (const auto& backend : backends()) {
    for (const bool few_lanes : {false, true}) {
      for (int64_t n = 1; n < 140; n += n < 40 ? 1 : 9) {
        const Geometry geometry{{n}, {{2}, {2}}, n};
        std::string why;
        const auto kernel = backend->compile(pairs_spec(few_lanes), geometry, &why);
        ASSERT_NE(kernel, nullptr) << why;
        const auto floats = static_cast<size_t>(2 * n - 1);
        const Guarded from(4 * floats), to(4 * floats);
        auto* const read = reinterpret_cast<float*>(from.data());
        auto* const written = reinterpret_cast<float*>(to.data());
        for (size_t i = 0; i < floats; ++i) {
          read[i] = i % 2 == 0 ? static_cast<float>(i) : NAN;
          written[i] = -1;
        }
        void* pointers[] = {from.data(), to.data()};
        kernel->launch(geometry, pointers, {});
        for (size_t i = 0; i < floats; ++i)
          ASSERT_EQ(written[i], i % 2 == 0 ? static_cast<float>(i) : -1) << n << " at " << i;
      }
    }
  }
}

// What takes many registers leaves the mask of a row's rest in memory.
TEST(X86Pairs, PairsOfFunctionsAreStoredToTheEndOfARow) {
  KernelSpec spec;
  spec.name = "polar";
  BodyBuilder body;
  const int16_t angle = body.load(0, DType::kF32);
  std::vector<int16_t> roots = {body.emit(Prim::kCos, DType::kF32, angle),
                                body.emit(Prim::kSin, DType::kF32, angle)};
  spec.body = body.finish(&roots);
  spec.loads = {operand(DType::kF32, StrideClass::kOne)};
  for (const int16_t root : roots)
    spec.stores.push_back({operand(DType::kF32, StrideClass::kAny), root});
  for (const auto& backend : backends()) {
    for (const int64_t n : {8, 13, 16, 17, 31, 80}) {
      const Geometry geometry{{n}, {{1}, {2}, {2}}, n};
      std::string why;
      const auto kernel = backend->compile(spec, geometry, &why);
      ASSERT_NE(kernel, nullptr) << why;
      std::vector<float> angles(static_cast<size_t>(n)), pairs(static_cast<size_t>(2 * n), 9);
      for (size_t i = 0; i < angles.size(); ++i) angles[i] = 0.1f * static_cast<float>(i);
      void* pointers[] = {angles.data(), pairs.data(), pairs.data() + 1};
      kernel->launch(geometry, pointers, {});
      for (size_t i = 0; i < angles.size(); ++i) {
        EXPECT_NEAR(pairs[2 * i], std::cos(angles[i]), 1e-6) << n << " at " << i;
        EXPECT_NEAR(pairs[2 * i + 1], std::sin(angles[i]), 1e-6) << n << " at " << i;
      }
    }
  }
}

}  // namespace
}  // namespace torchweld
