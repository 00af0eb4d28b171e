// Weights, blocks of tiles, threads, and when it pays.
#include "kernels/x86/winograd.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <new>
#include <vector>

#include "kernels/x86/conv_pieces.h"
#include "kernels/x86/isa.h"
#include "kernels/x86/winograd_isa.h"

namespace torchweld::x86 {
namespace {

constexpr int64_t kProducts = kWinogradProducts;
static_assert(kPanel == kWinogradPanel);
constexpr int64_t kFewestTiles = 16, kRows = 8;  // of a block; rows of a tile of products

int64_t panels_of(int64_t columns) { return (columns + kPanel - 1) / kPanel; }

/// Of all slices that a filter sees.
int64_t channels_of(const ConvShape& s) { return s.kernel_depth * s.in_channels; }

/// The tiles of a call and the blocks of them that stay in the second cache.
struct Blocks {
  explicit Blocks(const ConvShape& s)
      : deep(s.kernel_depth > 1), of_row((s.out_width + 1) / 2), of_column((s.out_height + 1) / 2) {
    constexpr int64_t kCached = 128 * 1024;  // floats; twice as many take the same time
    const int64_t channels = channels_of(s);
    const int64_t fitting = kCached / (kProducts * (channels + kPanel));
    tiles = std::max(kFewestTiles, fitting / kRows * kRows);
    all_rows = s.slices() * of_column;
    rows = std::clamp<int64_t>(tiles / of_row, 1, all_rows);
    tiles = std::min(tiles, rows * of_row);
    // A line more than the tiles take, or all products would share a set of the first cache.
    pixels_stride = (tiles * channels + 15) / 16 * 16 + 16;
    products_stride = tiles * kPanel + 16;
  }
  int64_t floats() const { return kProducts * (pixels_stride + products_stride); }
  /// Where a block that begins at a row of tiles ends. Slices of enough tiles have blocks of their
  /// own: at either end of a volume they see fewer others.
  int64_t end_of(int64_t row, int64_t last) const {
    const int64_t end = std::min(row + rows, last);
    const bool own = deep && of_row * of_column >= kFewestTiles;
    return own ? std::min(end, (row / of_column + 1) * of_column) : end;
  }

