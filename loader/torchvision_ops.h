// torchvision's operators of detection archives, for processes where torchvision's own library
// isn't loaded: what they check and allocate; their kernels are kernels/regions.h and
// kernels/suppression.h.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <memory>
#include <string>

#include "kernels/regions.h"
#include "kernels/suppression.h"

namespace torchweld {

/// A device's kernels for these operators. Work goes to the calling thread's current stream.
class DetectionKernels {
 public:
  virtual ~DetectionKernels() = default;
  virtual bool accepts(const RegionShape& shape, std::string* why) const = 0;
  /// Whether suppression takes scratch memory.
  virtual bool wants_scratch() const { return true; }
  virtual void run(const RegionShape& shape, const RegionPointers& pointers) const = 0;
  virtual void run(const SuppressionShape& shape, const SuppressionPointers& pointers) const = 0;
};

/// Registers torchvision::nms, roi_align, roi_pool, ps_roi_align, ps_roi_pool and deform_conv2d
/// (inference), each only if nobody has; then does nothing.
///
/// Devices  the host, and those whose kernels are known. There a region whose image isn't there
///          gives 0, where the host raises an error; nms waits once, for the number of boxes.
/// Threads  safe from any.
/// Source   torchvision 0.26, behaviour compared on recorded outputs.
void register_torchvision_operators();

/// Whether torchvision::nms is the one registered here: torchvision's own library, where it is
/// loaded, has kernels of its own.
bool has_own_suppression();

/// From now on the operators run on this device, too.
void set_detection_kernels(c10::Device device, std::shared_ptr<const DetectionKernels> kernels);

/// nms on a device: the places of the boxes that stay, by falling score.
at::Tensor suppress(const at::Tensor& boxes, const at::Tensor& scores, double threshold,
                    const DetectionKernels& kernels);

}  // namespace torchweld
