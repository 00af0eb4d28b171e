// Operands that lie crosswise: their neighbours in memory are other rows, where the lanes of the
// other operands are. Generated code reads and writes them in tiles that were turned.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel.h"

namespace torchweld::x86 {

/// Which operands lie crosswise. Dims are counted from the innermost one, which is 0.
struct Crosswise {
  uint32_t operands = 0;    ///< bit i: operand i, loads first, then stores
  int dim = 0;              ///< their elements lie side by side along it
  int lane = 0;             ///< what vectors lie along: not the innermost one where that is short
  int64_t bytes = 0;        ///< of one element of each of them
  bool stores = false;      ///< some are written
  bool whole_rows = false;  ///< a tile has rows from end to end

  size_t dim_of(const Geometry& geometry) const {
    return geometry.sizes.size() - 1 - static_cast<size_t>(dim);
  }
  size_t lane_of(const Geometry& geometry) const {
    return geometry.sizes.size() - 1 - static_cast<size_t>(lane);
  }
  int64_t rows(const Geometry& geometry) const { return geometry.sizes[dim_of(geometry)]; }
  int64_t columns(const Geometry& geometry) const { return geometry.sizes[lane_of(geometry)]; }
  bool any() const { return operands != 0; }
  bool has(size_t i) const { return (operands >> i & 1) != 0; }
  bool operator==(const Crosswise&) const = default;
};

/// One tile of all operands: rows are along the crosswise dim, columns along the lane dim.
struct Tile {
  int64_t rows = 0, columns = 0;
  int64_t pitch = 0;  ///< elements from row to row of what was turned

  static Tile of(const Crosswise& crosswise, const Geometry& geometry);
};

/// Bytes of all that is turned of a tile, at most.
inline constexpr int64_t kTileRoom = 98304;

/// None where tiles don't pay or can't be: the code asks where it is, rows too long for a tile.
Crosswise crosswise_of(const KernelSpec& spec, const Geometry& geometry);

/// The spec of the code that works on tiles: its innermost dim is the lanes'.
KernelSpec with_turned(const KernelSpec& spec, const Crosswise& crosswise);

}  // namespace torchweld::x86
