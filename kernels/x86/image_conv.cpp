// The padded copy, the product over stretches of it, threads.
#include "kernels/x86/image_conv.h"

#include <algorithm>
#include <cstring>

#include "kernels/x86/conv_pieces.h"
#include "kernels/x86/isa.h"
#include "kernels/x86/matmul_isa.h"
#include "kernels/x86/seen_taps.h"
#include "kernels/x86/transposed_conv.h"

namespace torchweld::x86 {
namespace {

/// What the taps of all positions span of one dim, padding and all.
int64_t span(int64_t positions, int64_t stride, int64_t taps, int64_t dilation) {
  return (positions - 1) * stride + (taps - 1) * dilation + 1;
}
int64_t padded_height(const ConvShape& s) {
  return span(s.out_height, s.stride_height, s.kernel_height, s.dilation_height);
}
int64_t padded_width(const ConvShape& s) {
  return span(s.out_width, s.stride_width, s.kernel_width, s.dilation_width);
}

/// Whether the image's few channels, as those of colour, stay planes: its elements are read by
/// offsets, and putting the channels side by side would take as long as half of the products.
bool keeps_planes(const ConvShape& s) {
  constexpr int64_t kFew = 4, kMostApart = int64_t{1} << 28;
  if (s.op == ImageOp::kPlanes) return s.in_channels > 1;
  return s.op == ImageOp::kConvolution && s.in_channels > 1 && s.in_channels <= kFew &&
         s.groups == 1 && s.pixels() > 1 && s.x_width_stride == 1 &&
         s.x_channel_stride < kMostApart && s.kernel_height * s.x_height_stride < kMostApart &&
         s.kernel_depth * s.dilation_depth * s.x_depth_stride < kMostApart;
}

/// Whether filters by channel go along rows, whose elements fill vectors that channels don't.
bool is_narrow(const ConvShape& s) {
  return s.op == ImageOp::kDepthwise && s.in_channels >= 2 && s.in_channels <= 4 &&
         s.out_channels == s.in_channels && s.in_depth == 1 && s.out_depth == 1 &&
         s.kernel_depth == 1 && s.stride_width == 1 && s.x_channel_stride == 1 &&
         s.x_width_stride == s.in_channels && s.out_width * s.out_channels >= kNarrow;
}

bool needs_copy(const ConvShape& s) {
  const bool planes = s.op == ImageOp::kPlanes || is_narrow(s);
  if (s.op != ImageOp::kConvolution && s.op != ImageOp::kTransposed && !planes) return false;
  if (s.pad_height != 0 || s.pad_width != 0 || padded_height(s) > s.in_height ||
      padded_width(s) > s.in_width)
    return true;
  return !planes && ((s.kernel_depth > 1 && s.kernel_width > 1 && !keeps_planes(s) &&
                      s.x_width_stride != s.in_channels) ||  // taps of a row are one stretch
                     (s.x_channel_stride != 1 && s.in_channels != 1 && !keeps_planes(s)));
}

int64_t padded_floats(const ConvShape& s) {
  return needs_copy(s) ? s.batch * s.in_depth * padded_height(s) * padded_width(s) * s.in_channels
                       : 0;
}

/// One row of the padded image, at `to`: pixel by pixel, or plane by plane.
void copy_row(const ConvShape& s, const float* image, int64_t row, float* to) {
  const int64_t width = padded_width(s), channels = s.in_channels;
  const int64_t y = row - s.pad_height;
  const int64_t left = std::min(s.pad_width, width);
  const int64_t inside = y < 0 || y >= s.in_height ? 0 : std::min(s.in_width, width - left);
  if (inside == 0) {
    std::fill_n(to, width * channels, 0.0f);
    return;
  }
  const float* from = image + y * s.x_height_stride;
  const auto copy = [=](float* line, const float* pixels, int64_t floats) {
    std::fill_n(line, left * floats, 0.0f);
    std::memcpy(line + left * floats, pixels, static_cast<size_t>(inside * floats) * sizeof(float));
    std::fill_n(line + (left + inside) * floats, (width - left - inside) * floats, 0.0f);
  };
  if (keeps_planes(s)) {
    for (int64_t c = 0; c < channels; ++c) copy(to + c * width, from + c * s.x_channel_stride, 1);
  } else if ((s.x_channel_stride == 1 || channels == 1) && s.x_width_stride == channels) {
    copy(to, from, channels);
  } else {
    std::fill_n(to, left * channels, 0.0f);
    to += left * channels;
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t i = 0; i < inside; ++i)
        to[i * channels + c] = from[c * s.x_channel_stride + i * s.x_width_stride];
    }
    std::fill_n(to + inside * channels, (width - left - inside) * channels, 0.0f);
  }
}

