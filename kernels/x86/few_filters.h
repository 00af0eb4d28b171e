// When a convolution's filters are so few that its channels or its pixels fill vectors better.
#pragma once

#include "kernels/x86/conv_shape.h"

namespace torchweld::x86 {

/// Whether sums of `taps` products go by lanes of channels, for so many filters. The longer a sum,
/// the less it is to add up its lanes. `reassociates`: whether they may where it gains less, which
/// changes the order of sums that models go on with.
bool are_few_filters(int64_t filters, int64_t taps, int64_t channels, bool reassociates);

/// kFewFilters, kPlanes or, mostly, kConvolution, for filters that each see all channels or those
/// of their group. The weights of the first two are packed in panels of one column.
ImageOp op_of_dense(const ConvShape& shape, bool reassociates);

}  // namespace torchweld::x86
