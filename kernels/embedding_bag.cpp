#include "kernels/embedding_bag.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "kernels/half.h"

namespace torchweld {
namespace {

constexpr int64_t kBlock = 128;           // columns that are summed at once, in the first cache
constexpr int64_t kGrainBytes = 1 << 16;  // of rows, for one thread

struct F16 {
  uint16_t bits;
  operator float() const { return f32_of_f16(bits); }
  static F16 of(float x) { return {f16_of_f32(x)}; }
};

struct BF16 {
  uint16_t bits;
  operator float() const { return f32_of_bf16(bits); }
  static BF16 of(float x) { return {bf16_of_f32(x)}; }
};

template <class T, class Sum>
T rounded(Sum x) {
  if constexpr (std::is_same_v<T, Sum>) {
    return x;
  } else {
    return T::of(x);
  }
}

template <class T, class Index>
class Bags {
 public:
  using Sum = std::conditional_t<std::is_same_v<T, double>, double, float>;

  Bags(const EmbeddingBagShape& shape, const EmbeddingBagPointers& at)
      : s_(shape),
        table_(static_cast<const T*>(at.table)),
        indices_(static_cast<const Index*>(at.indices)),
        offsets_(static_cast<const Index*>(at.offsets)),
        weights_(static_cast<const T*>(at.weights)),
        out_(static_cast<T*>(at.out)) {}

  std::optional<std::string> fault() const {
    for (int64_t i = 0; i < s_.index_count; ++i) {
      if (indices_[i] < 0 || indices_[i] >= s_.rows)
        return fmt::format("index {} names none of {} rows", indices_[i], s_.rows);
    }
    int64_t last = 0;
    for (int64_t b = 0; b < s_.bags + (s_.offsets_end ? 1 : 0); ++b) {
      const int64_t offset = offsets_[b];
      if (b == 0 && offset != 0) return fmt::format("offsets begin at {}, not at 0", offset);
      if (offset < last || offset > s_.index_count)
        return fmt::format("offset {} comes after {} of {} indices", offset, last, s_.index_count);
      last = offset;
    }
    return std::nullopt;
  }

  void run(int64_t begin, int64_t end) const {
    for (int64_t b = begin; b < end; ++b) {
      const bool last = b + 1 == s_.bags && !s_.offsets_end;
      const int64_t first = offsets_[b], past = last ? s_.index_count : offsets_[b + 1];
      for (int64_t c = 0; c < s_.columns; c += kBlock)
        bag(first, past, c, std::min(kBlock, s_.columns - c), out_ + b * s_.columns + c);
    }
  }

 private:
  /// Columns [c, c + n) of one bag.
  void bag(int64_t first, int64_t past, int64_t c, int64_t n, T* out) const {
    Sum sums[kBlock] = {};
    int64_t count = 0;
    for (int64_t i = first; i < past; ++i) {
      const int64_t row = indices_[i];
      if (row == s_.padding) continue;
      const T* __restrict x = table_ + row * s_.row_stride + c;
      if (s_.mode == BagMode::kMax) {
        for (int64_t j = 0; j < n; ++j)
          sums[j] =
              count == 0 || static_cast<Sum>(x[j]) > sums[j] ? static_cast<Sum>(x[j]) : sums[j];
      } else if (weights_ != nullptr) {
        const auto weight = static_cast<Sum>(weights_[i]);
        for (int64_t j = 0; j < n; ++j) sums[j] += static_cast<Sum>(x[j]) * weight;
      } else {
        for (int64_t j = 0; j < n; ++j) sums[j] += static_cast<Sum>(x[j]);
      }
      ++count;
    }
    const bool means = s_.mode == BagMode::kMean && count > 1;
    const Sum divisor = means ? static_cast<Sum>(count) : Sum{1};
    for (int64_t j = 0; j < n; ++j) out[j] = rounded<T>(means ? sums[j] / divisor : sums[j]);
  }

  const EmbeddingBagShape& s_;
  const T* table_;
  const Index *indices_, *offsets_;
  const T* weights_;
  T* out_;
};

template <class T, class Index>
std::optional<std::string> run(const EmbeddingBagShape& s, const EmbeddingBagPointers& at,
                               const ParallelFor& parallel) {
  const Bags<T, Index> bags(s, at);
  if (auto fault = bags.fault()) return fault;
  const int64_t bytes = s.index_count * s.columns * static_cast<int64_t>(sizeof(T));
  if (bytes <= kGrainBytes || parallel == nullptr) {
    bags.run(0, s.bags);
  } else {
    const int64_t grain = std::max<int64_t>(1, kGrainBytes / std::max<int64_t>(1, bytes / s.bags));
    parallel(s.bags, grain, [&](int64_t begin, int64_t end) { bags.run(begin, end); });
  }
  return std::nullopt;
}

template <class T>
std::optional<std::string> run_any_index(const EmbeddingBagShape& s, const EmbeddingBagPointers& at,
                                         const ParallelFor& parallel) {
  return s.index == DType::kI32 ? run<T, int32_t>(s, at, parallel)
                                : run<T, int64_t>(s, at, parallel);
}

}  // namespace

std::optional<std::string> embedding_bag(const EmbeddingBagShape& s, const EmbeddingBagPointers& at,
                                         const ParallelFor& parallel) {
  switch (s.dtype) {
    case DType::kF64:
      return run_any_index<double>(s, at, parallel);
    case DType::kF16:
      return run_any_index<F16>(s, at, parallel);
    case DType::kBF16:
      return run_any_index<BF16>(s, at, parallel);
    default:
      return run_any_index<float>(s, at, parallel);
  }
}

}  // namespace torchweld