/// The call with its padding in memory, but for that of volumes in front and behind.
ImageConvCall padded(const ImageConvCall& call, const SplitWork& parallel) {
  const ConvShape& s = call.shape;
  const int64_t height = padded_height(s), row_floats = padded_width(s) * s.in_channels;
  const auto copy = [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t slice = r / height;
      const float* const image =
          call.x + slice / s.in_depth * s.x_batch_stride + slice % s.in_depth * s.x_depth_stride;
      copy_row(s, image, r % height, call.scratch + r * row_floats);
    }
  };
  share_out(s.batch * s.in_depth * height, row_floats / 4, parallel, std::ref(copy));
  ImageConvCall out = call;
  out.x = call.scratch;
  out.zeros_above = s.pad_height;
  out.zeros_below = std::max<int64_t>(0, height - s.pad_height - s.in_height);
  out.zeros_left = s.pad_width;
  out.zeros_right = std::max<int64_t>(0, padded_width(s) - s.pad_width - s.in_width);
  out.shape.in_height = height;
  out.shape.in_width = padded_width(s);
  out.shape.pad_height = out.shape.pad_width = 0;
  const bool planes = keeps_planes(s);
  out.shape.x_channel_stride = planes ? out.shape.in_width : 1;
  out.shape.x_width_stride = planes ? 1 : s.in_channels;
  out.shape.x_height_stride = row_floats;
  out.shape.x_depth_stride = height * row_floats;
  out.shape.x_batch_stride = s.in_depth * out.shape.x_depth_stride;
  return out;
}

/// The product that makes one row of the result; without its operands' places.
MatmulCall row_product(const ImageConvCall& c) {
  const ConvShape& s = c.shape;
  MatmulCall m;
  m.w = c.w;
  m.panel = c.panel;
  m.k = s.taps();
  m.n = m.end = s.out_channels;
  m.m = s.out_width;
  m.scale = c.scale;
  m.bias = c.bias;
  m.clamps = c.clamps;
  m.clamp = c.clamp;
  m.x_row_stride = s.stride_width * s.x_width_stride;
  m.summand_row_stride = m.out_row_stride = s.out_channels;
  m.order = s.order;
  if (s.op == ImageOp::kFewFilters) {
    m.w_row_stride = s.taps();
    m.outer = s.kernel_height;
    m.outer_stride = s.dilation_height * s.x_height_stride;
    m.inner = s.kernel_width;
    m.inner_stride = s.dilation_width * s.x_width_stride;
    return m;
  }
  if (s.kernel_depth > 1) {  // by offsets
    if (m.order.piece == 0) m.order.piece = m.k;
    return m;
  }
  m.outer = s.kernel_height;
  m.outer_stride = s.dilation_height * s.x_height_stride;
  const int64_t seen = s.in_channels / s.groups;
  const bool whole = s.pixels() > 1 && (s.order.piece == 0 || s.order.piece >= seen);
  if (whole) m.order.piece = seen;
  // Neighbouring taps are one where all of their channels are summed together.
  const bool one_stretch = (whole || s.pixels() == 1) && s.groups == 1 && s.dilation_width == 1 &&
                           s.x_width_stride == s.in_channels;
  if (one_stretch) m.order.piece *= s.kernel_width;
  if (!one_stretch) m.inner = s.kernel_width;
  m.inner_stride = s.dilation_width * s.x_width_stride;
  return m;
}

