// Gather the rows, multiply, turn the result.
#include "kernels/x86/small_conv.h"

#include <algorithm>

namespace torchweld::x86 {
namespace {

/// The taps of one output position, channel by channel; zeros outside the input.
void gather_row(const ConvShape& s, const float* x, int64_t out_y, int64_t out_x, float* row) {
  const int64_t y0 = out_y * s.stride_height - s.pad_height,
                x0 = out_x * s.stride_width - s.pad_width;
  for (int64_t c = 0; c < s.in_channels; ++c) {
    const float* plane = x + c * s.x_channel_stride;
    for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
      const int64_t y = y0 + ky * s.dilation_height;
      const bool inside = y >= 0 && y < s.in_height;
      for (int64_t kx = 0; kx < s.kernel_width; ++kx) {
        const int64_t at = x0 + kx * s.dilation_width;
        *row++ = inside && at >= 0 && at < s.in_width
                     ? plane[y * s.x_height_stride + at * s.x_width_stride]
                     : 0.0f;
      }
    }
  }
}

void gather(const ConvShape& s, const float* x, float* rows) {
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t y = 0; y < s.out_height; ++y) {
      for (int64_t i = 0; i < s.out_width; ++i, rows += s.taps())
        gather_row(s, x + b * s.x_batch_stride, y, i, rows);
    }
  }
}

/// [positions, channels] to [channels, positions] for each image.
void turn(const ConvShape& s, const float* product, float* out) {
  const int64_t positions = s.out_height * s.out_width;
  for (int64_t b = 0; b < s.batch;
       ++b, product += positions * s.out_channels, out += positions * s.out_channels) {
    for (int64_t c = 0; c < s.out_channels; ++c) {
      for (int64_t p = 0; p < positions; ++p)
        out[c * positions + p] = product[p * s.out_channels + c];
    }
  }
}

}  // namespace

bool reads_in_place(const ConvShape& s) {
  const bool one_row = s.batch == 1 && s.in_channels == 1 && s.in_height == 1 &&
                       s.kernel_height == 1 && s.out_height == 1;
  return one_row && s.x_width_stride == 1 && s.pad_width == 0 && s.pad_height == 0 &&
         s.dilation_width == 1;
}

int64_t small_conv_scratch_floats(const ConvShape& s) {
  return (reads_in_place(s) ? 0 : s.positions() * s.taps()) +
         (writes_in_place(s) ? 0 : s.positions() * s.out_channels);
}

void small_conv(const ConvShape& s, const float* x, const PackedMatrix& w, const float* bias,
                float* out, float* scratch) {
  const float* rows = x;
  int64_t row_stride = s.stride_width;
  if (!reads_in_place(s)) {
    gather(s, x, scratch);
    rows = scratch;
    row_stride = s.taps();
    scratch += s.positions() * s.taps();
  }
  float* product = writes_in_place(s) ? out : scratch;
  MatmulCall call;
  call.set(w);
  call.x = rows;
  call.m = s.positions();
  call.order.rounds_products = call.m > 1;
  call.x_row_stride = row_stride;
  call.bias = bias;
  call.out = product;
  call.out_row_stride = s.out_channels;
  matmul(call);
  if (!writes_in_place(s)) turn(s, product, out);
}

}  // namespace torchweld::x86
