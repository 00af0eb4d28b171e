// Identity and text form of kernel specs.
#include "kernels/spec.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

namespace torchweld {
namespace {

class Hasher {
 public:
  void add(uint64_t value) {
    state_ ^= value + 0x9e3779b97f4a7c15ull + (state_ << 6) + (state_ >> 2);
    state_ *= 0xff51afd7ed558ccdull;
    state_ ^= state_ >> 32;
  }
  uint64_t value() const { return state_; }

 private:
  uint64_t state_ = 0x243f6a8885a308d3ull;
};

void add_operand(const OperandSpec& operand, int rank, Hasher* hasher) {
  uint64_t word = static_cast<uint64_t>(operand.dtype);
  for (int d = 0; d < rank; ++d) word = word * 4 + static_cast<uint64_t>(operand.strides[d]);
  hasher->add(word);
}

void add_inst(const Inst& inst, Hasher* hasher) {
  uint64_t word = static_cast<uint64_t>(inst.prim) << 16 | static_cast<uint64_t>(inst.type) << 8 |
                  static_cast<uint64_t>(inst.to);
  hasher->add(word);
  for (const int16_t arg : inst.args) hasher->add(static_cast<uint16_t>(arg));
  hasher->add(static_cast<uint16_t>(inst.operand));
  hasher->add(std::bit_cast<uint64_t>(inst.imm));
  hasher->add(static_cast<uint64_t>(inst.imm_int));
}

// Bits, not values: a NaN constant equals itself, and 0.0 and -0.0 are two kernels.
bool same_inst(const Inst& a, const Inst& b) {
  return a.prim == b.prim && a.type == b.type && a.args == b.args && a.operand == b.operand &&
         a.to == b.to && a.imm_int == b.imm_int &&
         std::bit_cast<uint64_t>(a.imm) == std::bit_cast<uint64_t>(b.imm);
}

// Classes past the rank carry no meaning, so they are not compared.
bool same_operand(const OperandSpec& a, const OperandSpec& b, int rank) {
  if (a.dtype != b.dtype) return false;
  for (int d = 0; d < rank; ++d) {
    if (a.strides[d] != b.strides[d]) return false;
  }
  return true;
}

bool same_store(const StoreSpec& a, const StoreSpec& b) {
  return a.value == b.value && a.offset == b.offset && a.predicate == b.predicate &&
         a.per_row == b.per_row && a.accumulates == b.accumulates;
}

std::string operand_text(const OperandSpec& operand, int rank) {
  std::string text(name_of(operand.dtype));
  text += '[';
  for (int d = 0; d < rank; ++d) text += "01*2"[static_cast<int>(operand.strides[d])];
  return text + ']';
}

std::string number_text(double value) {
  if (std::isnan(value)) return "nan";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  return std::string(buffer, end);
}

std::string inst_text(const Inst& inst) {
  std::string text(name_of(inst.prim));
  text += ' ';
  text += name_of(inst.type);
  if (inst.prim == Prim::kConst) {
    text += ' ';
    text += is_floating(inst.type) ? number_text(inst.imm) : std::to_string(inst.imm_int);
  } else if (inst.prim == Prim::kCoord || inst.prim == Prim::kParam) {
    text += ' ' + std::to_string(inst.imm_int);
  } else if (inst.prim == Prim::kLoad) {
    text += " in" + std::to_string(inst.operand);
    if (inst.args[0] >= 0) text += " at %" + std::to_string(inst.args[0]);
    if (inst.args[1] >= 0) text += " if %" + std::to_string(inst.args[1]);
  } else if (inst.prim == Prim::kRound || inst.prim == Prim::kWrap) {
    text += ' ';
    text += name_of(inst.to);
  }
  for (int i = 0; i < arity_of(inst.prim); ++i) text += " %" + std::to_string(inst.args[i]);
  return text;
}

std::string store_text(const StoreSpec& store) {
  std::string text = (store.accumulates ? " += %" : " = %") + std::to_string(store.value);
  if (store.per_row) text += " a row";
  if (store.offset >= 0) text += " at %" + std::to_string(store.offset);
  if (store.predicate >= 0) text += " if %" + std::to_string(store.predicate);
  return text;
}

}  // namespace

bool is_plain(const KernelSpec& spec) {
  const auto here = [](const Inst& inst) {
    return inst.prim != Prim::kCoord && inst.prim != Prim::kParam && !needs_row(inst.prim) &&
           (inst.prim != Prim::kLoad || (inst.args[0] < 0 && inst.args[1] < 0));
  };
  const auto stores_here = [](const StoreSpec& s) {
    return s.offset < 0 && s.predicate < 0 && !s.per_row && !s.accumulates;
  };
  return spec.reduced == 0 && std::all_of(spec.body.begin(), spec.body.end(), here) &&
         std::all_of(spec.stores.begin(), spec.stores.end(), stores_here);
}

bool KernelSpec::same_kernel(const KernelSpec& other) const {
  if (rank != other.rank || reduced != other.reduced || loads.size() != other.loads.size() ||
      body.size() != other.body.size() || stores.size() != other.stores.size()) {
    return false;
  }
  for (size_t i = 0; i < loads.size(); ++i) {
    if (!same_operand(loads[i], other.loads[i], rank)) return false;
  }
  for (size_t i = 0; i < body.size(); ++i) {
    if (!same_inst(body[i], other.body[i])) return false;
  }
  for (size_t i = 0; i < stores.size(); ++i) {
    if (!same_store(stores[i], other.stores[i])) return false;
    if (!same_operand(stores[i].operand, other.stores[i].operand, rank)) return false;
  }
  return true;
}

uint64_t KernelSpec::hash() const {
  Hasher hasher;
  hasher.add(static_cast<uint64_t>(rank) << 8 | static_cast<uint64_t>(reduced));
  for (const OperandSpec& load : loads) add_operand(load, rank, &hasher);
  for (const Inst& inst : body) add_inst(inst, &hasher);
  for (const StoreSpec& store : stores) {
    add_operand(store.operand, rank, &hasher);
    hasher.add(static_cast<uint16_t>(store.value));
    hasher.add(static_cast<uint64_t>(static_cast<uint16_t>(store.offset)) << 16 |
               static_cast<uint16_t>(store.predicate));
    hasher.add(static_cast<uint64_t>(store.per_row) * 2 + static_cast<uint64_t>(store.accumulates));
  }
  return hasher.value();
}

std::string to_text(const KernelSpec& spec) {
  std::string text = "kernel " + spec.name + " rank " + std::to_string(spec.rank) +
                     (spec.reduced > 0 ? " reduced " + std::to_string(spec.reduced) : "") + "\n";
  for (size_t i = 0; i < spec.loads.size(); ++i) {
    text += "  in" + std::to_string(i) + ": " + operand_text(spec.loads[i], spec.rank) + "\n";
  }
  for (size_t i = 0; i < spec.body.size(); ++i) {
    text += "  %" + std::to_string(i) + " = " + inst_text(spec.body[i]) + "\n";
  }
  for (size_t i = 0; i < spec.stores.size(); ++i) {
    text += "  out" + std::to_string(i) + ": " + operand_text(spec.stores[i].operand, spec.rank) +
            store_text(spec.stores[i]) + "\n";
  }
  return text;
}

}  // namespace torchweld
