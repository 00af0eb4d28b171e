// Convolutions of 3x3 filters by Winograd's F(2x2, 3x3), f32: tiles of 2x2 results from 4x4 pixels,
// with 16 products of transformed pixels and transformed weights where the sums themselves have 36.
// The slices that a deep filter sees are as many more channels.
// Rounds otherwise than these sums do: docs/numerics.md.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/x86/image_conv.h"

namespace torchweld::x86 {

/// Whether the kernel takes such a convolution: 3x3 or deeper, stride and dilation 1 but in depth,
/// one group, images with their channels innermost.
bool takes_winograd(const ConvShape& shape);

/// Whether it takes it and is clearly faster than image_conv on so many threads, by a count of
/// cycles whose constants were measured.
bool is_winograd_faster(const ConvShape& shape, int threads);

/// Pieces of the work for so many threads, each worth one.
int64_t winograd_pieces(const ConvShape& shape, int threads);

/// Weights transformed, in float64, and rounded once: [ceil(n / 32)][16][depth][in channels][32],
/// zeros past column n. Null where one of them isn't finite: such weights are image_conv's.
///
/// Shapes   `layout` as pack() takes it for image_conv.
/// Memory   64-byte aligned, owned.
std::shared_ptr<const float> transform_weights(const float* w, const MatrixLayout& layout);

struct WinogradWeights {
  std::shared_ptr<const float> transformed;
  const float* plain = nullptr;  ///< what they were made of
  MatrixLayout layout;           ///< of `plain`
};

/// What image_conv makes of the call, but for rounding.
///
/// Shapes   the call's, without w and panel.
/// Memory   `scratch` holds winograd_scratch_floats() of as many pieces; nothing is allocated but
///          for sums that are computed once more.
/// Numerics the error is relative to the pixels of a tile, 4x4, not only to the 3x3 of a sum. NaN
///          and infinity are where image_conv has them: sums that aren't well within the range of
///          float32 are computed once more, as image_conv computes them.
/// Source   Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2015.
///
/// With `after`, if that isn't empty, for all positions. Needs  AVX2 and FMA (isa.h).
void winograd(const ImageConvCall& call, const WinogradWeights& weights, int64_t pieces,
              const SplitWork& parallel, const AfterRows& after = {});

int64_t winograd_scratch_floats(const ConvShape& shape, int64_t pieces);

}  // namespace torchweld::x86
