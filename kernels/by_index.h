// Elements of a table at places that tensors of integers name, on the host: gathers, and writes,
// sums and extremes that are scattered. Not what generated kernels do, which can't raise an error.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "kernels/dtype.h"
#include "kernels/kernel.h"

namespace torchweld {

/// What becomes of a table's element t and the operand's element x that belongs to it.
enum class ByIndex : uint8_t { kRead, kWrite, kAdd, kMultiply, kMax, kMin, kMasked };

/// A walk over the operand and, at other places, over the table.
///
/// Shapes    the walk has `rank` dims; an element of the table is at its strides over them and,
///           for each index, at what it names there times the stride of the dim that it names.
///           Strides are in elements; the operand's are 0 where it is a number.
/// Masked    the only index is a mask of bools, whose places are the walk's own: where it is true
/// the
///           table gets the operand's next element. `extent` is how many the operand has, side by
///           side.
/// Order     writes to one place come in row-major order, whatever the number of threads; of stored
///           ones the last stays.
/// Numerics  integers wrap around; of bools + is or and * is and. NaN wins as an extreme. Halves
///           are read and written only.
struct ByIndexShape {
  static constexpr int kMostDims = 8;  ///< one more than a walk has before simplify()
  static constexpr int kMostIndices = 4;
  using Dims = std::array<int64_t, kMostDims>;

  struct Index {
    int64_t extent = 0;  ///< places that it may name
    int64_t table_stride = 0;
    bool narrow = false;  ///< int32, otherwise int64
    bool wraps = false;   ///< -1 is the last place
    Dims strides{};
  };

  ByIndex how = ByIndex::kRead;
  DType dtype = DType::kF32;  ///< of table and operand
  int rank = 0;
  int indices = 0;
  Dims sizes{}, table_strides{}, operand_strides{};
  std::array<Index, kMostIndices> index{};

  int64_t elements() const;
};

/// The form that run_by_index takes. Dims that are one in memory, everywhere, become one, and dims
/// of one element go; unless a single index of int64 names the elements of the innermost dim, none
/// changes along it.
void simplify(ByIndexShape* shape);

/// Whether `how` is there for elements of this type.
bool takes_by_index(ByIndex how, DType dtype);

struct ByIndexPointers {
  char *table = nullptr, *operand = nullptr;  ///< kRead writes the operand, the others the table
  std::array<const void*, ByIndexShape::kMostIndices> index{};
};

/// An index that names no place.
struct NoPlace {
  int index = 0;      ///< which of the indices
  int64_t value = 0;  ///< of a mask: how many elements it asks for
};

/// Reads all indices first: when one names no place, nothing is read or written.
///
/// Memory  table, operand and indices don't overlap.
std::optional<NoPlace> run_by_index(const ByIndexShape& shape, const ByIndexPointers& pointers,
                                    const ParallelFor& parallel);

/// run_by_index of kMasked.
std::optional<NoPlace> write_masked(const ByIndexShape& shape, const ByIndexPointers& pointers);

}  // namespace torchweld
