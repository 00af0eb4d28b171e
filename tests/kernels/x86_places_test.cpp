// Places in 32 bits: what doesn't fit keeps its 64 bits, and no load reads there.
#include <gtest/gtest.h>

#include <limits>

#include "kernels/body_builder.h"
#include "kernels/x86/places.h"

namespace torchweld::x86 {
namespace {

/// One load of f32 as many elements on as the constant says.
KernelSpec reads_at(int64_t offset) {
  KernelSpec spec;
  BodyBuilder body;
  const int16_t place =
      body.emit(Prim::kAdd, DType::kI64, body.coord(0), body.constant_int(DType::kI64, offset));
  std::vector<int16_t> roots = {body.load_at(0, DType::kF32, place, -1)};
  spec.body = body.finish(&roots);
  spec.loads.resize(1);
  spec.stores = {{{}, roots[0]}};
  return spec;
}

TEST(X86Places, NumbersBeyond32BitsStayWide) {
  using Wide = std::numeric_limits<int64_t>;
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  for (const int64_t offset : {int64_t{3}, kMost, -kMost})
    EXPECT_TRUE(with_short_places(reads_at(offset)).has_value()) << offset;
  for (const int64_t offset : {kMost + 1, -kMost - 1, Wide::max(), Wide::min()})
    EXPECT_FALSE(with_short_places(reads_at(offset)).has_value()) << offset;
  for (const int64_t param : {kMost + 1, -kMost - 1, Wide::max(), Wide::min()}) {
    Geometry geometry;
    geometry.params = {param};
    EXPECT_FALSE(places_are_short(geometry)) << param;
  }
}

}  // namespace
}  // namespace torchweld::x86
