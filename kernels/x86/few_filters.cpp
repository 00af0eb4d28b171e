#include "kernels/x86/few_filters.h"

#include "kernels/x86/isa.h"
#include "kernels/x86/matmul.h"

namespace torchweld::x86 {

bool are_few_filters(int64_t filters, int64_t taps, int64_t channels, bool reassociates) {
  constexpr int64_t kFewestChannels = 8, kTapsOfSum = 8;
  if (channels < kFewestChannels) return false;
  if (filters <= kMostFewColumns) return taps >= kTapsOfSum * (filters + 1);
  // A panel of 8 uses at most half of a wide vector; of more filters, tiles are as fast.
  constexpr int64_t kMostFilters = 8, kFewestTaps = 64;
  return reassociates && host_isa() == Isa::kAvx512 && filters <= kMostFilters &&
         taps >= kFewestTaps;
}

ImageOp op_of_dense(const ConvShape& s, bool reassociates) {
  constexpr int64_t kMostPlanes = 4, kShortestRow = 16;
  const bool image = s.in_depth == 1 && s.out_depth == 1 && s.kernel_depth == 1;
  if (!image || s.groups != 1) return ImageOp::kConvolution;
  if (s.x_channel_stride == 1 &&
      are_few_filters(s.out_channels, s.taps(), s.in_channels, reassociates))
    return ImageOp::kFewFilters;
  const bool planes = s.in_channels <= kMostPlanes && s.out_channels <= kMostFewColumns &&
                      s.x_width_stride == 1 && s.stride_width == 1 && s.pixels() > 1 &&
                      s.out_width >= kShortestRow;
  return planes ? ImageOp::kPlanes : ImageOp::kConvolution;
}

}  // namespace torchweld::x86
