// Places in sorted rows against ATen.
#include "kernels/x86/sorted_search.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "loader/dtypes.h"

namespace torchweld::x86 {
namespace {

const std::vector<at::ScalarType> kTypes = {at::kFloat,    at::kDouble, at::kHalf,
                                            at::kBFloat16, at::kLong,   at::kInt,
                                            at::kShort,    at::kChar,   at::kByte};

at::Tensor filled(at::IntArrayRef sizes, at::ScalarType type) {
  at::Tensor x = at::randint(0, 20, sizes, at::kLong).to(type);
  if (!at::isFloatingType(type)) return x;
  const at::Tensor chance = at::rand(sizes);
  x.masked_fill_(chance < 0.1, -0.0);
  x.masked_fill_(chance > 0.95, std::numeric_limits<double>::quiet_NaN());
  return x.masked_fill_((chance > 0.9).logical_and(chance < 0.95),
                        std::numeric_limits<double>::infinity());
}

/// Of values [A, B, C] and bounds [A, B, n] or [n].
at::Tensor by_hand(const at::Tensor& bounds, const at::Tensor& values, bool right, bool narrow,
                   const ParallelFor& parallel = {}) {
  at::Tensor places = at::full(values.sizes(), -1, narrow ? at::kInt : at::kLong);
  SortedSearch call;
  call.dtype = dtype_of(values.scalar_type());
  call.right = right;
  call.narrow = narrow;
  call.bounds = bounds.size(-1);
  call.bound_step = bounds.stride(-1);
  call.dims = 3;
  for (size_t d = 0; d < 3; ++d) {
    const auto i = static_cast<int64_t>(d);
    call.sizes[d] = values.size(i);
    call.value_strides[d] = values.stride(i);
    call.row_strides[d] = bounds.dim() == 3 && d < 2 ? bounds.stride(i) : 0;
    call.place_strides[d] = places.stride(i);
  }
  run_sorted_search(call, bounds.data_ptr(), values.data_ptr(), places.data_ptr(), parallel);
  return places;
}

TEST(SortedSearch, AgreesWithATen) {
  at::manual_seed(7);
  for (const at::ScalarType type : kTypes) {
    for (const int64_t n : {0, 1, 2, 9, 64, 301}) {
      // In order, as asked for, and not, where LibTorch's halving decides.
      const at::Tensor shuffled = filled({2, 3, n}, type), sorted = std::get<0>(shuffled.sort());
      const at::Tensor values = filled({2, 3, 17}, type);
      const at::Tensor turned = filled({17, 3, 2}, type).permute({2, 1, 0});
      const at::Tensor apart =
          std::get<0>(filled({2, 3, 2 * n}, type).sort()).slice(2, 0, 2 * n, 2);
      for (const at::Tensor& x : {values, turned}) {
        for (const at::Tensor& bounds : {shuffled, sorted, sorted[1][0], apart, apart[0][2]}) {
          for (const bool right : {false, true}) {
            for (const bool narrow : {false, true}) {
              const at::Tensor expected = at::searchsorted(bounds, x, narrow, right);
              ASSERT_TRUE(at::equal(expected, by_hand(bounds, x, right, narrow)))
                  << at::toString(type) << " " << n << " " << right << expected;
            }
          }
        }
      }
    }
  }
}

TEST(SortedSearch, PiecesBeginInsideOfRows) {
  const at::Tensor bounds = std::get<0>(at::rand({2, 3, 700}).sort()), x = at::rand({2, 3, 1100});
  int pieces = 0;
  const ParallelFor in_pieces = [&](int64_t count, int64_t,
                                    const std::function<void(int64_t, int64_t)>& f) {
    for (int64_t begin = 0; begin < count; begin += 777, ++pieces)
      f(begin, std::min<int64_t>(begin + 777, count));
  };
  EXPECT_TRUE(at::equal(at::searchsorted(bounds, x), by_hand(bounds, x, false, false, in_pieces)));
  EXPECT_GT(pieces, 1);
}

TEST(SortedSearch, NoValuesHaveNoPlaces) {
  EXPECT_EQ(by_hand(at::rand({5}), at::rand({2, 0, 3}), false, false).numel(), 0);
}

}  // namespace
}  // namespace torchweld::x86
