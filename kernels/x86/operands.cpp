#include "kernels/x86/operands.h"

#include <cstddef>

namespace torchweld::x86 {

Operands::Operands(const Lanes& lanes, const KernelSpec& spec, const Walk& walk, aj::Gp args)
    : v_(lanes), cc_(lanes.cc), memory_(lanes), walk_(walk), args_(std::move(args)) {
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
  if (operand.lane == StrideClass::kOne) {
    at.pointer = cc_.newIntPtr();
    at.stride_bytes = cc_.newInt64();
    cc_.lea(at.pointer, at.address);
    cc_.mov(at.stride_bytes, size_of(operand.dtype));
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

Place Operands::place(const Spot& spot, int vector, const Operand& operand) const {
  const int64_t bytes = size_of(operand.dtype);
  Place at;
  at.dtype = operand.dtype;
  at.stream = spot.stream;
  const uint32_t shift = bytes == 8 ? 3 : bytes == 4 ? 2 : bytes == 2 ? 1 : 0;
  if (operand.lane == StrideClass::kOne) {
    at.address =
        aj::ptr(operand.base, spot.index, shift, static_cast<int32_t>(vector * v_.count * bytes));
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
  if (operand.lane != StrideClass::kZero) return memory_.load(place(spot, vector, operand));
  return walk_.across ? memory_.broadcast(operand.dtype, aj::ptr(operand.base)) : operand.broadcast;
}

void Operands::store(const Spot& spot, int vector, size_t i, const Reg& value) const {
  memory_.store(place(spot, vector, operands_[i]), value);
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
