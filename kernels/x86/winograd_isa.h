// The transforms of winograd.h, one file an instruction set; see matmul_isa.h.
#pragma once

#include "kernels/x86/winograd.h"

namespace torchweld::x86 {

inline constexpr int64_t kWinogradPanel = 32, kWinogradProducts = 16;

/// Tiles [begin, end), numbered along the rows of tiles of all slices of the result, between the
/// transforms. Of the slices that they see by a deep filter, taps [tap, tap + taps) are wanted.
struct WinogradTiles {
  const ImageConvCall* call = nullptr;
  const WinogradWeights* weights = nullptr;
  int64_t begin = 0, end = 0;
  int64_t of_row = 0, of_column = 0;  ///< of one slice
  int64_t tap = 0, taps = 1;
  float* pixels = nullptr;  ///< [16][end - begin][taps][in channels], these apart:
  int64_t pixels_stride = 0;
  float* products = nullptr;  ///< of one panel, [16][end - begin][32], these apart:
  int64_t products_stride = 0;
  PackedMatrix* plain = nullptr;  ///< the panel's weights as image_conv takes them, once wanted
};

/// Where a tile's first result lies.
struct TilePlace {
  int64_t slice, y, x;
};

/// From pixels to transformed ones.
void transform_tiles_avx2(const WinogradTiles& tiles);
void transform_tiles_avx512(const WinogradTiles& tiles);

/// From the products of the panel that begins at `column` to results.
void finish_tiles_avx2(const WinogradTiles& tiles, int64_t column);
void finish_tiles_avx512(const WinogradTiles& tiles, int64_t column);

/// The sums of one tile as image_conv makes them, [2][2][32], of the panel that begins at `column`.
void plain_sums(const WinogradTiles& tiles, TilePlace at, int64_t column, float* sums);

}  // namespace torchweld::x86
