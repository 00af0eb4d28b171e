// torchvision's operators of detection archives, for processes where torchvision's own library
// isn't loaded.
#pragma once

namespace torchweld {

/// Registers torchvision::nms, roi_align and roi_pool (inference, CPU), each only if nobody has;
/// then does nothing.
///
/// Threads  safe from any.
/// Source   torchvision 0.26, behaviour compared on recorded outputs.
void register_torchvision_operators();

}  // namespace torchweld
