#include "fusion/relaid_view.h"

#include <array>

namespace torchweld {
namespace {

/// Steps, or a place, in images, channels and pixels.
using Steps = std::array<int64_t, 3>;

}  // namespace

std::optional<Value> relaid_view(const Value& view, const Value& recorded, const Value& relaid) {
  if (view.dtype != recorded.dtype) return std::nullopt;
  const int64_t images = recorded.sizes[0], channels = recorded.sizes[1];
  const int64_t pixels = recorded.elements() / (images * channels);
  const Steps sizes = {images, channels, pixels};
  const Steps before = {channels * pixels, pixels, 1}, after = {channels * pixels, 1, channels};
  Steps last{};  // where the view's last element lies
  const auto move = [&](int64_t by, int64_t times) {
    int64_t moved = 0;
    for (size_t k = 0; k < 3; by %= before[k], ++k) {
      last[k] += by / before[k] * times;
      moved += by / before[k] * after[k];
    }
    return moved;
  };
  Value out = view;
  out.storage = relaid.storage;
  out.offset = move(view.offset, 1);
  for (size_t d = 0; d < view.sizes.size(); ++d)
    out.strides[d] = move(view.strides[d], view.sizes[d] - 1);
  for (size_t k = 0; k < 3; ++k) {
    if (last[k] >= sizes[k]) return std::nullopt;
  }
  return out;
}

}  // namespace torchweld
