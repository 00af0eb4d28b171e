// Dims of several tensors that are walked at once, as few as show the same elements.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace torchweld {

/// Outermost first; without those of one element, and with those that go on where the next one
/// ends, in each of the kTensors, as one.
template <size_t kTensors>
class MergedDims {
 public:
  using Strides = std::array<int64_t, kTensors>;
  struct Dim {
    int64_t size = 1;
    Strides strides{};
  };

  void add(int64_t size, const Strides& strides) {
    if (size == 1) return;
    if (!dims_.empty() && goes_on(dims_.back().strides, size, strides)) {
      dims_.back() = {dims_.back().size * size, strides};
    } else {
      dims_.push_back({size, strides});
    }
  }

  const std::vector<Dim>& dims() const { return dims_; }

 private:
  static bool goes_on(const Strides& outer, int64_t size, const Strides& inner) {
    bool all = true;
    for (size_t t = 0; t < kTensors; ++t) all &= outer[t] == inner[t] * size;
    return all;
  }

  std::vector<Dim> dims_;
};

}  // namespace torchweld
