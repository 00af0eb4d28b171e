// Calls of the kernels that are not made from specs, with operands: what their resources are
// measured on, and what shows faults in their text.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/compiler.h"
#include "kernels/embedding_bag.h"
#include "kernels/regions.h"
#include "kernels/suppression.h"

namespace torchweld {

struct OperatorCall {
  std::string name;  ///< "roi_align_f32"
  cuda::Source source;
  /// Compiles, launches on the compiler's device and waits; -> all bytes of the results.
  std::function<std::vector<uint8_t>(const std::shared_ptr<cuda::Compiler>&)> run;
};

/// `count` regions of a few pixels, some of them partly outside, of two images. `dense`: by
/// operands of dense strides; otherwise channels-last images and regions side by side.
OperatorCall region_call(RegionMode mode, DType dtype, int64_t count, bool dense);

/// Boxes of which about half stay, a strip of at most `strip` of them at a time.
OperatorCall suppression_call(DType dtype, int64_t count, int64_t strip);

/// `bags` bags of no to four rows of 128 columns. `odd`: the table's rows lie apart, and indices
/// and offsets out of range are among the others.
OperatorCall embedding_bag_call(BagMode mode, DType dtype, int64_t bags, bool odd);

}  // namespace torchweld
