// Rows by hand against ATen, to the bit: every operator, dtype and way of lying in memory.
#include "kernels/x86/host_rows.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "kernels/x86/isa.h"
#include "loader/dtypes.h"

namespace torchweld::x86 {
namespace {

const std::vector<at::ScalarType> kTypes = {at::kFloat, at::kDouble, at::kHalf,  at::kBFloat16,
                                            at::kLong,  at::kInt,    at::kShort, at::kChar,
                                            at::kByte,  at::kBool};

const std::vector<RowsOp> kOps = {RowsOp::kSum,        RowsOp::kProduct,       RowsOp::kLargest,
                                  RowsOp::kSmallest,   RowsOp::kAny,           RowsOp::kAll,
                                  RowsOp::kRunningSum, RowsOp::kRunningProduct};

/// Many equal elements; of the floats, rows with one and with several NaN, and rows of nothing but
/// infinities; integers large enough for their sums and products to wrap.
at::Tensor filled(at::IntArrayRef sizes, at::ScalarType type) {
  at::Tensor x = at::randint(-3, 4, sizes, at::kLong);
  if (type == at::kBool) return x.gt(1);
  if (at::isIntegralType(type, true)) {
    if (type == at::kLong) x = x * 0x3fffffffffffffff + x;
    return x.to(type);
  }
  x = x.to(at::kFloat) * 0.7f;
  x.masked_fill_(at::rand(sizes) < 0.1, -0.0f);
  at::Tensor flat = x.view(-1);
  for (int64_t i = 5; i < flat.size(0); i += 97) flat[i] = std::numeric_limits<float>::quiet_NaN();
  for (int64_t i = 7; i < flat.size(0); i += 53) flat[i] = std::numeric_limits<float>::infinity();
  x.select(0, 0).fill_(-std::numeric_limits<float>::infinity());
  return x.to(type);
}

/// A tensor and the dim, of three, that is reduced, or -1 for the two outer ones.
struct Case {
  const char* name;
  at::Tensor (*laid_out)(at::ScalarType);
  int64_t dim;
};

const std::vector<Case> kCases = {
    {"short rows along memory",
     [](at::ScalarType t) {
       return filled({3, 11, 5}, t);
     },
     2},
    {"rows of one element",
     [](at::ScalarType t) {
       return filled({4, 9, 1}, t);
     },
     2},
    {"few rows along memory",
     [](at::ScalarType t) {
       return filled({1, 2, 45}, t);
     },
     2},
    {"long rows along memory",
     [](at::ScalarType t) {
       return filled({2, 3, 323}, t);
     },
     2},
    {"rows across memory",
     [](at::ScalarType t) {
       return filled({2, 70, 19}, t);
     },
     1},
    {"few rows across memory",
     [](at::ScalarType t) {
       return filled({2, 70, 3}, t);
     },
     1},
    {"images",
     [](at::ScalarType t) {
       return filled({9, 4, 21}, t);
     },
     0},
    {"turned",
     [](at::ScalarType t) {
       return filled({40, 5, 3}, t).permute({2, 0, 1});
     },
     1},
    {"every second",
     [](at::ScalarType t) {
       return filled({4, 33, 90}, t).slice(2, 1, 90, 2);
     },
     2},
    {"rows of one value",
     [](at::ScalarType t) {
       return filled({3, 20, 1}, t).expand({3, 20, 9});
     },
     2},
    {"rows of two dims",
     [](at::ScalarType t) {
       return filled({7, 13, 6}, t);
     },
     -1},
    {"rows of two dims apart",
     [](at::ScalarType t) {
       return filled({7, 80, 6}, t).slice(1, 0, 70);
     },
     -1},
};

struct Results {
  at::Tensor values, places;
};

at::Tensor pick(RowsOp op, const at::Tensor& x, int64_t dim) {
  if (op == RowsOp::kAny) return x.any(dim);
  if (op == RowsOp::kAll) return x.all(dim);
  if (op == RowsOp::kRunningSum) return x.cumsum(dim);
  if (op == RowsOp::kRunningProduct) return x.cumprod(dim);
  return op == RowsOp::kSum ? x.sum(dim) : x.prod(dim);
}

Results by_aten(RowsOp op, const at::Tensor& x, int64_t dim) {
  const at::Tensor rows = dim < 0 ? x.flatten(0, 1) : x;
  const int64_t at = dim < 0 ? 0 : dim;
  if (op != RowsOp::kLargest && op != RowsOp::kSmallest) return {pick(op, rows, at), {}};
  const auto [values, places] = op == RowsOp::kLargest ? rows.max(at) : rows.min(at);
  return {values, places};
}

void add_dim(const at::Tensor& x, int64_t d, const Results& r, int64_t made_dim, HostRows* call) {
  const size_t i = call->dims++;
  call->sizes[i] = x.size(d);
  call->x[i] = x.stride(d);
  if (made_dim < 0) return;
  call->values[i] = r.values.stride(made_dim);
  if (r.places.defined()) call->places[i] = r.places.stride(made_dim);
}

Results by_hand(RowsOp op, const at::Tensor& x, int64_t dim) {
  const Results expected = by_aten(op, x, dim);
  Results r{at::full_like(expected.values, 1), {}};
  if (expected.places.defined()) r.places = at::full_like(expected.places, -1);
  HostRows call;
  call.op = op;
  call.in = dtype_of(x.scalar_type());
  call.dims = 0;
  const std::vector<int64_t> reduced = dim < 0 ? std::vector<int64_t>{0, 1} : std::vector{dim};
  int64_t made = 0;
  for (int64_t d = 0; d < 3; ++d) {
    const bool in_row = std::find(reduced.begin(), reduced.end(), d) != reduced.end();
    if (!in_row) add_dim(x, d, r, is_running(op) ? d : made++, &call);
  }
  call.kept = call.dims;
  for (const int64_t d : reduced) add_dim(x, d, r, is_running(op) ? d : -1, &call);
  EXPECT_EQ(type_of_values(op, call.in), dtype_of(r.values.scalar_type()));
  run_host_rows(call, x.data_ptr(), r.values.data_ptr(),
                r.places.defined() ? r.places.data_ptr<int64_t>() : nullptr, {});
  return r;
}

/// Equal, a NaN being equal to itself.
bool same(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.is_floating_point() ? a.to(at::kDouble) : a,
                   y = b.is_floating_point() ? b.to(at::kDouble) : b;
  return a.sizes() == b.sizes() && (x.eq(y) | (x.ne(x) & y.ne(y))).all().item<bool>();
}

TEST(HostRows, AgreeWithATen) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  at::manual_seed(3);
  for (const Case& c : kCases) {
    for (const at::ScalarType type : kTypes) {
      for (const RowsOp op : kOps) {
        const bool adds = op == RowsOp::kSum || op == RowsOp::kProduct;
        if ((adds && at::isFloatingType(type)) || (is_running(op) && c.dim < 0)) continue;
        // ATen's own answer is of type uint8 then, which stays with it.
        if ((op == RowsOp::kAny || op == RowsOp::kAll) && type == at::kByte) continue;
        const at::Tensor x = c.laid_out(type);
        const Results expected = by_aten(op, x, c.dim), made = by_hand(op, x, c.dim);
        SCOPED_TRACE(std::string(c.name) + ", " + at::toString(type) + ", op " +
                     std::to_string(static_cast<int>(op)));
        EXPECT_TRUE(same(expected.values, made.values)) << expected.values << made.values;
        if (!expected.places.defined()) continue;
        EXPECT_TRUE(at::equal(expected.places, made.places)) << expected.places << made.places;
      }
    }
  }
}

TEST(HostRows, OfTwoZerosTheFirstIsTheExtreme) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  for (const int64_t n : {2, 40, 200}) {
    at::Tensor x = at::zeros({1, 1, n});
    x[0][0][0] = -0.0f;
    const Results made = by_hand(RowsOp::kLargest, x, 2);
    EXPECT_TRUE(std::signbit(made.values.item<float>())) << n;
    EXPECT_EQ(made.places.item<int64_t>(), 0) << n;
  }
}

