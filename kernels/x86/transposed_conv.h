// Transposed convolutions of images and volumes whose channels are innermost, f32, by hand.
#pragma once

#include "kernels/x86/image_conv.h"

namespace torchweld::x86 {

/// Pixels of the result that lie a stride apart are a convolution of stride 1 by a phase of the
/// filter, every stride-th tap of it in reverse. All phases read the same windows, those that a
/// convolution of this shape reads, but for the first tap where the filter's size is no multiple of
/// its stride and a phase has one less. The filter is no smaller than its stride, and larger than
/// the padding.
ConvShape windows_of_transposed(const ConvShape& shape);

/// Whether each slice of the result sees one of the volume's, which the kernel asks for.
bool sees_slices(const ConvShape& shape);

/// out = clamp(transposed convolution of `image` + bias + summand), or without what isn't there.
///
/// Shapes   as ImageConvCall, but for w: packed as [taps, out_channels], of which the taps are
///          [phases of depth, of height, of width, taps of the phase in depth, in height, in width,
///          in_channels], phases and their taps from the filter's last on. `image` is the call with
///          the padding of windows_of_transposed() in height and width in memory.
void transposed(const ImageConvCall& call, const ImageConvCall& image, const SplitWork& parallel,
                const AfterRows& after);

}  // namespace torchweld::x86
