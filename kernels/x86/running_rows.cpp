// Running sums and products by hand, each element after the one before it.
#include <immintrin.h>

#include "kernels/half.h"
#include "kernels/x86/host_rows.h"

#pragma GCC push_options
#pragma GCC optimize("O3")
#pragma GCC target("avx2,f16c")
#include "kernels/x86/row_elements.h"

namespace torchweld::x86 {
namespace {

// Rows that are taken together, since each waits for its own last sum, not for the others': a
// vector of neighbours, or as many as there are registers for their places.
constexpr int kNeighbours = 8, kApart = 4;

/// E is read, summed in A, and each sum stored in the type of `Out`.
template <class E, class A, class Out, bool kProduct>
class Runner {
 public:
  Runner(const HostRows& call, const void* x, void* values)
      : call_(call),
        x_(static_cast<const typename E::Memory*>(x)),
        values_(static_cast<typename Out::Memory*>(values)) {}

  void run(int64_t begin, int64_t end) const {
    const size_t last = call_.kept - 1;
    while (begin < end) {
      const int64_t outer = begin / call_.sizes[last], first = begin % call_.sizes[last];
      const auto at = [&](const int64_t* strides) {
        return offset_of(call_, strides, 0, last, outer) + first * strides[last];
      };
      const int64_t left =
          call_.sizes[last] - first < end - begin ? call_.sizes[last] - first : end - begin;
      const auto* p = x_ + at(call_.x);
      auto* v = values_ + at(call_.values);
      if (left >= kNeighbours && call_.x[last] == 1 && call_.values[last] == 1) {
        run_rows<kNeighbours, true>(p, v);
        begin += kNeighbours;
      } else if (left >= kApart) {
        run_rows<kApart, false>(p, v);
        begin += kApart;
      } else {
        run_rows<1, false>(p, v);
        ++begin;
      }
    }
  }

 private:
  template <int kRows, bool kDense>
  void run_rows(const typename E::Memory* p, typename Out::Memory* v) const {
    const size_t last = call_.kept - 1, row = call_.kept;
    const int64_t n = call_.sizes[row], dx = call_.x[row], dv = call_.values[row];
    const int64_t next_x = kDense ? 1 : call_.x[last], next_v = kDense ? 1 : call_.values[last];
    A total[kRows];
    for (A& t : total) t = kProduct ? 1 : 0;
    for (int64_t i = 0; i < n; ++i, p += dx, v += dv) {
      typename Out::Memory made[kRows];
      for (int r = 0; r < kRows; ++r) {
        const A next = static_cast<A>(E::of(p[r * next_x]));
        total[r] = kProduct ? total[r] * next : total[r] + next;
        made[r] = Out::back(static_cast<typename Out::Compute>(total[r]));
      }
      for (int r = 0; r < kRows; ++r) v[r * next_v] = made[r];
    }
  }

  const HostRows& call_;
  const typename E::Memory* x_;
  typename Out::Memory* values_;
};

template <class E, class A, class Out>
void run(const HostRows& call, const void* x, void* values, int64_t begin, int64_t end) {
  if (call.op == RowsOp::kRunningSum)
    return Runner<E, A, Out, false>(call, x, values).run(begin, end);
  Runner<E, A, Out, true>(call, x, values).run(begin, end);
}

/// Integers wrap, which those without a sign do.
template <class M>
void run_integers(const HostRows& call, const void* x, void* values, int64_t begin, int64_t end) {
  run<Plain<M, int64_t>, uint64_t, Plain<int64_t, uint64_t>>(call, x, values, begin, end);
}

}  // namespace

void sum_along_rows(const HostRows& call, const void* x, void* values, int64_t begin, int64_t end) {
  using F32 = Plain<float, float>;
  using F64 = Plain<double, double>;
  switch (call.in) {
    case DType::kF32:
      return run<F32, double, F32>(call, x, values, begin, end);
    case DType::kF64:
      return run<F64, double, F64>(call, x, values, begin, end);
    case DType::kF16:
      return run<F16, float, F16>(call, x, values, begin, end);
    case DType::kBF16:
      return run<BF16, float, BF16>(call, x, values, begin, end);
    case DType::kI64:
      return run_integers<int64_t>(call, x, values, begin, end);
    case DType::kI32:
      return run_integers<int32_t>(call, x, values, begin, end);
    case DType::kI16:
      return run_integers<int16_t>(call, x, values, begin, end);
    case DType::kI8:
      return run_integers<int8_t>(call, x, values, begin, end);
    case DType::kU8:
      return run_integers<uint8_t>(call, x, values, begin, end);
    case DType::kBool:
      return run_integers<bool>(call, x, values, begin, end);
    case DType::kC64:
    case DType::kOther:
      return;
  }
}

}  // namespace torchweld::x86
#pragma GCC pop_options
