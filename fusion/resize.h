// Interpolation: images resized by nearest neighbours, by lines between two, by cubics through
// four. One table row an operator. What it is not: those of float32 on the host (host_resize.h),
// and antialiased ones.
#pragma once

#include <string>

#include "fusion/indexed.h"

namespace torchweld {

/// The row of "aten::upsample_bilinear2d.vec"; null for other operators.
///
/// Numerics  places are computed as ATen's CUDA kernels do, in f32 (f64 for f64 images, unless
/// nearest); sizes are launch parameters, so that shapes share a kernel.
/// Source    ATen/native/UpSample.h, cuda/UpSample.cuh
const IndexedRow* find_resize(const std::string& op);

}  // namespace torchweld
