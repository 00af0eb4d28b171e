// Moves vectors between memory and registers: any element type, any stride, whole or partial.
#pragma once

#include "kernels/x86/lanes.h"

namespace torchweld::x86 {

/// Where one vector of an operand lies.
struct Place {
  DType dtype = DType::kF32;
  aj::Mem address;        ///< first element; contiguous accesses only
  bool lanewise = false;  ///< element by element: any stride, or a partial vector without masks
  aj::Gp pointer;         ///< lanewise: the first element; advanced past what was touched
  aj::Gp stride_bytes;    ///< lanewise
  aj::Gp lanes;           ///< lanewise: how many elements
  const aj::Vec* lane_mask =
      nullptr;                     ///< AVX2, 4 and 8 bytes: lanes of -1 for the elements to touch
  const aj::KReg* mask = nullptr;  ///< AVX-512: the elements to touch; null for all
  bool stream = false;             ///< store past the caches
  bool pairs = false;              ///< every second of the elements at `address`, 4 bytes each
};

class Memory {
 public:
  explicit Memory(const Lanes& lanes) : v_(lanes), cc_(lanes.cc) {}

  /// Before the loops, where places of pairs come.
  void begin_pairs();
  /// A vector in its compute type.
  Reg load(const Place& place) const;
  /// The value at `address`, in every lane.
  Reg broadcast(DType dtype, const aj::Mem& address) const;
  /// Elements `index` (i32 lanes) from `base`; 0 where `mask`, if there is one, is false: nothing
  /// is read there.
  Reg gather(DType dtype, const aj::Gp& base, const aj::Vec& index, const Reg* mask) const;
  /// Stores a vector that has the compute type of the place's dtype.
  void store(const Place& place, const Reg& value) const;

 private:
  aj::Vec raw_load(const Place& place, int bytes) const;
  aj::KReg first_of_pairs(const Place& place, int first) const;
  aj::Vec load_pairs(const Place& place) const;
  void store_pairs(const Place& place, const aj::Vec& value) const;
  void raw_store(const Place& place, const aj::Vec& value, int bytes) const;
  aj::Vec gather_lane_by_lane(int bytes, const aj::Gp& base, const aj::Vec& index,
                              const Reg* mask) const;
  aj::Mem through_stack(const Place& place, int bytes, bool loading, const aj::Mem& buffer) const;
  Reg widen(DType dtype, const aj::Vec& raw) const;
  aj::Vec narrow(DType dtype, const Reg& value) const;
  aj::Vec low_parts(const aj::Vec& value, int bytes) const;

  const Lanes& v_;
  aj::Compiler& cc_;
  aj::KReg first_of_all_;  // the first elements of eight pairs
};

}  // namespace torchweld::x86