  bool deep;                  ///< filters see several slices
  int64_t of_row, of_column;  ///< tiles of one slice
  int64_t all_rows;           ///< of tiles, of all slices
  int64_t tiles, rows;        ///< of a block; either one row at least, or part of one
  int64_t pixels_stride, products_stride;
};

/// Taps in depth that some of the tiles see.
void find_taps(WinogradTiles* t) {
  const ConvShape& s = t->call->shape;
  const int64_t of_slice = t->of_row * t->of_column;
  t->tap = s.kernel_depth;
  int64_t end = 0;
  for (int64_t slice = t->begin / of_slice; slice * of_slice < t->end; ++slice) {
    const SeenSlices seen = seen_slices(s, slice);
    t->tap = std::min(t->tap, seen.tap);
    end = std::max(end, seen.tap + seen.count);
  }
  t->taps = end - t->tap;
}

/// Transformed pixels by the weights of one panel.
void multiply(const WinogradTiles& tiles, int64_t panel) {
  const ConvShape& s = tiles.call->shape;
  const int64_t left = s.out_channels - panel * kPanel, each = channels_of(s) * kPanel;
  MatmulCall m;
  m.m = tiles.end - tiles.begin;
  m.k = m.x_row_stride = tiles.taps * s.in_channels;
  m.panel = m.out_row_stride = kPanel;
  m.order.split = SummationOrder::Split::kNone;
  m.end = std::min(left, kPanel);
  m.n = left < kPanel ? left : kProducts * s.out_channels;  // by which it judges what stays cached
  m.w = tiles.weights->transformed.get() + panel * kProducts * each +
        tiles.tap * s.in_channels * kPanel;
  for (int64_t i = 0; i < kProducts; ++i, m.w += each) {
    m.x = tiles.pixels + i * tiles.pixels_stride;
    m.ahead = i + 1 == kProducts && left <= kPanel ? nullptr : m.w + each;
    m.out = tiles.products + i * tiles.products_stride;
    matmul(m);
  }
}

void run_tiles(WinogradTiles t) {
  static const bool wide = host_isa() == Isa::kAvx512;
  find_taps(&t);
  (wide ? transform_tiles_avx512 : transform_tiles_avx2)(t);
  for (int64_t panel = 0; panel < panels_of(t.call->shape.out_channels); ++panel) {
    PackedMatrix plain;
    t.plain = &plain;
    multiply(t, panel);
    (wide ? finish_tiles_avx512 : finish_tiles_avx2)(t, panel * kPanel);
  }
}

int64_t cycles_of(const ConvShape& s) {
  return s.positions() * channels_of(s) * s.out_channels / 4;
}

/// How many positions lie before a row of tiles.
int64_t position_of(const ConvShape& s, const Blocks& blocks, int64_t row) {
  return (row / blocks.of_column * s.out_height + 2 * (row % blocks.of_column)) * s.out_width;
}

}  // namespace

int64_t winograd_pieces(const ConvShape& shape, int threads) {
  return std::clamp<int64_t>(cycles_of(shape) / kGrainCycles, 1,
                             std::min<int64_t>(threads, Blocks(shape).all_rows));
}

int64_t winograd_scratch_floats(const ConvShape& shape, int64_t pieces) {
  return pieces * Blocks(shape).floats();
}

void winograd(const ImageConvCall& call, const WinogradWeights& weights, int64_t pieces,
              const SplitWork& parallel, const AfterRows& after) {
  const ConvShape& s = call.shape;
  const Blocks blocks(s);
  const auto run = [&](int64_t piece, int64_t piece_end) {
    WinogradTiles t;
    t.call = &call;
    t.weights = &weights;
    t.of_row = blocks.of_row;
    t.of_column = blocks.of_column;
    t.pixels = call.scratch + piece * blocks.floats();
    t.pixels_stride = blocks.pixels_stride;
    t.products = t.pixels + kProducts * blocks.pixels_stride;
    t.products_stride = blocks.products_stride;
    const int64_t last = piece_end * blocks.all_rows / pieces;
    for (int64_t row = piece * blocks.all_rows / pieces, row_end; row < last; row = row_end) {
      row_end = blocks.end_of(row, last);
      const int64_t end = row_end * blocks.of_row;
      for (t.begin = row * blocks.of_row; t.begin < end; t.begin = t.end) {
        t.end = std::min(t.begin + blocks.tiles, end);
        run_tiles(t);
      }
      if (after) after(position_of(s, blocks, row), position_of(s, blocks, row_end));
    }
  };
  share_out(pieces, cycles_of(s) / pieces, parallel, std::ref(run));
}

void plain_sums(const WinogradTiles& t, TilePlace at, int64_t column, float* sums) {
  const ConvShape& s = t.call->shape;
  MatrixLayout layout = t.weights->layout;
  layout.n = std::min(s.out_channels - column, kPanel);
  if (t.plain->data == nullptr)
    *t.plain = pack(t.weights->plain + column * layout.stride_n, layout);
  // The tile's pixels are an image of their own, which needs no padding.
  const SeenSlices seen = seen_slices(s, at.slice);
  std::vector<float> pixels(static_cast<size_t>(seen.count * 16 * s.in_channels));
  for (int64_t i = 0; i < seen.count * 16; ++i) {
    const int64_t y = at.y - s.pad_height + i % 16 / 4, x = at.x - s.pad_width + i % 4;
    if (y < 0 || y >= s.in_height || x < 0 || x >= s.in_width) continue;
    std::copy_n(t.call->x + seen.offset + i / 16 * s.dilation_depth * s.x_depth_stride +
                    y * s.x_height_stride + x * s.x_width_stride,
                s.in_channels, pixels.data() + i * s.in_channels);
  }
  ImageConvCall c;
  c.shape = s;
  c.shape.batch = c.shape.out_depth = c.shape.stride_depth = c.shape.dilation_depth = 1;
  c.shape.in_depth = seen.count;
  c.shape.pad_depth = seen.tap;
  c.shape.in_height = c.shape.in_width = 4;
  c.shape.out_height = c.shape.out_width = 2;
  c.shape.out_channels = layout.n;
  c.shape.pad_height = c.shape.pad_width = 0;
  c.shape.x_width_stride = s.in_channels;
  c.shape.x_height_stride = 4 * s.in_channels;
  c.shape.x_depth_stride = 16 * s.in_channels;
  c.x = pixels.data();
  c.w = t.plain->data.get();
  c.panel = t.plain->panel;
  std::vector<float> scratch(static_cast<size_t>(image_conv_scratch_floats(c.shape)));
  std::vector<float> out(static_cast<size_t>(4 * layout.n));
  c.scratch = scratch.data();
  c.out = out.data();
  image_conv(c, {});
  for (int64_t i = 0; i < 4; ++i)
    std::copy_n(out.data() + i * layout.n, layout.n, sums + i * kPanel);
}

std::shared_ptr<const float> transform_weights(const float* w, const MatrixLayout& layout) {
  const int64_t seen = layout.inner, n = layout.n, channels = layout.k / 9;  // seen, in all slices
  const int64_t each = channels * kPanel, floats = panels_of(n) * kProducts * each;
  auto* const data =
      static_cast<float*>(std::aligned_alloc(64, static_cast<size_t>(floats) * sizeof(float)));
  if (data == nullptr) throw std::bad_alloc();
  std::shared_ptr<const float> owner(data,
                                     [](const float* p) { std::free(const_cast<float*>(p)); });
  std::fill_n(data, floats, 0.0f);
  bool finite = true;
  const auto spread = [](double a, double b, double c) {
    return std::array<double, 4>{a, (a + b + c) / 2, (a - b + c) / 2, c};
  };
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t c = 0; c < channels; ++c) {
      std::array<std::array<double, 4>, 3> rows;
      for (size_t y = 0; y < 3; ++y) {
        const float* of = w + (c / seen * 9 + static_cast<int64_t>(3 * y)) * layout.stride_k +
                          c % seen * layout.stride_inner + j * layout.stride_n;
        rows[y] = spread(of[0], of[layout.stride_k], of[2 * layout.stride_k]);
      }
      float* to = data + j / kPanel * kProducts * each + c * kPanel + j % kPanel;
      for (size_t i = 0; i < 4; ++i) {
        const auto column = spread(rows[0][i], rows[1][i], rows[2][i]);
        for (size_t y = 0; y < 4; ++y) {
          const auto value = static_cast<float>(column[y]);
          finite &= std::isfinite(value);
          to[static_cast<int64_t>(4 * y + i) * each] = value;
        }
      }
    }
  }
  return finite ? owner : nullptr;
}

