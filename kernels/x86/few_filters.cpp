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

}  // namespace torchweld::x86
