// Regions of images: torchvision's roi_align and roi_pool, a thread a cell of the result. The
// threads of a block share their region, and neighbours among them read neighbouring pixels.
// Numerics  operation by operation those of kernels/regions.cpp; its header names the source.
#pragma once

#include "primitives.cuh"

/// images   [image_count, channels, height, width], elements image_strides apart
/// regions  [region_count, 5]: image, left, top, right, bottom; elements region_strides apart
/// out      [region_count, channels, out_height, out_width], dense; places the same, or null
/// cells    channels * out_height * out_width
/// sampling 0: as many samples by a cell's side as it has pixels
/// The host packs the same layout: regions.cpp.
struct RegionArguments {
  const void *images, *regions;
  void* out;
  i32* places;
  i64 image_strides[4], region_strides[2], region_count;
  f64 scale;
  i32 image_count, height, width, out_height, out_width, cells, sampling, aligned;
};

/// A number of T that is rounded after each operation, as a half in LibTorch is.
template <class T>
struct Real {
  Compute<T> value;
  INLINE static Real of(Compute<T> x) { return {widen(narrow<T>(x))}; }
};
template <class T>
INLINE Real<T> operator+(Real<T> a, Real<T> b) {
  return Real<T>::of(a.value + b.value);
}
template <class T>
INLINE Real<T> operator-(Real<T> a, Real<T> b) {
  return Real<T>::of(a.value - b.value);
}
template <class T>
INLINE Real<T> operator*(Real<T> a, Real<T> b) {
  return Real<T>::of(a.value * b.value);
}
template <class T>
INLINE Real<T> operator/(Real<T> a, Real<T> b) {
  return Real<T>::of(a.value / b.value);
}
template <class T>
INLINE Real<T> load_real(const void* base, i64 at) {
  return {widen(static_cast<const T*>(base)[at])};
}

constexpr i32 kFarthest = 1 << 29;  // beyond every image, and what lies between two fits an i32

/// A whole number as an i32: NaN is 0, what is too large the most.
template <class T>
INLINE i32 clamped(T x, i32 most) {
  if (x >= most) return most;
  if (x <= -most) return -most;
  return x == x ? static_cast<i32>(x) : 0;
}

/// One image's channel and one region, for the thread's cell.
template <class T>
struct Cell {
  const T* image;  // [height, width]; null when the region names no image
  i64 region, out;
  i32 row, column;

  INLINE Cell(const RegionArguments& a, i64 region, i32 cell)
      : image(nullptr), region(region), out(region * a.cells + cell) {
    column = cell % a.out_width;
    row = cell / a.out_width % a.out_height;
    const i32 channel = cell / a.out_width / a.out_height;
    const Compute<T> index = corner(a, 0).value;
    if (index >= 0 && index < a.image_count)  // false for NaN
      image = static_cast<const T*>(a.images) + static_cast<i32>(index) * a.image_strides[0] +
              channel * a.image_strides[1];
  }

  INLINE Real<T> corner(const RegionArguments& a, int which) const {
    return load_real<T>(a.regions, region * a.region_strides[0] + which * a.region_strides[1]);
  }
  INLINE Real<T> pixel(const RegionArguments& a, i32 y, i32 x) const {
    return load_real<T>(image, y * a.image_strides[2] + x * a.image_strides[3]);
  }
};

/// The samples of a cell along one dim of the image.
template <class T>
struct Samples {
  Real<T> start, cell, bin;  // where the region and the cell begin, and a cell's length
  i32 count, begin, end;     // [begin, end) of them lie within the image

  INLINE Samples(Real<T> from, Real<T> to, i32 cells, i32 index, i32 size, const RegionArguments& a)
      : start(from) {
    Real<T> length = to - from;
    // Written so that NaN stays.
    if (!a.aligned && length.value < 1) length = {1};
    bin = length / Real<T>::of(cells);
    cell = start + Real<T>::of(index) * bin;
    // Endless cells have no samples, as those have none whose ends are the wrong way round.
    const i32 pixels = bin.value < infinity() ? clamped(prim::ceil(bin.value), 2 * kFarthest) : 0;
    count = a.sampling > 0 ? a.sampling : pixels;
    begin = 0;
    end = count;
    // A region may be far larger than the image. Samples rise with their number, so two searches
    // find those that count, and the walk is as long as the image.
    constexpr i32 kFewSamples = 16;
    if (a.sampling > 0 || count <= kFewSamples) return;
    begin = first([](Compute<T> at, i32) { return at >= -1; }, size);
    end = first([](Compute<T> at, i32 size) { return at > size; }, size);
  }

  INLINE Real<T> at(i32 i) const {
    return cell + (Real<T>::of(i) + Real<T>::of(0.5f)) * bin / Real<T>::of(count);
  }

