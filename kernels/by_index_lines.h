// What a walk by index does to elements and lines. Only by_index.cpp includes it.
#pragma once

#include <cstring>
#include <type_traits>

#include "kernels/by_index.h"

namespace torchweld::by_index {

using Shape = ByIndexShape;
using Index = ByIndexShape::Index;

inline int64_t value_at(const Index& index, const void* values, int64_t at) {
  return index.narrow ? static_cast<const int32_t*>(values)[at]
                      : static_cast<const int64_t*>(values)[at];
}

// ---- What happens to one element

template <class T>
struct Read {
  using Element = T;
  static void apply(T* table, T* x) { *x = *table; }
};

template <class T>
struct Write {
  using Element = T;
  static void apply(T* table, T* x) { *table = *x; }
};

/// The type whose + and * wrap around instead of being undefined.
template <class T>
using Wrapping = typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>,
                                             std::type_identity<T>>::type;

template <class T>
struct Add {
  using Element = T;
  static void apply(T* table, T* x) {
    *table = static_cast<T>(static_cast<Wrapping<T>>(*table) + static_cast<Wrapping<T>>(*x));
  }
};

template <class T>
struct Multiply {
  using Element = T;
  static void apply(T* table, T* x) {
    // Through 64 bits: a product of two shorts is a signed int, which may overflow.
    if constexpr (std::is_integral_v<T>) {
      *table = static_cast<T>(static_cast<uint64_t>(*table) * static_cast<uint64_t>(*x));
    } else {
      *table *= *x;
    }
  }
};

template <class T>
struct Max {
  using Element = T;
  static void apply(T* table, T* x) { *table = *x != *x || *x > *table ? *x : *table; }
};

template <class T>
struct Min {
  using Element = T;
  static void apply(T* table, T* x) { *table = *x != *x || *x < *table ? *x : *table; }
};

struct Or {
  using Element = uint8_t;
  static void apply(uint8_t* table, uint8_t* x) { *table |= *x; }
};

struct And {
  using Element = uint8_t;
  static void apply(uint8_t* table, uint8_t* x) { *table &= *x; }
};

// ---- What happens to a line: the innermost dim, at one place of the table

template <class Op>
struct Line {
  using T = typename Op::Element;
  int64_t count = 0, table_stride = 0, operand_stride = 0;
  static constexpr int64_t kBytes = sizeof(T);

  void operator()(char* table, char* operand) const {
    auto* __restrict t = reinterpret_cast<T*>(table);
    auto* __restrict x = reinterpret_cast<T*>(operand);
    if (table_stride == 1 && operand_stride == 1) {
      for (int64_t i = 0; i < count; ++i) Op::apply(t + i, x + i);
    } else {
      for (int64_t i = 0; i < count; ++i) Op::apply(t + i * table_stride, x + i * operand_stride);
    }
  }
};

/// A line that is one stretch of memory in both; N: its bytes, where they are known.
template <bool kReads, int64_t N>
struct Stretch {
  int64_t bytes = N;

  void operator()(char* table, char* operand) const {
    const auto n = static_cast<size_t>(N > 0 ? N : bytes);
    std::memcpy(kReads ? operand : table, kReads ? table : operand, n);
  }
};

/// Line by line, in row-major order. Indices have no stride along a line.
template <class F>
struct Lines {
  const Shape& shape;
  const F& line;
  int64_t element_bytes;

  using Cursor = ByIndexPointers;

  void walk(int dim, Cursor at) const {
    const auto d = static_cast<size_t>(dim);
    if (dim >= shape.rank - 1) return line(named(at, 0, 0), at.operand);
    const int64_t table_step = shape.table_strides[d] * element_bytes;
    const int64_t operand_step = shape.operand_strides[d] * element_bytes;
    if (dim == shape.rank - 2 && shape.indices == 1)
      return shape.index[0].narrow ? of_one_index<int32_t>(d, at) : of_one_index<int64_t>(d, at);
    if (dim == shape.rank - 2) {
      for (int64_t i = 0; i < shape.sizes[d]; ++i)
        line(named(at, d, i) + i * table_step, at.operand + i * operand_step);
      return;
    }
    for (int64_t i = 0; i < shape.sizes[d]; ++i) {
      walk(dim + 1, at);
      at.table += table_step;
      at.operand += operand_step;
      for (size_t k = 0; k < static_cast<size_t>(shape.indices); ++k) {
        const Index& index = shape.index[k];
        at.index[k] =
            static_cast<const char*>(at.index[k]) + index.strides[d] * (index.narrow ? 4 : 8);
      }
    }
  }

  /// All lines along dim `d`, where there is one index: nearly always.
  template <class I>
  void of_one_index(size_t d, const Cursor& at) const {
    const auto* names = static_cast<const I*>(at.index[0]);
    const int64_t count = shape.sizes[d], step = shape.index[0].strides[d];
    const int64_t extent = shape.index[0].extent;
    const int64_t named_bytes = shape.index[0].table_stride * element_bytes;
    const int64_t table_bytes = shape.table_strides[d] * element_bytes;
    const int64_t operand_bytes = shape.operand_strides[d] * element_bytes;
    char *table = at.table, *operand = at.operand;
    for (int64_t i = 0; i < count; ++i, names += step) {
      const int64_t place = *names < 0 ? *names + extent : *names;
      line(table + place * named_bytes, operand);
      table += table_bytes;
      operand += operand_bytes;
    }
  }

  /// The table where the indices say, `i` steps along dim `d` from the cursor.
  char* named(const Cursor& at, size_t d, int64_t i) const {
    int64_t offset = 0;
    for (size_t k = 0; k < static_cast<size_t>(shape.indices); ++k) {
      const Index& index = shape.index[k];
      const int64_t value = value_at(index, at.index[k], i * index.strides[d]);
      offset += (value < 0 ? value + index.extent : value) * index.table_stride;
    }
    return at.table + offset * element_bytes;
  }
};

template <class F>
void walk_lines(const Shape& shape, const ByIndexPointers& at, const F& line) {
  Lines<F>{shape, line, size_of(shape.dtype)}.walk(0, at);
}

/// One index of int64 along the innermost dim: what gathers of single elements are.
template <class Op>
struct NamedLine {
  using T = typename Op::Element;
  const Shape& shape;

  void walk(int dim, ByIndexPointers at) const {
    const auto d = static_cast<size_t>(dim);
    const Index& index = shape.index[0];
    if (dim == shape.rank - 1) return line(d, at);
    for (int64_t i = 0; i < shape.sizes[d]; ++i) {
      walk(dim + 1, at);
      at.table += shape.table_strides[d] * static_cast<int64_t>(sizeof(T));
      at.operand += shape.operand_strides[d] * static_cast<int64_t>(sizeof(T));
      at.index[0] = static_cast<const int64_t*>(at.index[0]) + index.strides[d];
    }
  }

  void line(size_t d, const ByIndexPointers& at) const {
    const Index& index = shape.index[0];
    auto* __restrict t = reinterpret_cast<T*>(at.table);
    auto* __restrict x = reinterpret_cast<T*>(at.operand);
    const auto* __restrict names = static_cast<const int64_t*>(at.index[0]);
    const int64_t count = shape.sizes[d], table_stride = shape.table_strides[d];
    const int64_t operand_stride = shape.operand_strides[d], step = index.strides[d];
    for (int64_t i = 0; i < count; ++i) {
      const int64_t value = names[i * step];
      const int64_t place = value < 0 ? value + index.extent : value;
      Op::apply(t + place * index.table_stride + i * table_stride, x + i * operand_stride);
    }
  }
};

}  // namespace torchweld::by_index
