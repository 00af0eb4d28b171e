// A linear filter that feeds back what it gave: the sequential half of torchaudio's lfilter.
#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/kernel.h"

namespace torchweld {

/// y[t] = x[t] - sum of y[t - k] * a[k], of rows of samples; each channel has coefficients of its
/// own.
///
/// Shapes  input [batch, channels, samples], coefficients [channels, order], the latest sample's
///         last, out [batch, channels, samples + order - 1]; all dense. A row of out begins with
///         what was given before the first sample; what stands at a sample's place counts as well,
///         by the last coefficient.
struct RecursiveFilterShape {
  DType dtype = DType::kF32;  ///< f32 or f64
  int64_t batch = 0, channels = 0, samples = 0, order = 1;
};

struct RecursiveFilterPointers {
  const void *input = nullptr, *coefficients = nullptr;
  void* out = nullptr;
};

/// On the host.
///
/// Numerics  torchaudio's operations in their order: the oldest sample is subtracted first
/// Source    torchaudio 2.11, src/libtorchaudio/lfilter.cpp
void run_recursive_filter(const RecursiveFilterShape& shape, const RecursiveFilterPointers& at,
                          const ParallelFor& parallel);

}  // namespace torchweld