 private:
  template <class Predicate>
  INLINE i32 first(Predicate holds, i32 size) const {
    i32 low = 0, high = count;
#pragma unroll 1
    while (low < high) {
      const i32 middle = low + (high - low) / 2;
      if (holds(at(middle).value, size)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }
};

/// The two pixels on both sides of a place along one dim, and their weights.
template <class T>
struct Sides {
  i32 low, high;
  Real<T> far, near;  // the weight of high and of low
  bool outside;       // by more than a pixel: the sample is 0

  INLINE Sides(Real<T> at, i32 size) {
    outside = at.value < -1 || at.value > size;
    if (at.value < 0) at = {0};
    low = at.value >= 0 && !outside ? static_cast<i32>(at.value) : 0;  // NaN reads, and stays NaN
    high = low + 1 < size - 1 ? low + 1 : size - 1;
    if (low >= size - 1) at = Real<T>::of(low = size - 1);
    far = at - Real<T>::of(low);
    near = Real<T>{1} - far;
  }
};

/// Loops aren't unrolled: a sample's division is a call, and what lives across several would spill.
///
/// Grid   ceil(cells / blockDim) x at most 65535 blocks; a block walks over regions gridDim.y apart
template <class T>
INLINE void roi_align(const RegionArguments& a) {
  const i32 index = static_cast<i32>(blockIdx.x * blockDim.x + threadIdx.x);
  if (index >= a.cells) return;
  const Real<T> scale = Real<T>::of(a.scale), offset = Real<T>::of(a.aligned ? 0.5f : 0.0f);
  for (i64 region = blockIdx.y; region < a.region_count; region += gridDim.y) {
    const Cell<T> cell(a, region, index);
    Real<T> sum = {0};
    if (cell.image != nullptr) {
      const auto corner = [&](int which) { return cell.corner(a, which) * scale - offset; };
      const Samples<T> across(corner(1), corner(3), a.out_width, cell.column, a.width, a);
      const Samples<T> down(corner(2), corner(4), a.out_height, cell.row, a.height, a);
#pragma unroll 1
      for (i32 i = down.begin; i < down.end; ++i) {
        const Sides<T> y(down.at(i), a.height);
        if (y.outside) continue;
#pragma unroll 1
        for (i32 j = across.begin; j < across.end; ++j) {
          const Sides<T> x(across.at(j), a.width);
          if (x.outside) continue;
          sum = sum + (y.near * x.near * cell.pixel(a, y.low, x.low) +
                       y.near * x.far * cell.pixel(a, y.low, x.high) +
                       y.far * x.near * cell.pixel(a, y.high, x.low) +
                       y.far * x.far * cell.pixel(a, y.high, x.high));
        }
      }
      const i64 count = static_cast<i64>(down.count) * across.count;
      sum = sum / Real<T>::of(static_cast<Compute<T>>(count > 1 ? count : 1));
    }
    static_cast<T*>(a.out)[cell.out] = narrow<T>(sum.value);
  }
}

/// The pixels [begin, end) of one dim that a cell covers.
template <class T>
struct Covered {
  i32 begin, end;

  INLINE Covered(i32 from, i32 to, i32 cells, i32 index, i32 size) {
    const i32 length = to - from + 1 > 1 ? to - from + 1 : 1;
    const Real<T> bin = Real<T>::of(static_cast<Compute<T>>(length)) / Real<T>::of(cells);
    begin =
        within(clamped(prim::floor((Real<T>::of(index) * bin).value), 2 * kFarthest), from, size);
    end = within(clamped(prim::ceil((Real<T>::of(index + 1) * bin).value), 2 * kFarthest), from,
                 size);
  }

 private:
  INLINE static i32 within(i32 at, i32 from, i32 size) {
    const i32 place = at + from;
    return place < 0 ? 0 : place < size ? place : size;
  }
};

/// Half away from zero: adding a half to the number below one half would give one.
template <class T>
INLINE T round_half_away(T x) {
  const T whole = prim::trunc(x);
  return prim::abs(x - whole) >= T(0.5) ? whole + prim::copysign(T(1), x) : whole;
}

/// Grid   as roi_align
/// places the pixel that is the maximum, row * width + column; -1 where there is none
template <class T>
INLINE void roi_pool(const RegionArguments& a) {
  const i32 index = static_cast<i32>(blockIdx.x * blockDim.x + threadIdx.x);
  if (index >= a.cells) return;
  const Real<T> scale = Real<T>::of(a.scale);
  for (i64 region = blockIdx.y; region < a.region_count; region += gridDim.y) {
    const Cell<T> cell(a, region, index);
    Real<T> best = {0};
    i32 place = -1;
    if (cell.image != nullptr) {
      const auto corner = [&](int which) {
        return clamped(round_half_away((cell.corner(a, which) * scale).value), kFarthest);
      };
      const Covered<T> columns(corner(1), corner(3), a.out_width, cell.column, a.width);
      const Covered<T> rows(corner(2), corner(4), a.out_height, cell.row, a.height);
      if (rows.begin < rows.end && columns.begin < columns.end)
        best = Real<T>::of(static_cast<Compute<T>>(-3.402823466e38f));
#pragma unroll 1
      for (i32 y = rows.begin; y < rows.end; ++y) {
#pragma unroll 1
        for (i32 x = columns.begin; x < columns.end; ++x) {
          const Real<T> value = cell.pixel(a, y, x);
          if (!(value.value > best.value)) continue;  // NaN never is
          best = value;
          place = y * a.width + x;
        }
      }
    }
    static_cast<T*>(a.out)[cell.out] = narrow<T>(best.value);
    if (a.places != nullptr) a.places[cell.out] = place;
  }
}
