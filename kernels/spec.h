// The kernel spec: the one input of every code generator. Plain data; sizes are not part of it.
// What it is not: a plan step. Sizes, strides and pointers arrive at launch (geometry.h).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/dtype.h"
#include "kernels/prim.h"

namespace torchweld {

inline constexpr int kMaxRank = 6;       ///< dimensions of a coalesced domain
inline constexpr int kMaxOperands = 24;  ///< loads plus stores of one kernel

/// What a generator may assume about an operand's stride in one dimension. Plans know no kTwo,
/// which the x86 back end makes of kAny where the geometry has that stride.
enum class StrideClass : uint8_t { kZero, kOne, kAny, kTwo };

/// One tensor that a kernel reads or writes.
struct OperandSpec {
  DType dtype = DType::kF32;
  std::array<StrideClass, kMaxRank> strides{};  ///< outermost first, as many as the spec's rank
  bool operator==(const OperandSpec&) const = default;
};

/// One instruction of a body in SSA form; its value is named by its index in KernelSpec::body.
///
/// Types   `type` is the compute type of the result: f32, f64, i64, i32 or bool (dtype.h,
/// compute_type).
///         Comparisons take operands of one compute type and give bool; kSelect takes (bool, t, t)
///         and gives t; kLoad gives the compute type of its operand's dtype; kCast takes any
///         compute type.
/// Loads   args[0], when there: an i64 value, elements added to the address (a gather). args[1],
///         when there: a bool value; where it is false nothing is read and the value is 0.
struct Inst {
  Prim prim = Prim::kConst;
  DType type = DType::kF32;
  std::array<int16_t, 3> args{-1, -1, -1};  ///< indices of earlier instructions
  int16_t operand = -1;                     ///< kLoad: index into loads
  DType to = DType::kOther;                 ///< kRound: the half type; kWrap: i8, u8 or i16
  double imm = 0;                           ///< kConst of a floating type
  int64_t imm_int = 0;                      ///< kConst of an integer or bool type; kCoord; kParam
  bool operator==(const Inst&) const = default;
};

/// A value that leaves the kernel; converted to the operand's dtype (halves round to nearest even,
/// integers wrap).
struct StoreSpec {
  OperandSpec operand;
  int16_t value = -1;      ///< index into body
  int16_t offset = -1;     ///< an i64 value: elements added to the address (a scatter); -1: none
  int16_t predicate = -1;  ///< a bool value: nothing is stored where it is false; -1: none
  bool per_row = false;    ///< a value of the row, stored once; its strides over reduced dims are 0
  bool accumulates = false;  ///< added atomically to what is there, instead of replacing it
  bool operator==(const StoreSpec&) const = default;
};

/// A loop nest: pointwise, or rows that are reduced in phases.
///
/// Rows     the innermost `reduced` dimensions are one row; the others count rows. An instruction's
/// phase and whether it is one value a row follow from the body (phases.h).
/// Domain   `rank` coalesced dimensions, outermost first, 1 to kMaxRank; every operand is addressed
/// by strides over it. Aliasing a store may share its address with a load of equal strides; any
/// other overlap is the planner's bug. Key      two specs that compare equal are the same kernel,
/// whatever the sizes.
struct KernelSpec {
  std::string name;  ///< reads well in a profiler: "fused_mul_add_gelu_f32"; not part of the key
  int rank = 1;
  int reduced = 0;  ///< innermost dimensions that reductions run over; 0 for a pointwise kernel
  std::vector<OperandSpec> loads;
  std::vector<Inst> body;
  std::vector<StoreSpec> stores;

  /// Equality without the name; hash() agrees with it.
  bool same_kernel(const KernelSpec& other) const;
  uint64_t hash() const;
};

/// Whether every value is a function of one element of each load at its own place: no rows, no
/// coordinates, no gathers.
bool is_plain(const KernelSpec& spec);

/// One line a load, instruction and store; what golden tests and `explain` show.
std::string to_text(const KernelSpec& spec);

}  // namespace torchweld
