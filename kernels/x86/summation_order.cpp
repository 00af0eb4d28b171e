#include "kernels/x86/summation_order.h"

#include <algorithm>
#include <numeric>

#include "kernels/x86/isa.h"

namespace torchweld::x86 {
namespace {

bool takes_onednn(const ConvShape& s, int threads) {
  const bool one_tap = s.pixels() == 1;
  const bool strided = s.stride_height != 1 || s.stride_width != 1;
  const bool dilated = s.dilation_height != 1 || s.dilation_width != 1;
  if (one_tap && !strided && !dilated && s.batch < 16 && threads == 1) return false;
  return s.groups > 1 || (s.kernel_height > 3 && s.kernel_width > 3) || s.batch > 1 ||
         s.in_channels * s.in_height * s.in_width > 20480;
}

/// Channels that oneDNN's kernel of one tap sums by themselves: by the height of the image, and
/// fewer where pixels of several blocks of channels would share a set of the cache.
int64_t one_tap_channels(const ConvShape& s) {
  constexpr int64_t kLanes = 16, kFewRows = 10, kManyRows = 28, kFewOutputs = 256;
  const bool medium = s.out_height > kFewRows && s.out_height < kManyRows;
  const int64_t most = s.out_height <= kFewRows                  ? 256
                       : medium && s.out_channels <= kFewOutputs ? 80
                                                                 : 512;
  const int64_t channels = std::min((s.in_channels + kLanes - 1) / kLanes * kLanes, most);
  constexpr int64_t kWay = 16384, kSharing = 7;  // floats of a way, ways
  const int64_t pixels = s.out_height * s.out_width, step = kWay / kLanes;
  const int64_t last = (kSharing - 1) * std::lcm(pixels, step);
  if (pixels * channels <= kWay * kSharing || last >= pixels * (channels / kLanes)) return channels;
  return std::min(channels, kLanes * std::max<int64_t>(1, (last + step) / pixels));
}

}  // namespace

SummationOrder libtorch_order(const ConvShape& s, int threads) {
  using Split = SummationOrder::Split;
  const bool wide = host_isa() == Isa::kAvx512;
  // With strides, oneDNN's kernel of one tap takes images that are a multiple of these.
  const bool one_tap = s.pixels() == 1 && s.out_height * s.stride_height == s.in_height &&
                       s.out_width * s.stride_width == s.in_width;
  if (!takes_onednn(s, threads))
    return s.pixels() == 1 ? SummationOrder{} : SummationOrder{.piece = 1};
  if (one_tap)
    return {.piece = wide ? one_tap_channels(s) : 128, .split = Split::kPieces, .from_bias = true};
  return wide ? SummationOrder{.piece = 16, .split = Split::kPieces}
              : SummationOrder{.piece = 8, .split = Split::kNone, .from_bias = true};
}

}  // namespace torchweld::x86
