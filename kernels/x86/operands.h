// The operands of generated code: the registers that walk them, and where one vector of them lies.
#pragma once

#include <optional>
#include <vector>

#include "kernels/x86/launch_args.h"
#include "kernels/x86/memory.h"
#include "kernels/x86/walk.h"

namespace torchweld::x86 {

/// How much of a vector is there.
enum class Rest : uint8_t { kNone, kMasked, kLanewise };

/// The vectors at hand: `index` elements along the lane dim, then one vector after the other.
struct Spot {
  aj::Gp index;
  Rest rest = Rest::kNone;
  aj::Gp count;       ///< of lanes that are there; not for kNone
  aj::KReg mask;      ///< kMasked: those lanes
  aj::Vec lane_mask;  ///< kLanewise: those lanes
  bool stream = false;

  /// The lanes that are there; null when all are.
  const Reg* lanes() const {
    if (rest == Rest::kNone) return nullptr;
    return rest == Rest::kMasked ? static_cast<const Reg*>(&mask) : &lane_mask;
  }
};

/// Where a load reads but at its own place.
struct Shift {
  std::optional<aj::Vec> offset;  ///< elements, i32
  bool is_uniform = true;         ///< the offset is the same in all lanes
  std::optional<Reg> inside;      ///< lanes that read; 0 in others
};

class Operands {
 public:
  Operands(const Lanes& lanes, const KernelSpec& spec, const Walk& walk, aj::Gp args);

  size_t count() const { return operands_.size(); }
  bool is_of_row(size_t i) const { return operands_[i].of_row; }
  /// Whether the walk along the lane dim is one that several vectors in a step can share.
  bool steps_by_vectors() const;
  bool can_stream() const;

  /// Before the loops, before a row, and before vectors of the lane dim are walked.
  void begin();
  void begin_row();
  void begin_lanes();
  void next_row();
  /// To the next element of loop `level` within a row, and back from its end.
  void next(int level);
  void rewind(int level);

  Reg load(const Spot& spot, int vector, size_t i) const;
  Reg load_at(const Spot& spot, int vector, size_t i, const Shift& shift) const;
  void store(const Spot& spot, int vector, size_t i, const Reg& value) const;
  /// A value of the row, which all lanes have.
  void store_first_lane(size_t i, const Reg& value) const;

  aj::Mem field(size_t offset, size_t index = 0) const {
    return aj::qword_ptr(args_, static_cast<int32_t>(offset + 8 * index));
  }

 private:
  struct Operand {
    DType dtype;
    StrideClass lane;  // kZero only for loads
    bool is_store = false, per_row = false;
    bool of_row = false;
    std::vector<bool> walks;  // by level
    aj::Gp base;              // of the row, or within it of what the loops are at
    aj::Gp cursor, stride;    // kAny, not across
    Reg broadcast;            // kZero, not across
  };

  Operand made(const OperandSpec& spec, const KernelSpec& kernel) const;
  Place place(const Spot& spot, int vector, const Operand& operand, const aj::Gp& base) const;
  aj::Gp shifted_base(const Operand& operand, const Shift& shift) const;
  std::optional<Reg> lanes_inside(const Spot& spot, const Shift& shift) const;
  aj::Vec lane_offsets(const Spot& spot, int vector, size_t i) const;
  Place across_memory(const Spot& spot, int vector, const Operand& operand, Place at) const;
  void broadcast(Operand* operand) const;

  const Lanes& v_;
  aj::Compiler& cc_;
  Memory memory_;
  Walk walk_;
  aj::Gp args_;
  bool places_are_short_;  // 32 bits hold them, so that strided loads may be gathers
  std::vector<Operand> operands_;
};

}  // namespace torchweld::x86