/// Room for offsets, if they may be wanted; of a narrow image for taps, factors and bias.
int64_t offsets_of(const ConvShape& s) {
  if (is_narrow(s)) return (s.pixels() + 2) * kNarrow;
  return s.op == ImageOp::kConvolution && s.pixels() > 1 ? s.taps() : 0;
}

/// Whether stretches are so short that a loop over each would wait for the guess of its end, or on
/// a grid of three dims.
bool takes_offsets(const ConvShape& s, const MatmulCall& c) {
  constexpr int64_t kShort = 64;
  return offsets_of(s) > 0 &&
         (s.kernel_depth > 1 || (c.outer * c.inner > 1 && c.order.piece < kShort));
}

/// Where the elements of a row lie, in the order of the sums; a stretch's, `stride` apart.
void find_offsets(const MatmulCall& c, int64_t stride, int32_t* to) {
  const int64_t stretch = c.k / (c.outer * c.inner);
  for (int64_t first = 0; first < stretch; first += c.order.piece) {
    const int64_t end = std::min(first + c.order.piece, stretch);
    for (int64_t o = 0; o < c.outer; ++o) {
      for (int64_t i = 0; i < c.inner; ++i) {
        for (int64_t at = first; at < end; ++at)
          *to++ = static_cast<int32_t>(o * c.outer_stride + i * c.inner_stride + at * stride);
      }
    }
  }
}

/// The same of a deep filter, slice by slice: those that one slice of the result sees are the
/// first.
void find_volume_offsets(const ConvShape& s, int64_t stride, int32_t* to) {
  for (int64_t z = 0; z < s.kernel_depth; ++z) {
    for (int64_t y = 0; y < s.kernel_height; ++y) {
      for (int64_t i = 0; i < s.kernel_width; ++i) {
        const int64_t first = z * s.dilation_depth * s.x_depth_stride +
                              y * s.dilation_height * s.x_height_stride +
                              i * s.dilation_width * s.x_width_stride;
        for (int64_t c = 0; c < s.in_channels / s.groups; ++c)
          *to++ = static_cast<int32_t>(first + c * stride);
      }
    }
  }
}

/// Every pixel is a row of one product.
bool is_matrix(const ConvShape& s) {
  return s.pixels() == 1 && s.groups == 1 && s.pad_height == 0 && s.pad_width == 0 &&
         s.in_depth == 1 && s.out_depth == 1 && s.stride_height == 1 && s.stride_width == 1 &&
         s.x_height_stride == s.in_width * s.x_width_stride &&
         (s.batch == 1 || s.x_batch_stride == s.in_height * s.x_height_stride);
}

void place(const ImageConvCall& c, const Pieces& pieces, int64_t piece, MatmulCall* m) {
  const ConvShape& s = c.shape;
  const int64_t row = pieces.row(piece), begin = pieces.begin(piece);
  const int64_t at = pieces.position(piece, s.out_width) * s.out_channels;
  const SeenSlices seen = seen_slices(s, row / s.out_height);
  m->x = c.x + seen.offset +
         (row % s.out_height * s.stride_height - s.pad_height) * s.x_height_stride +
         (begin * s.stride_width - s.pad_width) * s.x_width_stride;
  if (s.kernel_depth > 1) {  // a panel has the rows of all slices; the product expects those seen
    const int64_t of_slice = s.taps() / s.kernel_depth;
    m->k = seen.count * of_slice;
    m->w = c.w + seen.tap * of_slice * c.panel + m->begin / c.panel * c.panel * (s.taps() - m->k);
  }
  m->out = c.out + at;
  m->summand = c.summand == nullptr ? nullptr : c.summand + at;
  m->m = std::min(pieces.width, s.out_width - begin);
}

/// Whether zeros are worth leaving out: many products of each tap, and taps so far apart that many
/// rows see no more of some.
bool leaves_out_zeros(const ImageConvCall& c, const MatmulCall& m) {
  if (c.shape.op == ImageOp::kFewFilters) return true;  // their padding isn't in memory
  constexpr int64_t kFewChannels = 32, kFewRows = 4;
  const ConvShape& s = c.shape;
  const bool as_mkl = m.offsets != nullptr && m.order.split == SummationOrder::Split::kMkl;
  return s.dilation_height * s.dilation_width > 1 && m.outer * m.inner > 1 && !as_mkl &&
         s.kernel_depth == 1 && !keeps_planes(s) && s.in_channels / s.groups >= kFewChannels &&
         (c.zeros_above + c.zeros_below) * kFewRows >= s.out_height * s.stride_height;
}

