#include "kernels/suppression.h"

#include <algorithm>
#include <vector>

namespace torchweld {
namespace {

/// The boxes that are left, one list a side, so that a vector compares several with one.
template <class T>
class Left {
 public:
  Left(const T* boxes, int64_t count) : places_(static_cast<size_t>(count)) {
    for (std::vector<T>* side : {&left_, &top_, &right_, &bottom_})
      side->resize(static_cast<size_t>(count));
    for (size_t i = 0; i < places_.size(); ++i) {
      places_[i] = static_cast<int64_t>(i);
      set(i, boxes + 4 * i);
    }
  }

  bool any() const { return !places_.empty(); }

  /// The best box; it goes, and with it those that it overlaps.
  int64_t take(double threshold) {
    const int64_t best = places_[0];
    const T left = left_[0], top = top_[0], right = right_[0], bottom = bottom_[0];
    const T area = (right - left) * (bottom - top);
    const size_t count = places_.size();
    drops_.resize(count);
    for (size_t i = 1; i < count; ++i) {
      const T width = std::min(right, right_[i]) - std::max(left, left_[i]);
      const T height = std::min(bottom, bottom_[i]) - std::max(top, top_[i]);
      const T both = std::max(T(0), width) * std::max(T(0), height);
      const T other = (right_[i] - left_[i]) * (bottom_[i] - top_[i]);
      drops_[i] = static_cast<double>(both / (area + other - both)) > threshold;
    }
    size_t kept = 0;
    for (size_t i = 1; i < count; ++i) {
      if (drops_[i] != 0) continue;
      const T box[] = {left_[i], top_[i], right_[i], bottom_[i]};
      places_[kept] = places_[i];
      set(kept++, box);
    }
    places_.resize(kept);
    return best;
  }

 private:
  void set(size_t i, const T* box) {
    left_[i] = box[0];
    top_[i] = box[1];
    right_[i] = box[2];
    bottom_[i] = box[3];
  }

  std::vector<T> left_, top_, right_, bottom_;
  std::vector<int64_t> places_;
  std::vector<char> drops_;
};

template <class T>
void run(const SuppressionShape& shape, const SuppressionPointers& at) {
  std::fill(at.kept, at.kept + shape.count, false);
  Left<T> left(static_cast<const T*>(at.boxes), shape.count);
  while (left.any()) at.kept[left.take(shape.threshold)] = true;
}

}  // namespace

void run_suppression(const SuppressionShape& shape, const SuppressionPointers& pointers) {
  if (shape.dtype == DType::kF64) return run<double>(shape, pointers);
  run<float>(shape, pointers);
}

}  // namespace torchweld