TEST(HostRows, ArePartsOfTheWhole) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const at::Tensor x = filled({40, 60, 30}, at::kFloat);
  int parts = 0;
  const ParallelFor in_parts = [&](int64_t count, int64_t grain,
                                   const std::function<void(int64_t, int64_t)>& f) {
    for (int64_t i = 0; i < count; i += grain, ++parts) f(i, std::min(i + grain, count));
  };
  for (const RowsOp op : {RowsOp::kLargest, RowsOp::kRunningSum}) {
    const bool runs = is_running(op);
    Results r{at::empty(runs ? at::IntArrayRef{40, 60, 30} : at::IntArrayRef{40, 60}),
              at::empty({40, 60}, at::kLong)};
    HostRows call{op, DType::kF32, 1, 2, {2400, 30}, {30, 1}, {1}, {1}};
    if (runs) call.values[0] = 30, call.values[1] = 1;
    run_host_rows(call, x.data_ptr(), r.values.data_ptr(),
                  runs ? nullptr : r.places.data_ptr<int64_t>(), in_parts);
    const Results expected = by_aten(op, x, 2);
    EXPECT_TRUE(same(expected.values, r.values));
    if (runs) continue;
    EXPECT_TRUE(at::equal(expected.places, r.places));
  }
  EXPECT_EQ(parts, 6);
}

}  // namespace
}  // namespace torchweld::x86