/// How many pieces go by all panels before the next ones do: what they read of a volume stays in
/// the second cache, and panels come from the next one.
int64_t pieces_of_block(const ConvShape& s, const Pieces& pieces) {
  constexpr int64_t kCached = 128 * 1024;  // floats
  const int64_t of_slice = s.in_height * s.in_width * s.in_channels;
  const int64_t read = of_slice * std::min(s.kernel_depth, s.in_depth) / s.out_height;
  const bool pays = s.kernel_depth > 1 && s.taps() * kPanel < kCached / 2;
  return pays ? std::max<int64_t>(1, kCached * pieces.of_row / std::max<int64_t>(1, read))
              : pieces.count;
}

void dense(const ImageConvCall& c, int32_t* offsets, const SplitWork& parallel,
           const AfterRows& after) {
  const ConvShape& s = c.shape;
  MatmulCall product = row_product(c);
  if (is_matrix(s)) {
    place(c, {s.out_width, 1, 1}, 0, &product);
    product.m = s.positions();
    return matmul(product, parallel, after);
  }
  if (takes_offsets(s, product)) {
    const int64_t stride = keeps_planes(s) ? s.x_channel_stride : 1;
    s.kernel_depth > 1 ? find_volume_offsets(s, stride, offsets)
                       : find_offsets(product, stride, offsets);
    product.offsets = offsets;
  }
  // All pieces of a block by one panel of the weights, which stays in the cache, then by the next.
  const Pieces pieces = pieces_of(s, static_cast<bool>(after));
  const int64_t group_columns = s.out_channels / s.groups, seen = s.in_channels / s.groups;
  const bool skips = leaves_out_zeros(c, product);
  const auto run_block = [&](int64_t piece, int64_t piece_end, int64_t column, int64_t column_end) {
    while (column < column_end) {
      const int64_t group = column / group_columns;
      MatmulCall part = product;
      part.n = (group + 1) * group_columns;
      part.begin = column;
      part.end = column = std::min({column / kPanel * kPanel + kPanel, column_end, part.n});
      for (int64_t p = piece; p < piece_end; ++p) {
        if (p == piece_end - 1 && column < column_end)
          part.ahead = c.w + column / kPanel * kPanel * product.k;
        place(c, pieces, p, &part);
        part.x += group * seen * s.x_channel_stride;
        if (skips)
          by_seen_taps(c, pieces.row(p) % s.out_height, pieces.begin(p), part,
                       [](const MatmulCall& some) { matmul(some); });
        else
          matmul(part);
      }
    }
  };
  const int64_t block = pieces_of_block(s, pieces);
  const auto run = [&](int64_t piece, int64_t piece_end, int64_t column, int64_t column_end) {
    for (; piece < piece_end; piece += block)
      run_block(piece, std::min(piece + block, piece_end), column, column_end);
  };
  const int64_t position_cycles = product.k * product.n / 16;
  const bool many_rows = s.positions() > rows_of_block(product.n);
  if (product.n >= 8 * kPanel && !(after && many_rows)) {
    const int64_t panels = (product.n + kPanel - 1) / kPanel;
    const auto columns = [&](int64_t begin, int64_t end) {
      run(0, pieces.count, begin * kPanel, std::min(end * kPanel, product.n));
    };
    share_out(panels, s.positions() * position_cycles / panels, parallel, std::ref(columns));
    if (after) after(0, s.positions());
  } else {
    const auto some = [&](int64_t begin, int64_t end) { run(begin, end, 0, product.n); };
    share_out_pieces(s, pieces, position_cycles, parallel, after, std::ref(some));
  }
}

