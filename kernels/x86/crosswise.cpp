#include "kernels/x86/crosswise.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "kernels/x86/math.h"
#include "kernels/x86/walk.h"

namespace torchweld::x86 {
namespace {

constexpr int64_t kLeastRows = 2, kLeastColumns = 8, kFewRows = 8;
constexpr int64_t kLeastTile = 64;  // elements for which it is worth the call; not of short rows
constexpr int64_t kLine = 16;       // elements: whole cache lines of most types
constexpr int64_t kFloat = 4;       // bytes
constexpr int64_t kMostRows = 256;

// What is written lies in long stretches, columns of the tile or, turned, its rows: a line that is
// written has to be fetched too, and stores wait for each other. With 16 rows 2 x 256 x 32 x 32
// floats that are written as they lie and turned took 433 us, with 128 they take 75 (Zen 5).
constexpr int64_t kLong = 128, kShort = 32;

int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

template <class Visit>
void each_operand(const KernelSpec& spec, const Visit& visit) {
  for (size_t i = 0; i < spec.loads.size(); ++i) visit(i, spec.loads[i]);
  for (size_t i = 0; i < spec.stores.size(); ++i)
    visit(spec.loads.size() + i, spec.stores[i].operand);
}

// Whether the code is the same wherever its tile is.
bool knows_no_place(const KernelSpec& spec) {
  return std::none_of(spec.body.begin(), spec.body.end(), [](const Inst& inst) {
    return inst.prim == Prim::kCoord ||
           (inst.prim == Prim::kLoad && (inst.args[0] >= 0 || inst.args[1] >= 0));
  });
}

// Rows of which each operand that isn't along memory is across it are walked across.
bool all_across(const KernelSpec& spec) {
  const auto across = static_cast<size_t>(spec.rank - spec.reduced - 1);
  bool all = true;
  each_operand(spec, [&](size_t, const OperandSpec& operand) {
    all &= operand.strides[across] != StrideClass::kAny;
  });
  return all;
}

int count_along(const KernelSpec& spec, int dim) {
  int count = 0;
  each_operand(spec, [&](size_t, const OperandSpec& operand) {
    count += operand.strides[static_cast<size_t>(dim)] == StrideClass::kOne ? 1 : 0;
  });
  return count;
}

// Operands that lie along `dim` and across `lane`.
Crosswise between(const KernelSpec& spec, int lane, int dim) {
  Crosswise found;
  found.dim = spec.rank - 1 - dim;
  found.lane = spec.rank - 1 - lane;
  found.whole_rows = spec.reduced == 1;
  each_operand(spec, [&](size_t i, const OperandSpec& operand) {
    if (operand.strides[static_cast<size_t>(lane)] != StrideClass::kAny ||
        operand.strides[static_cast<size_t>(dim)] != StrideClass::kOne)
      return;
    found.operands |= uint32_t{1} << i;
    found.bytes += size_of(operand.dtype);
    found.stores |= i >= spec.loads.size();
  });
  return found;
}

// The outer dim, if any is long enough, that has the highest count, the inner one of equals.
template <class Count>
int best_dim(const KernelSpec& spec, const Geometry& geometry, int64_t least, const Count& count) {
  int best = -1, most = -1;
  for (int d = spec.rank - 1; d-- > 0;) {
    if (geometry.sizes[static_cast<size_t>(d)] < least || count(d) <= most) continue;
    most = count(d);
    best = d;
  }
  return best;
}

// Whether rows of a few elements cost more than to turn them: an operand is across them anyway,
// vectors of which most lanes are idle cost much, or four floats turn at once.
bool are_worth_turning(const KernelSpec& spec, int64_t columns) {
  bool are_floats = true, one_across = false;
  each_operand(spec, [&](size_t, const OperandSpec& operand) {
    are_floats &= size_of(operand.dtype) == 4;
    one_across |= operand.strides[static_cast<size_t>(spec.rank - 1)] == StrideClass::kAny;
  });
  const bool is_heavy = std::any_of(spec.body.begin(), spec.body.end(), [](const Inst& inst) {
    return Math::covers(inst.prim) || inst.prim == Prim::kPow;
  });
  return one_across || is_heavy || (are_floats && columns == 4);
}

}  // namespace

Crosswise crosswise_of(const KernelSpec& spec, const Geometry& geometry) {
  if (geometry.sizes.empty() || spec.rank < 2 || spec.reduced > 1 || !knows_no_place(spec))
    return {};
  if (spec.reduced == 1 && all_across(spec)) return {};
  const int innermost = spec.rank - 1;
  Crosswise found;
  if (geometry.sizes.back() >= kLeastColumns) {
    const int dim = best_dim(spec, geometry, kLeastRows, [&](int d) {
      return std::popcount(between(spec, innermost, d).operands);
    });
    if (dim >= 0) found = between(spec, innermost, dim);
  } else if (spec.reduced == 0 && are_worth_turning(spec, geometry.sizes.back())) {
    const int lane =
        best_dim(spec, geometry, kLeastColumns, [&](int d) { return count_along(spec, d); });
    if (lane >= 0) found = between(spec, lane, innermost);
  }
  if (!found.any()) return {};
  const Tile tile = Tile::of(found, geometry);
  if ((found.lane == 0 && tile.rows * tile.columns < kLeastTile) ||
      tile.rows < std::min(kFewRows, found.rows(geometry)) ||
      tile.rows * tile.pitch * found.bytes > kTileRoom)
    return {};
  if (spec.reduced == 1 && walk_of(with_turned(spec, found)).across) return {};
  return found;
}

Tile Tile::of(const Crosswise& crosswise, const Geometry& geometry) {
  const int64_t rows = crosswise.rows(geometry), columns = crosswise.columns(geometry);
  const int64_t many = crosswise.stores ? kLong : kShort, wide = crosswise.stores ? kShort : kLong;
  const int64_t room = many * (wide + kLine) * kFloat;  // bytes
  const int64_t of_few = room / (std::min(rows, many) * crosswise.bytes) - kLine;
  Tile tile;
  tile.columns =
      crosswise.whole_rows ? columns : std::min(columns, std::max(round_up(of_few, kLine), wide));
  // Rows that are a power of two apart would share few places of the cache.
  tile.pitch = round_up(tile.columns, kLine) + kLine;
  const int64_t row = tile.pitch * crosswise.bytes;
  const int64_t fit = crosswise.whole_rows
                          ? std::min(kTileRoom / row, 2 * kLine)
                          : std::clamp(room / row / kLine * kLine, kLine, kMostRows);
  tile.rows = std::min(fit, rows);
  return tile;
}

KernelSpec with_turned(const KernelSpec& spec, const Crosswise& crosswise) {
  if (!crosswise.any()) return spec;
  KernelSpec out = spec;
  const int innermost = spec.rank - 1;
  const auto turned = [&](size_t i, OperandSpec* operand) {
    StrideClass& lane = operand->strides[static_cast<size_t>(innermost - crosswise.lane)];
    StrideClass& dim = operand->strides[static_cast<size_t>(innermost - crosswise.dim)];
    if (crosswise.has(i)) std::swap(lane, dim);
    if (crosswise.lane != 0) std::swap(lane, operand->strides[static_cast<size_t>(innermost)]);
  };
  for (size_t i = 0; i < out.loads.size(); ++i) turned(i, &out.loads[i]);
  for (size_t i = 0; i < out.stores.size(); ++i)
    turned(out.loads.size() + i, &out.stores[i].operand);
  return out;
}

}  // namespace torchweld::x86
