// One row in order: keys with their places, by LibTorch's algorithms, or by faster ones where these
// can't give another order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "kernels/x86/order_keys.h"
#include "kernels/x86/ordering.h"

namespace torchweld::x86 {

/// An element of a row.
template <class K, class P>
struct Keyed {
  using Key = K;
  K key;
  P place;
};
using NarrowKeyed = Keyed<uint32_t, uint32_t>;
using WideKeyed = Keyed<uint64_t, uint64_t>;

/// Elements that the scratch of one row has room for.
inline int64_t most_keyed(const Ordering& call) {
  if (call.op == OrderingOp::kSort) return 2 * call.columns;
  return std::max(call.columns, call.made + 1);
}

/// The least and the largest key.
template <class E>
std::pair<typename E::Key, typename E::Key> range_of(const E* row, int64_t count) {
  auto low = row[0].key, high = row[0].key;
  for (int64_t i = 1; i < count; ++i) {
    low = std::min(low, row[i].key);
    high = std::max(high, row[i].key);
  }
  return {low, high};
}

/// Sorts by key, equal ones as they were, by bytes of what the key is above `low`; in `from` or in
/// `other`.
template <class E>
E* sort_by_bytes(E* from, E* other, int64_t count, typename E::Key low, typename E::Key range) {
  constexpr int kMostBytes = sizeof(range);
  int bytes = 0;
  while (bytes < kMostBytes && range >> (8 * bytes) != 0) ++bytes;
  const auto byte_of = [low](const E& e, int b) {
    return static_cast<uint8_t>((e.key - low) >> (8 * b));
  };
  uint32_t begins[kMostBytes][256] = {};
  for (int64_t i = 0; i < count; ++i) {
    for (int b = 0; b < bytes; ++b) ++begins[b][byte_of(from[i], b)];
  }
  for (int b = 0; b < bytes; ++b) {
    uint32_t begin = 0;
    for (uint32_t& bucket : begins[b]) begin += std::exchange(bucket, begin);
    for (int64_t i = 0; i < count; ++i) other[begins[b][byte_of(from[i], b)]++] = from[i];
    std::swap(from, other);
  }
  return from;
}

template <class E>
class OrderedRow {
 public:
  using Key = typename E::Key;

  OrderedRow(const Ordering& call, char* scratch)
      : call_(call), all_(reinterpret_cast<E*>(scratch)) {}

  /// The row's results, until the next one is asked for.
  const E* of(const char* row) {
    row_ = row;
    return call_.op == OrderingOp::kSort ? sorted() : top();
  }

 private:
  static constexpr int64_t kBlock = 512;  // keys that stay in the first cache
  static constexpr int64_t kFew = 24;     // results that are inserted one by one

  struct Before {
    bool operator()(const E& a, const E& b) const { return a.key < b.key; }
  };
  struct BeforeOrLeft {
    bool operator()(const E& a, const E& b) const {
      return a.key < b.key || (a.key == b.key && a.place < b.place);
    }
  };

  static bool has_equal(const E* ordered, int64_t count) {
    bool any = false;
    for (int64_t i = 1; i < count; ++i) any |= ordered[i].key == ordered[i - 1].key;
    return any;
  }

  /// Keys of columns [begin, end) of the row, a block at most.
  const Key* keys(int64_t begin, int64_t end) {
    const int64_t stride = call_.along.x;
    make_keys(call_.dtype, call_.descending, row_ + begin * stride * size_of(call_.dtype), stride,
              end - begin, keys_);
    return keys_;
  }

  static E at(Key key, int64_t place) { return {key, static_cast<Key>(place)}; }

  void read(int64_t count) {
    for (int64_t begin = 0; begin < count; begin += kBlock) {
      const int64_t end = std::min(begin + kBlock, count);
      const Key* block = keys(begin, end);
      for (int64_t i = begin; i < end; ++i) all_[i] = at(block[i - begin], i);
    }
  }

  /// Calls take(element) for those from column `begin` on whose keys are less than bound() then.
  template <class Bound, class Take>
  void scan(int64_t begin, const Bound& bound, const Take& take) {
    while (begin < call_.columns) {
      const int64_t count = std::min(kBlock, call_.columns - begin);
      const Key* block = keys(begin, begin + count);
      for (int64_t i = 0; i < count; ++i) {
        if (count - i >= 32) i = first_below(block, i, count, bound());
        if (i < count && block[i] < bound()) take(at(block[i], begin + i));
      }
      begin += count;
    }
  }

  const E* top() {
    const int64_t n = call_.columns, k = call_.made;
    if (k * 64 <= n) return top_by_heap();  // where LibTorch sorts a part
    if (call_.in_order && k <= kFew && top_by_insertion()) return few_;
    read(n);
    std::nth_element(all_, all_ + k - 1, all_ + n, Before{});
    if (call_.in_order) std::sort(all_, all_ + k - 1, Before{});
    return all_;
  }

  /// What std::partial_sort does, but that what leaves the heap is forgotten.
  const E* top_by_heap() {
    const int64_t k = call_.made;
    read(k);
    std::make_heap(all_, all_ + k, Before{});
    scan(
        k, [&] { return all_[0].key; },
        [&](const E& e) {
          all_[k] = e;
          std::pop_heap(all_, all_ + k + 1, Before{});
        });
    std::sort_heap(all_, all_ + k, Before{});
    return all_;
  }

  /// False where equal elements leave a choice, which is LibTorch's. One more than is asked for
  /// tells whether the last is alone.
  bool top_by_insertion() {
    const int64_t count = std::min(call_.made + 1, call_.columns);
    constexpr Key kLast = static_cast<Key>(~Key{0});
    int64_t held = 0;
    scan(
        0, [&] { return held < count ? kLast : few_[count - 1].key; },
        [&](const E& e) {
          int64_t i = held < count ? held++ : count - 1;
          for (; i > 0 && e.key < few_[i - 1].key; --i) few_[i] = few_[i - 1];
          few_[i] = e;
        });
    // The largest key of all was never below the bound.
    if (held < call_.made) return false;
    return !has_equal(few_, held);
  }

  const E* sorted() {
    const int64_t n = call_.columns;
    constexpr int64_t kLeastByBytes = 64 * sizeof(Key);
    read(n);
    const E* by_bytes = n < kLeastByBytes ? nullptr : sorted_by_bytes();
    if (by_bytes != nullptr) return by_bytes;
    if (call_.in_order) {
      std::sort(all_, all_ + n, BeforeOrLeft{});
    } else {
      std::sort(all_, all_ + n, Before{});
    }
    return all_;
  }

  /// Null where equal elements leave a choice, which is std::sort's; the row is as it was read
  /// then.
  const E* sorted_by_bytes() {
    const int64_t n = call_.columns;
    const auto [low, high] = range_of(all_, n);
    const Key range = high - low;
    // With fewer keys than elements some are equal.
    if (!call_.in_order && range < static_cast<Key>(n - 1)) return nullptr;
    const E* ordered = sort_by_bytes(all_, all_ + n, n, low, range);
    if (call_.in_order || !has_equal(ordered, n)) return ordered;
    read(n);
    return nullptr;
  }

  const Ordering& call_;
  E* const all_;
  const char* row_ = nullptr;
  E few_[kFew + 1];
  Key keys_[kBlock];
};

}  // namespace torchweld::x86
