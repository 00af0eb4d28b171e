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
/// Numerics  sums are of blocks, and those of as many partial sums as there are lanes and vectors
/// in
///           a step, or where lanes are rows of one, each in the order of the row; a NaN is the
///           result of kLargest and kSmallest.
class RowReductions {
 public:
  RowReductions(const Lanes& lanes, const Program& program) : v_(lanes), program_(program) {}

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
  /// Whether a sum is under way. Its block ends: what it has goes to a total of its own.
  bool has_sums() const;
  void end_block();
  /// After the pass: the result in every lane.
  Reg finish(int step);
  /// After the pass, where lanes are rows: the results of one vector.
  Reg lanes_of(int step, int vector);

 private:
  const Inst& inst(int step) const { return program_.steps[static_cast<size_t>(step)].inst; }
  aj::Vec identity(int step) const;
  void merge(int step, const aj::Vec& into, const aj::Vec& value) const;
  aj::Vec swapped(const aj::Vec& value, int bytes, int distance_bytes) const;

  const Lanes& v_;
  const Program& program_;
  std::map<int, std::vector<aj::Vec>> partial_;  // by step, then vector
  std::map<int, std::vector<aj::Vec>> totals_;   // of sums, of the blocks that have ended
};

}  // namespace torchweld::x86
