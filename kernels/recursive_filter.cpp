// A sample waits for the one before it, so what runs at once are rows, a lane each.
#include "kernels/recursive_filter.h"

#include <algorithm>
#include <array>
#include <vector>

namespace torchweld {
namespace {

constexpr size_t kLanes = 8;
constexpr int64_t kChunk = 128;  // samples that lie across the lanes at a time

template <class T>
using Lanes = std::array<T, kLanes>;

template <class T>
class Filter {
 public:
  Filter(const RecursiveFilterShape& s, const RecursiveFilterPointers& at)
      : s_(s),
        input_(static_cast<const T*>(at.input)),
        coefficients_(static_cast<const T*>(at.coefficients)),
        out_(static_cast<T*>(at.out)) {}

  void run(int64_t begin, int64_t end) const {
    constexpr auto kRows = static_cast<int64_t>(kLanes);
    for (; begin + kRows <= end; begin += kRows) rows(begin);
    for (; begin < end; ++begin) row(begin);
  }

 private:
  const T* input(int64_t row) const { return input_ + row * s_.samples; }
  const T* coefficients(int64_t row) const { return coefficients_ + row % s_.channels * s_.order; }
  T* out(int64_t row) const { return out_ + row * (s_.samples + s_.order - 1); }

  void row(int64_t row) const {
    const T *x = input(row), *a = coefficients(row);
    T* const y = out(row);
    for (int64_t t = 0; t < s_.samples; ++t) {
      T sum = x[t];
      for (int64_t k = 0; k < s_.order; ++k) sum -= y[t + k] * a[k];
      y[t + s_.order - 1] = sum;
    }
  }

  /// kLanes of them, turned so that a sample's lanes lie side by side.
  void rows(int64_t first) const {
    const auto past = s_.order - 1;
    std::vector<Lanes<T>> a(static_cast<size_t>(s_.order)), y(static_cast<size_t>(past + kChunk));
    std::array<Lanes<T>, kChunk> x;
    for_lanes(first, [&](int64_t row, size_t lane) {
      for (int64_t k = 0; k < s_.order; ++k) a[static_cast<size_t>(k)][lane] = coefficients(row)[k];
    });
    for (int64_t from = 0; from < s_.samples; from += kChunk) {
      const int64_t count = std::min(kChunk, s_.samples - from);
      for_lanes(first, [&](int64_t row, size_t lane) {
        for (int64_t t = 0; t < count; ++t) x[static_cast<size_t>(t)][lane] = input(row)[from + t];
        for (int64_t t = 0; t < past + count; ++t)
          y[static_cast<size_t>(t)][lane] = out(row)[from + t];
      });
      for (size_t t = 0; t < static_cast<size_t>(count); ++t) {
        Lanes<T> sum = x[t];
        for (size_t k = 0; k < a.size(); ++k)
          for (size_t lane = 0; lane < kLanes; ++lane) sum[lane] -= y[t + k][lane] * a[k][lane];
        y[t + a.size() - 1] = sum;
      }
      for_lanes(first, [&](int64_t row, size_t lane) {
        for (int64_t t = past; t < past + count; ++t)
          out(row)[from + t] = y[static_cast<size_t>(t)][lane];
      });
    }
  }

  template <class Work>
  static void for_lanes(int64_t first, const Work& work) {
    for (size_t lane = 0; lane < kLanes; ++lane) work(first + static_cast<int64_t>(lane), lane);
  }

  const RecursiveFilterShape& s_;
  const T *input_, *coefficients_;
  T* out_;
};

template <class T>
void run(const RecursiveFilterShape& s, const RecursiveFilterPointers& at,
         const ParallelFor& parallel) {
  constexpr int64_t kGrain = 8192;  // products: some microseconds
  const Filter<T> filter(s, at);
  const int64_t rows = s.batch * s.channels;
  if (parallel == nullptr) return filter.run(0, rows);
  const int64_t grain = kGrain / std::max<int64_t>(1, s.samples * s.order);
  parallel(rows, std::max<int64_t>(grain, 1),
           [&](int64_t begin, int64_t end) { filter.run(begin, end); });
}

}  // namespace

void run_recursive_filter(const RecursiveFilterShape& shape, const RecursiveFilterPointers& at,
                          const ParallelFor& parallel) {
  return shape.dtype == DType::kF64 ? run<double>(shape, at, parallel)
                                    : run<float>(shape, at, parallel);
}

}  // namespace torchweld
