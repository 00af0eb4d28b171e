// Reductions of a row under way, in vector registers.
#pragma once

#include <map>
#include <vector>

#include "kernels/x86/lanes.h"
#include "kernels/x86/lower.h"

namespace torchweld::x86 {

/// Takes vectors in, a partial result a lane; then merges the lanes, or leaves them where each is a
/// row of its own.
///
/// Numerics  sums in a chain (lower.h) are of one vector's lanes, or of the row in its order where
///           lanes are rows or the row is shorter than a vector. Others are of blocks, and those of
///           as many partial sums as there are lanes and vectors in a step, or of one where lanes
///           are rows, each in the order of the row. A NaN is the result of kLargest and kSmallest.
class RowReductions {
 public:
  /// `across`: each lane is a row of its own.
  RowReductions(const Lanes& lanes, const Program& program, bool across)
      : v_(lanes), program_(program), across_(across) {}

  /// Whether generated code reduces so.
  static bool has(Prim prim, DType type) {
    return (type == DType::kF32 || type == DType::kF64) &&
           (prim == Prim::kSum || prim == Prim::kProduct || prim == Prim::kLargest ||
            prim == Prim::kSmallest);
  }

  /// Before a pass that takes `times` vectors in a step.
  void start(const std::vector<int>& steps, int times);
  /// `exists`, where given, says which lanes are elements.
  void add(int step, int vector, const Reg& value, const Reg* exists);
  /// Whether a sum of blocks is under way. Its block ends: what it has goes to a total of its own.
  bool has_blocks() const;
  void end_block();
  /// After the pass over rows of `columns` elements: the result in every lane.
  Reg finish(int step, const aj::Mem& columns);
  /// After the pass, where lanes are rows: the results of one vector.
  Reg lanes_of(int step, int vector);

 private:
  const Step& at(int step) const { return program_.steps[static_cast<size_t>(step)]; }
  const Inst& inst(int step) const { return at(step).inst; }
  bool is_sum_of_blocks(int step) const {
    return inst(step).prim == Prim::kSum && !at(step).in_a_chain;
  }
  aj::Vec identity(int step) const;
  void merge(int step, const aj::Vec& into, const aj::Vec& value) const;
  void merge_lanes(int step, const aj::Vec& into) const;
  void spread_nan(DType type, const aj::Vec& into) const;
  void merge_lanes_in_order(const aj::Vec& into, const aj::Mem& columns) const;
  aj::Vec swapped(const aj::Vec& value, int bytes, int distance_bytes) const;

  const Lanes& v_;
  const Program& program_;
  const bool across_;
  std::map<int, std::vector<aj::Vec>> partial_;  // by step, then vector
  std::map<int, std::vector<aj::Vec>> totals_;   // of sums, of the blocks that have ended
};

}  // namespace torchweld::x86