/// One piece of an image of one row, or of a slice of it, as a call of its own.
ImageConvCall piece_of(const ImageConvCall& c, const Pieces& pieces, int64_t piece) {
  const ConvShape& s = c.shape;
  const int64_t begin = pieces.begin(piece), slice = pieces.row(piece);
  const int64_t at = pieces.position(piece, s.out_width) * s.out_channels;
  ImageConvCall part = c;
  part.shape.batch = part.shape.out_depth = 1;
  part.shape.pad_depth -= slice % s.out_depth * s.stride_depth;
  part.shape.out_width = std::min(pieces.width, s.out_width - begin);
  part.shape.pad_width -= begin * s.stride_width;
  part.x += slice / s.out_depth * s.x_batch_stride;
  part.out += at;
  if (part.summand != nullptr) part.summand += at;
  return part;
}

/// All rows by `kernel(call, begin, end)`; each piece of one that goes in pieces is a call.
template <class Kernel>
void by_rows(const ImageConvCall& c, const Kernel& kernel, const SplitWork& parallel,
             const AfterRows& after) {
  const Pieces pieces = pieces_of(c.shape, static_cast<bool>(after));
  const auto some = [&](int64_t begin, int64_t end) {
    if (pieces.of_row == 1) return kernel(c, begin, end);
    for (; begin < end; ++begin) kernel(piece_of(c, pieces, begin), 0, 1);
  };
  const int64_t position_cycles = c.shape.out_channels * c.shape.taps() / 12;
  share_out_pieces(c.shape, pieces, position_cycles, parallel, after, std::ref(some));
}

void by_channel(const ImageConvCall& c, const SplitWork& parallel, const AfterRows& after) {
  static const bool wide = host_isa() == Isa::kAvx512;
  const bool planes = c.shape.op == ImageOp::kPlanes;
  const auto kernel = planes                 ? (wide ? by_plane_avx512 : by_plane_avx2)
                      : wide && c.panel != 8 ? by_channel_avx512
                                             : by_channel_avx2;
  by_rows(c, kernel, parallel, after);
}

void narrow(const ImageConvCall& c, float* tables, const SplitWork& parallel,
            const AfterRows& after) {
  static const bool wide = host_isa() == Isa::kAvx512;
  const ConvShape& s = c.shape;
  const auto repeat = [&s](const float* from, float* to) {
    for (int64_t i = 0; i < kNarrow; ++i) to[i] = from[i % s.in_channels];
  };
  NarrowCall narrow{.call = c, .taps = tables};
  for (int64_t tap = 0; tap < s.pixels(); ++tap, tables += kNarrow)
    repeat(c.w + tap * c.panel, tables);
  narrow.scale = tables;
  narrow.bias = tables + kNarrow;
  if (c.scale != nullptr) repeat(c.scale, tables);
  if (c.bias != nullptr) repeat(c.bias, tables + kNarrow);
  const auto kernel = [&narrow](const ImageConvCall& some, int64_t begin, int64_t end) {
    NarrowCall part = narrow;
    part.call = some;
    (wide ? narrow_avx512 : narrow_avx2)(part, begin, end);
  };
  by_rows(c, kernel, parallel, after);
}

}  // namespace

int64_t image_conv_scratch_floats(const ConvShape& s) {
  if (s.op == ImageOp::kTransposed) return padded_floats(windows_of_transposed(s));
  return padded_floats(s) + offsets_of(s);
}

void image_conv(const ImageConvCall& call, const SplitWork& parallel, const AfterRows& after) {
  if (call.shape.op == ImageOp::kTransposed) {
    ImageConvCall image = call;
    image.shape = windows_of_transposed(call.shape);
    if (needs_copy(image.shape)) image = padded(image, parallel);
    return transposed(call, image, parallel, after);
  }
  float* const tables = call.scratch + padded_floats(call.shape);
  const ImageConvCall image = needs_copy(call.shape) ? padded(call, parallel) : call;
  if (is_narrow(call.shape)) return narrow(image, tables, parallel, after);
  if (call.shape.op != ImageOp::kConvolution && call.shape.op != ImageOp::kFewFilters)
    return by_channel(image, parallel, after);
  dense(image, reinterpret_cast<int32_t*>(tables), parallel, after);
}

}  // namespace torchweld::x86
