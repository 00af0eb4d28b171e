// Reductions of a row under way, in vector registers.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "kernels/x86/emitted_cascade.h"
#include "kernels/x86/lanes.h"
#include "kernels/x86/lower.h"

namespace torchweld::x86 {

/// Takes vectors in, a partial result a lane; then merges the lanes, or leaves them where each is a
/// row of its own.
///
/// Numerics  of row_order.h's orders: a chain has one vector's lanes, or is the row in its order
///           where lanes are rows or the row is shorter than a vector. Cascades that can't be one,
///           as lanes across rows can't, are of blocks, and those of as many partial sums as there
///           are lanes and vectors in a step, or of one where lanes are rows, each in the order of
///           the row. A NaN is the result of kLargest and kSmallest.
class RowReductions {
 public:
  // Elements of a block, of one chain or of all the chains that lie in lanes; whole vectors.
  static constexpr int kSumBlock = 256, kLaneBlock = 2048;

  /// `across`: each lane is a row of its own.
  RowReductions(const Lanes& lanes, const Program& program, bool across)
      : v_(lanes), program_(program), across_(across) {}

  /// Whether generated code reduces so.
  static bool has(Prim prim, DType type) {
    return (type == DType::kF32 || type == DType::kF64) &&
           (prim == Prim::kSum || prim == Prim::kProduct || prim == Prim::kLargest ||
            prim == Prim::kSmallest);
  }

  /// Before a pass that takes `times` vectors in a step. `columns`, where given, are the elements
  /// of a row whose sums may be cascades: whole vectors come in pairs.
  void start(const std::vector<int>& steps, int times, const std::optional<aj::Mem>& columns);
  /// `exists`, where given, says which lanes are elements. The first is element `index` of the row.
  void add(int step, int vector, const Reg& value, const Reg* exists, const aj::Gp& index);
  /// Whether a sum of blocks is under way. A block ends, and one from element `index` of the row
  /// on follows: what it has goes to a total of its own.
  bool has_blocks() const { return !totals_.empty() || has_cascades(); }
  bool has_cascades() const { return !cascades_.empty(); }
  void end_block(const aj::Gp& index);
  /// For rows that are nests of short ones: `elements` are summed next, and where a block has
  /// enough by then, it ends.
  void begin_part(const aj::Gp& elements);
  void end_part(const aj::Gp& index);
  /// After the pass over rows of `columns` elements: the result in every lane.
  Reg finish(int step, const aj::Mem& columns);
  /// After the pass, where lanes are rows: the results of one vector.
  Reg lanes_of(int step, int vector);

 private:
  const Step& at(int step) const { return program_.steps[static_cast<size_t>(step)]; }
  const Inst& inst(int step) const { return at(step).inst; }
  bool is_chain(int step) const {
    return inst(step).prim == Prim::kSum && at(step).order == SumOrder::kChain;
  }
  /// Whether an extreme's NaNs are noted in a mask: lanes that have seen numbers only.
  bool notes_numbers(int step) const {
    const Prim prim = inst(step).prim;
    return v_.wide() && v_.count == 16 && !across_ && inst(step).type == DType::kF32 &&
           (prim == Prim::kLargest || prim == Prim::kSmallest);
  }
  Prim extreme_of(int step) const {
    return inst(step).prim == Prim::kLargest ? Prim::kMax : Prim::kMin;
  }
  aj::Vec identity(int step) const;
  aj::Vec total_of(int step, size_t vector);
  void merge(int step, const aj::Vec& into, const aj::Vec& value) const;
  void merge_lanes(int step, const aj::Vec& into) const;
  void set_nan(DType type, const aj::Vec& into) const;
  void spread_nan(DType type, const aj::Vec& into) const;
  void merge_lanes_in_order(const aj::Vec& into, const aj::Mem& columns) const;
  aj::Vec swapped(const aj::Vec& value, int bytes, int distance_bytes) const;

  const Lanes& v_;
  const Program& program_;
  const bool across_;
  std::map<int, std::vector<aj::Vec>> partial_;  // by step, then vector
  std::map<int, std::vector<aj::Vec>> totals_;   // of sums, of the blocks that have ended
  std::map<int, EmittedCascade> cascades_;
  aj::Gp in_block_;                  // elements, for begin_part
  std::map<int, aj::KReg> numbers_;  // see notes_numbers
};

}  // namespace torchweld::x86
