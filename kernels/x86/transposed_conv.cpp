// One product a phase of the filter.
#include "kernels/x86/transposed_conv.h"

#include <algorithm>

#include "kernels/x86/conv_pieces.h"

namespace torchweld::x86 {
namespace {

/// Where places of the result lie in one dim, stride by stride from the first window on.
struct Dim {
  int64_t taps, stride, pad;

  /// Taps of a window: those of the phase that has most of them.
  int64_t kernel() const { return (taps + stride - 1) / stride; }
  int64_t window(int64_t place) const { return (place + pad) / stride - pad / stride; }
  /// Phases count from the last taps of the filter, as if its size were a multiple of its stride.
  int64_t phase(int64_t place) const { return stride - 1 - (place + pad) % stride; }
  /// The first place at or after this one of a phase.
  int64_t next(int64_t place, int64_t of_phase) const {
    return place + (phase(place) - of_phase + stride) % stride;
  }
  /// How many of a window's first taps a phase lacks: one, or none.
  int64_t skipped(int64_t phase) const { return phase < kernel() * stride - taps ? 1 : 0; }
  int64_t taps_of(int64_t phase) const { return kernel() - skipped(phase); }
  /// The taps of the phases before this one.
  int64_t before(int64_t phase) const {
    return phase * kernel() - std::min(phase, kernel() * stride - taps);
  }
};

Dim depth_of(const ConvShape& s) { return {s.kernel_depth, s.stride_depth, s.pad_depth}; }

/// Of the taps that its phase has.
SeenSlices seen_in_phase(const ConvShape& image, const Dim& depth, int64_t volume, int64_t z) {
  SeenSlices seen = seen_slices(image, volume * image.out_depth + depth.window(z));
  if (depth.skipped(depth.phase(z)) == 0) return seen;
  if (seen.tap > 0) {
    --seen.tap;
  } else if (seen.count > 0) {
    --seen.count;
    seen.offset += image.x_depth_stride;
  }
  return seen;
}

class Transposed {
 public:
  Transposed(const ImageConvCall& call, const ImageConvCall& image)
      : c_(call),
        image_(image.shape),
        x_(image.x),
        depth_(depth_of(call.shape)),
        height_{call.shape.kernel_height, call.shape.stride_height, call.shape.pad_height},
        width_{call.shape.kernel_width, call.shape.stride_width, call.shape.pad_width} {
    const ConvShape& s = call.shape;
    product_.panel = c_.panel;
    product_.w_row_stride = s.taps();
    product_.n = s.out_channels;
    product_.scale = c_.scale;
    product_.bias = c_.bias;
    product_.clamps = c_.clamps;
    product_.clamp = c_.clamp;
    product_.x_row_stride = product_.inner_stride = image_.x_width_stride;
    product_.summand_row_stride = product_.out_row_stride = s.stride_width * s.out_channels;
    product_.outer_stride = image_.x_height_stride;
    if (image_.kernel_depth > 1) {  // whose taps in a row are one stretch
      product_.inner_stride = image_.x_height_stride;
      product_.outer_stride = image_.x_depth_stride;
    }
  }

  int64_t products_of_position() const { return image_.in_channels * image_.pixels() * product_.n; }

  /// Pieces [piece, piece_end), columns [column, column_end).
  void run(const Pieces& pieces, int64_t piece, int64_t piece_end, int64_t column,
           int64_t column_end) const {
    for (; column < column_end; column += kPanel) {
      for (int64_t phase = 0; phase < width_.stride; ++phase) {
        for (int64_t p = piece; p < piece_end; ++p)
          run_phase(pieces, p, phase, column, std::min(column + kPanel, column_end));
      }
    }
  }

 private:
  void run_phase(const Pieces& pieces, int64_t piece, int64_t phase, int64_t column,
                 int64_t column_end) const {
    const ConvShape& s = c_.shape;
    const int64_t row = pieces.row(piece), y = row % s.out_height, slice = row / s.out_height,
                  z = slice % s.out_depth;
    const int64_t begin = width_.next(pieces.begin(piece), phase),
                  end = std::min(pieces.begin(piece) + pieces.width, s.out_width);
    if (begin >= end) return;
    MatmulCall part = product_;
    part.m = (end - begin + s.stride_width - 1) / s.stride_width;
    part.begin = column;
    part.end = column_end;
    const SeenSlices seen = seen_in_phase(image_, depth_, slice / s.out_depth, z);
    const int64_t of_depth = depth_.phase(z), of_height = height_.phase(y);
    const int64_t rows = height_.taps_of(of_height), columns = width_.taps_of(phase);
    part.x = x_ + seen.offset +
             (height_.window(y) + height_.skipped(of_height)) * image_.x_height_stride +
             (width_.window(begin) + width_.skipped(phase)) * image_.x_width_stride;
    if (image_.kernel_depth > 1) {
      part.outer = seen.count;
      part.inner = rows;
    } else {
      part.outer = rows;
      if (image_.x_width_stride != image_.in_channels) part.inner = columns;
    }
    // A panel has the rows of all phases and slices; the product expects those of one that are
    // seen.
    part.k = seen.count * rows * columns * s.in_channels;
    const int64_t of_earlier_phases =
        depth_.before(of_depth) * s.kernel_height * s.kernel_width +
        depth_.taps_of(of_depth) *
            (height_.before(of_height) * s.kernel_width + rows * width_.before(phase));
    const int64_t first = (of_earlier_phases + seen.tap * rows * columns) * s.in_channels;
    part.w = c_.w + first * c_.panel + column / c_.panel * c_.panel * (s.taps() - part.k);
    const int64_t at = (row * s.out_width + begin) * s.out_channels;
    part.out = c_.out + at;
    if (c_.summand != nullptr) part.summand = c_.summand + at;
    matmul(part);
  }

  const ImageConvCall& c_;
  ConvShape image_;
  const float* x_;
  Dim depth_, height_, width_;
  MatmulCall product_;
};

}  // namespace

ConvShape windows_of_transposed(const ConvShape& shape) {
  ConvShape s = shape;
  const auto turn = [](int64_t* kernel, int64_t* stride, int64_t* pad, int64_t* out) {
    const Dim dim{*kernel, *stride, *pad};
    *kernel = dim.kernel();
    *pad = *kernel - 1 - *pad / *stride;
    *out = dim.window(*out - 1) + 1;
    *stride = 1;
  };
  turn(&s.kernel_depth, &s.stride_depth, &s.pad_depth, &s.out_depth);
  turn(&s.kernel_height, &s.stride_height, &s.pad_height, &s.out_height);
  turn(&s.kernel_width, &s.stride_width, &s.pad_width, &s.out_width);
  return s;
}

bool sees_slices(const ConvShape& shape) {
  const ConvShape image = windows_of_transposed(shape);
  for (int64_t z = 0; z < shape.out_depth; ++z) {
    if (seen_in_phase(image, depth_of(shape), 0, z).count == 0) return false;
  }
  return true;
}

void transposed(const ImageConvCall& call, const ImageConvCall& image, const SplitWork& parallel,
                const AfterRows& after) {
  const ConvShape& s = call.shape;
  const Transposed phases(call, image);
  const Pieces pieces = pieces_of(s, static_cast<bool>(after));
  const auto some = [&](int64_t begin, int64_t end) {
    phases.run(pieces, begin, end, 0, s.out_channels);
  };
  share_out_pieces(s, pieces, phases.products_of_position() / 16, parallel, after, std::ref(some));
}

}  // namespace torchweld::x86