bool takes_winograd(const ConvShape& s) {
  return s.op == ImageOp::kConvolution && s.groups == 1 && s.kernel_height == 3 &&
         s.kernel_width == 3 && s.stride_height == 1 && s.stride_width == 1 &&
         s.dilation_height == 1 && s.dilation_width == 1 && s.x_channel_stride == 1;
}

bool is_winograd_faster(const ConvShape& s, int threads) {
  if (!takes_winograd(s)) return false;
  // Cycles of one core, for vectors of 16 and as well for half of them: an AMD EPYC of 2023.
  constexpr double kOfChannels = 50, kOfColumns = 120;  // a tile and vector, beside the products
  constexpr double kBytesACycle = 7, kClearly = 1.2;    // of weights that come from memory
  const auto weights = static_cast<double>(channels_of(s) * s.out_channels);
  const auto tiles =
      static_cast<double>(s.slices() * ((s.out_height + 1) / 2) * ((s.out_width + 1) / 2));
  const auto cycles = [&](double computing, double weights_read) {
    return std::max(computing / threads, weights_read * sizeof(float) / kBytesACycle);
  };
  const auto vectors = [](int64_t n) { return static_cast<double>((n + 15) / 16); };
  const double transforms =
      kOfChannels * vectors(channels_of(s)) + kOfColumns * vectors(s.out_channels);
  const double plain = cycles(static_cast<double>(s.positions()) * 9 * weights / 16, 9 * weights);
  const double by_tiles =
      cycles(tiles * (kProducts * weights / 16 + transforms), kProducts * weights);
  return plain > kClearly * by_tiles;
}

}  // namespace torchweld::x86
