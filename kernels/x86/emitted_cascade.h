// One sum of a row's elements in generated code, in the order of LibTorch's cascade sum; by hand:
// cascade_sum.h.
#pragma once

#include <array>

#include "kernels/x86/lanes.h"

namespace torchweld::x86 {

/// Sums the row in four sums of eight lanes, each in blocks of sixteen and blocks of these, then
/// what whole eights are left, the sums, the lanes after what elements are left.
///
/// Shapes    16 lanes: two sums a vector, so whole vectors come in pairs, and a pair begins a block
/// Numerics  bit by bit LibTorch's, for rows of 8 to 2^24 elements
/// Source    vectorized_inner_sum in SumKernel.cpp, LibTorch 2.11
class EmittedCascade {
 public:
  /// Elements of a block.
  static constexpr int kBlock = 512;

  /// Of rows of `columns` elements; where the code begins one.
  EmittedCascade(const Lanes& lanes, const aj::Mem& columns);

  /// The next whole vector, that of an even or an odd place.
  void add(int vector, const aj::Vec& value) const;
  /// What is left behind whole pairs: a vector at element `index` of the row, 0 beyond its end.
  void add_rest(const aj::Vec& value, const aj::Gp& index);
  /// After each block but the last; `index` is where the next begins.
  void end_block(const aj::Gp& index) const;
  /// The sum, in every lane.
  aj::Vec finish();

 private:
  using Pair = std::array<aj::Vec, 2>;

  void clear(const Pair& sums) const;
  void merge(const Pair& from, const Pair& into) const;
  void add_eights(const aj::Vec& sums, const aj::Gp& rest) const;
  void sum_elements(const aj::Vec& sum, const aj::Gp& rest) const;
  void add_lanes(const aj::Vec& sum, const aj::Vec& lower, const aj::Vec& upper) const;

  const Lanes& v_;
  aj::Compiler& cc_;
  const aj::Mem columns_;
  static constexpr int kLevels = 4;
  std::array<Pair, kLevels> levels_;
  aj::Mem rest_;  // 32 elements, once there is code that writes them
  bool has_rest_ = false;
};

}  // namespace torchweld::x86
