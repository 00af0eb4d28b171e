// Rows in order against ATen, to the bit: of equal elements the same one has to come first.
#include "kernels/x86/ordering.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <vector>

#include "kernels/x86/isa.h"
#include "loader/dtypes.h"

namespace torchweld::x86 {
namespace {

const std::vector<at::ScalarType> kTypes = {at::kFloat,    at::kDouble, at::kHalf,
                                            at::kBFloat16, at::kLong,   at::kInt,
                                            at::kShort,    at::kChar,   at::kByte};

/// Of `distinct` values about, so that few of them leave many elements equal; floats have both
/// zeros, infinities and NaN of both signs, integers their extremes.
at::Tensor filled(at::IntArrayRef sizes, at::ScalarType type, int64_t distinct) {
  at::Tensor x = at::randint(-distinct / 2, distinct - distinct / 2, sizes, at::kLong);
  if (type == at::kBool) return x.gt(0);
  if (at::isIntegralType(type, true)) {
    if (type == at::kLong) x = x * (int64_t{1} << 40) + x.remainder(3);
    if (type == at::kInt) x = x * 65536 + x.remainder(3);
    return x.to(type);
  }
  x = x.to(at::kDouble) * 0.37;
  const at::Tensor chance = at::rand(sizes);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  x.masked_fill_(chance < 0.02, -0.0).masked_fill_(chance > 0.98, 0.0);
  x.masked_fill_((chance > 0.5).logical_and(chance < 0.505), nan);
  x.masked_fill_((chance > 0.6).logical_and(chance < 0.605), -nan);
  x.masked_fill_((chance > 0.7).logical_and(chance < 0.705),
                 std::numeric_limits<double>::infinity());
  x = x.to(type);
  // Conversions give but one NaN of a half; this one is a NaN of both.
  if (x.element_size() == 2)
    x.view(at::kShort).masked_fill_((chance > 0.8).logical_and(chance < 0.805), -62);
  return x;
}

struct Results {
  at::Tensor values, places;
};

/// What run_ordering makes in tensors laid out as `expected`.
Results by_hand(Ordering call, const at::Tensor& x, int64_t dim, const Results& expected,
                const ParallelFor& parallel = {}) {
  const Results r{at::empty_like(expected.values).fill_(1),
                  at::empty_like(expected.places).fill_(-1)};
  call.dtype = dtype_of(x.scalar_type());
  call.columns = x.size(dim);
  call.made = expected.values.size(dim);
  const auto strides = [&](int64_t d) {
    return Ordering::Strides{x.stride(d), r.values.stride(d), r.places.stride(d)};
  };
  call.along = strides(dim);
  for (int64_t d = 0; d < x.dim(); ++d) {
    if (d == dim) continue;
    call.sizes[call.kept] = x.size(d);
    call.strides[call.kept++] = strides(d);
  }
  std::vector<char> scratch(static_cast<size_t>(call.scratch_bytes()));
  run_ordering(call, x.data_ptr(), r.values.data_ptr(), r.places.data_ptr<int64_t>(),
               scratch.data(), parallel);
  return r;
}

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.contiguous(), y = b.contiguous();
  return x.sizes() == y.sizes() && x.dtype() == y.dtype() &&
         std::memcmp(x.data_ptr(), y.data_ptr(), x.nbytes()) == 0;
}

void expect_same(const Results& expected, const Results& made) {
  ASSERT_TRUE(at::equal(expected.places, made.places)) << expected.places << made.places;
  ASSERT_TRUE(same_bits(expected.values, made.values)) << expected.values << made.values;
}

/// A shape of rows and how they lie.
struct Case {
  const char* name;
  at::Tensor (*laid_out)(int64_t columns, at::ScalarType, int64_t distinct);
  int64_t dim;
};

const std::vector<Case> kCases = {
    {"along memory",
     [](int64_t n, at::ScalarType t, int64_t distinct) {
       return filled({2, 3, n}, t, distinct);
     },
     2},
    {"across memory",
     [](int64_t n, at::ScalarType t, int64_t distinct) {
       return filled({2, n, 3}, t, distinct);
     },
     1},
    {"turned, every second",
     [](int64_t n, at::ScalarType t, int64_t distinct) {
       return filled({2 * n, 2, 3}, t, distinct).permute({2, 0, 1}).slice(1, 0, 2 * n, 2);
     },
     1},
};

/// Every dtype, layout and length of rows, with few and with many different values.
template <class Check>
void for_each_tensor(const std::vector<at::ScalarType>& types, const std::vector<int64_t>& lengths,
                     const Check& check) {
  at::manual_seed(5);
  for (const Case& c : kCases) {
    for (const at::ScalarType type : types) {
      for (const int64_t n : lengths) {
        for (const int64_t distinct : {3, 40, 100000}) {
          SCOPED_TRACE(std::string(c.name) + ", " + at::toString(type) + ", " + std::to_string(n) +
                       " columns of " + std::to_string(distinct) + " values");
          check(c.laid_out(n, type, distinct), c.dim);
          if (::testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST(Ordering, TheFirstFewAreATens) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  for_each_tensor(kTypes, {1, 2, 7, 33, 64, 200, 1500}, [](const at::Tensor& x, int64_t dim) {
    const int64_t n = x.size(dim);
    for (const int64_t k : {int64_t{1}, int64_t{2}, int64_t{5}, int64_t{23}, int64_t{30}, n}) {
      if (k > n) continue;
      for (const bool largest : {false, true}) {
        for (const bool in_order : {false, true}) {
          const auto [values, places] = x.topk(k, dim, largest, in_order);
          Ordering call;
          call.descending = largest;
          call.in_order = in_order;
          SCOPED_TRACE("k " + std::to_string(k) + (largest ? ", largest" : "") +
                       (in_order ? ", in order" : ""));
          expect_same({values, places}, by_hand(call, x, dim, {values, places}));
          if (::testing::Test::HasFatalFailure()) return;
        }
      }
    }
  });
}

TEST(Ordering, SortedRowsAreATens) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  std::vector<at::ScalarType> types = kTypes;
  types.push_back(at::kBool);
  for_each_tensor(types, {0, 1, 2, 16, 17, 60, 255, 256, 700, 3000},
                  [](const at::Tensor& x, int64_t dim) {
                    for (const bool descending : {false, true}) {
                      for (const bool in_order : {false, true}) {
                        const auto [values, places] = x.sort(in_order, dim, descending);
                        Ordering call;
                        call.op = OrderingOp::kSort;
                        call.descending = descending;
                        call.in_order = in_order;
                        SCOPED_TRACE(std::string(descending ? "descending" : "") +
                                     (in_order ? ", in order" : ""));
                        expect_same({values, places}, by_hand(call, x, dim, {values, places}));
                        if (::testing::Test::HasFatalFailure()) return;
                      }
                    }
                  });
}

TEST(Ordering, RowsThatMakeQuicksortSlowAreATens) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  // Median-of-three's worst, where std::sort and std::nth_element turn to heaps.
  constexpr int64_t kHalf = 1500;
  at::Tensor x = at::empty({1, 2 * kHalf});
  for (int64_t i = 0; i < kHalf; ++i) {
    x[0][i] = i % 2 == 0 ? static_cast<float>(i + 1) : static_cast<float>(kHalf + i);
    x[0][kHalf + i] = static_cast<float>(2 * (i + 1));
  }
  x = at::cat({x.view({-1, 1}), x.view({-1, 1})}, 1).view({1, -1});
  Ordering call;
  const auto [first, first_places] = x.topk(kHalf, 1, false);
  expect_same({first, first_places}, by_hand(call, x, 1, {first, first_places}));
  call.op = OrderingOp::kSort;
  call.in_order = false;
  const auto [all, all_places] = x.sort(1);
  expect_same({all, all_places}, by_hand(call, x, 1, {all, all_places}));
}

TEST(Ordering, NoneOfARowWritesNothing) {
  const at::Tensor x = at::rand({3, 4});
  const Results none{at::empty({3, 0}), at::empty({3, 0}, at::kLong)};
  EXPECT_EQ(by_hand({}, x, 1, none).values.numel(), 0);
  const Results no_rows{at::empty({0, 2}), at::empty({0, 2}, at::kLong)};
  EXPECT_EQ(by_hand({}, at::rand({0, 4}), 1, no_rows).values.numel(), 0);
}

TEST(Ordering, RowsAreSharedOut) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const at::Tensor x = filled({500, 300}, at::kFloat, 20);
  int64_t pieces = 0;
  const ParallelFor backwards = [&](int64_t count, int64_t grain,
                                    const std::function<void(int64_t, int64_t)>& f) {
    pieces = count;
    for (int64_t begin = (count - 1) / grain * grain; begin >= 0; begin -= grain)
      f(begin, std::min(begin + grain, count));
  };
  const auto [values, places] = x.topk(9, 1);
  Ordering call;
  call.descending = true;
  expect_same({values, places}, by_hand(call, x, 1, {values, places}, backwards));
  EXPECT_GT(pieces, 1);
}

TEST(Ordering, WhatIsNotWantedIsNotWritten) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const at::Tensor x = filled({1, 40}, at::kFloat, 1000);
  Ordering call;
  call.columns = 40;
  call.made = 3;
  call.along = {1, 1, 1};
  std::vector<char> scratch(static_cast<size_t>(call.scratch_bytes()));
  const auto [values, places] = x.topk(3, 1, false);
  const Results made{at::empty_like(values), at::empty_like(places)};
  run_ordering(call, x.data_ptr(), made.values.data_ptr(), nullptr, scratch.data(), {});
  run_ordering(call, x.data_ptr(), nullptr, made.places.data_ptr<int64_t>(), scratch.data(), {});
  expect_same({values, places}, made);
}

}  // namespace
}  // namespace torchweld::x86
