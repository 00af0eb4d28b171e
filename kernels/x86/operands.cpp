#include "kernels/x86/operands.h"

#include <algorithm>
#include <cstddef>

#include "kernels/x86/places.h"

namespace torchweld::x86 {

Operands::Operands(const Lanes& lanes, const KernelSpec& spec, const Walk& walk, aj::Gp args)
    : v_(lanes),
      cc_(lanes.cc),
      memory_(lanes),
      walk_(walk),
      args_(std::move(args)),
      places_are_short_(has_places(spec)) {
  for (const OperandSpec& load : spec.loads) operands_.push_back(made(load, spec));
  for (const StoreSpec& store : spec.stores) {
    Operand operand = made(store.operand, spec);
    operand.is_store = true;
    operand.per_row = store.per_row;
    // A store of one element over and over has a walk of stride 0.
    if (operand.lane == StrideClass::kZero) operand.lane = StrideClass::kAny;
    operands_.push_back(std::move(operand));
  }
}

Operands::Operand Operands::made(const OperandSpec& spec, const KernelSpec& kernel) const {
  Operand operand;
  operand.dtype = spec.dtype;
  operand.lane = spec.strides[static_cast<size_t>(walk_.lane)];
  operand.of_row = kernel.reduced > 0 && torchweld::x86::is_of_row(spec, kernel);
  for (int d = walk_.nest_begin; d < walk_.nest_end; ++d)
    operand.walks.push_back(spec.strides[static_cast<size_t>(d)] != StrideClass::kZero);
  return operand;
}

bool Operands::steps_by_vectors() const {
  for (const Operand& operand : operands_) {
    const bool once = walk_.across ? operand.of_row : operand.per_row;
    if (operand.lane == StrideClass::kAny && !once) return false;
  }
  return operands_.size() <= 8;
}

bool Operands::can_stream() const {
  for (const Operand& operand : operands_) {
    const int64_t bytes = size_of(operand.dtype) * v_.count;
    if (operand.is_store && (operand.lane != StrideClass::kOne || bytes < 16)) return false;
  }
  return true;
}

void Operands::begin() {
  if (std::any_of(operands_.begin(), operands_.end(),
                  [](const Operand& operand) { return operand.lane == StrideClass::kTwo; }))
    memory_.begin_pairs();
  for (size_t i = 0; i < operands_.size(); ++i) {
    operands_[i].base = cc_.newIntPtr();
    cc_.mov(operands_[i].base, field(offsetof(LaunchArgs, pointers), i));
  }
}

void Operands::broadcast(Operand* operand) const {
  operand->broadcast = memory_.broadcast(operand->dtype, aj::ptr(operand->base));
}

void Operands::begin_row() {
  if (walk_.across) return;
  for (size_t i = 0; i < operands_.size(); ++i) {
    Operand& operand = operands_[i];
    if (operand.lane == StrideClass::kAny) {
      operand.cursor = cc_.newIntPtr();
      operand.stride = cc_.newInt64();
      cc_.mov(operand.stride, field(offsetof(LaunchArgs, inner_bytes), i));
    }
    if (operand.lane == StrideClass::kZero && (operand.of_row || walk_.nest() == 0))
      broadcast(&operand);
  }
}

void Operands::begin_lanes() {
  for (Operand& operand : operands_) {
    if (operand.lane == StrideClass::kAny) cc_.mov(operand.cursor, operand.base);
    if (operand.lane == StrideClass::kZero && !operand.of_row && walk_.nest() > 0)
      broadcast(&operand);
  }
}

void Operands::next_row() {
  for (size_t i = 0; i < operands_.size(); ++i)
    cc_.add(operands_[i].base, field(offsetof(LaunchArgs, outer_bytes), i));
}

void Operands::next(int level) {
  const auto l = static_cast<size_t>(level);
  for (size_t i = 0; i < operands_.size(); ++i) {
    if (operands_[i].walks[l])
      cc_.add(operands_[i].base,
              field(offsetof(LaunchArgs, nest_bytes), l * static_cast<size_t>(kMaxOperands) + i));
  }
}

void Operands::rewind(int level) {
  const auto l = static_cast<size_t>(level);
  for (size_t i = 0; i < operands_.size(); ++i) {
    if (!operands_[i].walks[l]) continue;
    const aj::Gp way = cc_.newInt64();
    cc_.mov(way, field(offsetof(LaunchArgs, nest), l));
    cc_.imul(way,
             field(offsetof(LaunchArgs, nest_bytes), l * static_cast<size_t>(kMaxOperands) + i));
    cc_.sub(operands_[i].base, way);
  }
}

/// Element by element, from where the walk is; across, from the vector's own first element.
Place Operands::across_memory(const Spot& spot, int vector, const Operand& operand,
                              Place at) const {
  at.lanewise = true;
  if (spot.rest == Rest::kNone) {
    at.lanes = cc_.newInt64();
    cc_.mov(at.lanes, v_.count);
  } else {
    at.lanes = spot.count;
  }
  if (operand.lane == StrideClass::kOne || operand.lane == StrideClass::kTwo) {
    at.pointer = cc_.newIntPtr();
    at.stride_bytes = cc_.newInt64();
    cc_.lea(at.pointer, at.address);
    cc_.mov(at.stride_bytes, size_of(operand.dtype) * (at.pairs ? 2 : 1));
  } else if (walk_.across) {
    const auto i = static_cast<size_t>(&operand - operands_.data());
    at.pointer = cc_.newIntPtr();
    at.stride_bytes = cc_.newInt64();
    cc_.mov(at.stride_bytes, field(offsetof(LaunchArgs, inner_bytes), i));
    cc_.lea(at.pointer, aj::ptr(spot.index, vector * v_.count));
    cc_.imul(at.pointer, at.stride_bytes);
    cc_.add(at.pointer, operand.base);
  } else {
    at.pointer = operand.cursor;
    at.stride_bytes = operand.stride;
  }
  return at;
}

Place Operands::place(const Spot& spot, int vector, const Operand& operand,
                      const aj::Gp& base) const {
  const int64_t bytes = size_of(operand.dtype);
  Place at;
  at.dtype = operand.dtype;
  at.stream = spot.stream;
  const uint32_t shift = bytes == 8 ? 3 : bytes == 4 ? 2 : bytes == 2 ? 1 : 0;
  if (operand.lane == StrideClass::kOne) {
    at.address = aj::ptr(base, spot.index, shift, static_cast<int32_t>(vector * v_.count * bytes));
  }
  if (operand.lane == StrideClass::kTwo) {
    at.pairs = true;
    at.address = aj::ptr(base, spot.index, 3, static_cast<int32_t>(vector * v_.count * 8));
  }
  // AVX2 has masked moves for elements of 4 and 8 bytes only.
  const bool maskable = operand.lane == StrideClass::kOne && bytes >= 4;
  if (operand.lane == StrideClass::kAny || (spot.rest == Rest::kLanewise && !maskable))
    return across_memory(spot, vector, operand, at);
  if (spot.rest == Rest::kLanewise) at.lane_mask = &spot.lane_mask;
  if (spot.rest == Rest::kMasked) at.mask = &spot.mask;
  return at;
}

Reg Operands::load(const Spot& spot, int vector, size_t i) const {
  const Operand& operand = operands_[i];
  if (operand.lane == StrideClass::kAny && places_are_short_ && size_of(operand.dtype) >= 4)
    return load_at(spot, vector, i, {});
  if (operand.lane != StrideClass::kZero)
    return memory_.load(place(spot, vector, operand, operand.base));
  return walk_.across ? memory_.broadcast(operand.dtype, aj::ptr(operand.base)) : operand.broadcast;
}

aj::Gp Operands::shifted_base(const Operand& operand, const Shift& shift) const {
  if (!shift.offset || !shift.is_uniform) return operand.base;
  const aj::Gp base = cc_.newIntPtr();
  // A copy is in a register: of a spilled vector AsmJit makes a vmovd from memory to a general
  // register, which there is not.
  const aj::Vec offset = v_.vec(4);
  cc_.emit(ins::kIdVmovaps, offset, *shift.offset);
  cc_.emit(ins::kIdVmovd, base.r32(), offset.xmm());
  cc_.movsxd(base, base.r32());
  cc_.imul(base, base, static_cast<int>(size_of(operand.dtype)));
  cc_.add(base, operand.base);
  return base;
}

std::optional<Reg> Operands::lanes_inside(const Spot& spot, const Shift& shift) const {
  if (spot.lanes() == nullptr) return shift.inside;
  return shift.inside ? v_.logic(Prim::kAnd, *shift.inside, *spot.lanes()) : *spot.lanes();
}

/// How many elements each lane is from the operand's base, i32.
aj::Vec Operands::lane_offsets(const Spot& spot, int vector, size_t i) const {
  const aj::Vec at = v_.counted(spot.index, vector * v_.count);
  if (operands_[i].lane == StrideClass::kOne) return at;
  const aj::Gp stride = cc_.newInt64();
  cc_.mov(stride, field(offsetof(LaunchArgs, inner_bytes), i));
  const int64_t bytes = size_of(operands_[i].dtype);
  if (bytes > 1) cc_.sar(stride, bytes == 8 ? 3 : bytes == 4 ? 2 : 1);
  return v_.op(ins::kIdVpmulld, at, v_.splat(stride), 4);
}

Reg Operands::load_at(const Spot& spot, int vector, size_t i, const Shift& shift) const {
  const Operand& operand = operands_[i];
  const aj::Gp base = shifted_base(operand, shift);
  const bool here = !shift.offset || shift.is_uniform;
  if (here && operand.lane == StrideClass::kZero && !shift.inside)
    return memory_.broadcast(operand.dtype, aj::ptr(base));
  const bool maskable = v_.wide() || size_of(operand.dtype) >= 4;
  if (here && operand.lane == StrideClass::kOne && !shift.inside && maskable)
    return memory_.load(place(spot, vector, operand, base));
  const std::optional<Reg> lanes = lanes_inside(spot, shift);
  if (here && operand.lane == StrideClass::kOne && maskable) {
    Place at = place(spot, vector, operand, base);
    aj::KReg mask;
    aj::Vec lane_mask;
    if (v_.wide()) {
      mask = lanes->as<aj::KReg>();
      at.mask = &mask;
    } else {
      lane_mask = lanes->as<aj::Vec>();
      at.lane_mask = &lane_mask;
    }
    return memory_.load(at);
  }
  aj::Vec offsets = v_.vec(4);
  if (operand.lane == StrideClass::kZero) {
    cc_.emit(ins::kIdVpxor, offsets.xmm(), offsets.xmm(), offsets.xmm());
  } else {
    offsets = lane_offsets(spot, vector, i);
  }
  if (!here) offsets = v_.op(ins::kIdVpaddd, offsets, *shift.offset, 4);
  return memory_.gather(operand.dtype, base, offsets, lanes ? &*lanes : nullptr);
}

void Operands::store(const Spot& spot, int vector, size_t i, const Reg& value) const {
  memory_.store(place(spot, vector, operands_[i], operands_[i].base), value);
}

void Operands::store_first_lane(size_t i, const Reg& value) const {
  Place at;
  at.dtype = operands_[i].dtype;
  at.lanewise = true;
  at.pointer = cc_.newIntPtr();
  at.stride_bytes = cc_.newInt64();
  at.lanes = cc_.newInt64();
  cc_.mov(at.pointer, operands_[i].base);
  cc_.xor_(at.stride_bytes.r32(), at.stride_bytes.r32());
  cc_.mov(at.lanes, 1);
  memory_.store(at, value);
}

}  // namespace torchweld::x86
