// setp, selp, slct, testp.
#include <cmath>

#include "tests/virtual_gpu/decode.h"
#include "tests/virtual_gpu/lanes.h"

namespace torchweld::virtual_gpu {
namespace {

enum Test { kEq, kNe, kLt, kLe, kGt, kGe, kNum, kNan, kTests };
constexpr int kUnordered = 16;  // also true when an operand is NaN

int test_named(const std::string& name) {
  static const char* const kNames[] = {"eq", "ne", "lt", "le", "gt", "ge", "num", "nan"};
  for (int t = 0; t < kTests; ++t) {
    if (name == kNames[t]) return t;
    if (name == std::string(kNames[t]) + "u") return t | kUnordered;
  }
  if (name == "lo") return kLt;
  if (name == "ls") return kLe;
  if (name == "hi") return kGt;
  return name == "hs" ? kGe : -1;
}

template <class T>
bool holds(int test, T x, T y) {
  const bool unordered = x != x || y != y;
  if (unordered) return (test & kUnordered) != 0 || test == kNan;
  switch (test & ~kUnordered) {
    case kEq:
      return x == y;
    case kNe:
      return x != y;
    case kLt:
      return x < y;
    case kLe:
      return x <= y;
    case kGt:
      return x > y;
    case kGe:
      return x >= y;
    case kNum:
      return true;
    default:
      return false;
  }
}

template <class T>
void set_predicate(Warp& w, const Instruction& i, uint32_t active) {
  T x[kLanes], y[kLanes];
  fetch(w, i.operands[1], x);
  fetch(w, i.operands[2], y);
  const bool both = i.operands.size() > 3;
  uint64_t r[kLanes], complement[kLanes];
  for (int l = 0; l < kLanes; ++l) {
    bool value = holds(i.code, x[l], y[l]), other = !value;
    if (both) {
      const bool c = value_of(w, i.operands[3], l) != 0;
      const auto join = [&](bool v) {
        return i.has("and") ? v && c : i.has("or") ? v || c : v != c;
      };
      value = join(value);
      other = join(other);
    }
    r[l] = value;
    complement[l] = other;
  }
  put(w, i.operands[0], active, r);
  if (i.operands[0].second < 0) return;
  Operand second = i.operands[0];
  second.reg = second.second;
  put(w, second, active, complement);
}

void select_by_predicate(Warp& w, const Instruction& i, uint32_t active) {
  uint64_t yes[kLanes], no[kLanes], r[kLanes];
  fetch(w, i.operands[1], yes);
  fetch(w, i.operands[2], no);
  for (int l = 0; l < kLanes; ++l) r[l] = value_of(w, i.operands[3], l) != 0 ? yes[l] : no[l];
  put(w, i.operands[0], active, r);
}

void select_by_sign(Warp& w, const Instruction& i, uint32_t active) {
  uint64_t r[kLanes] = {};
  each_lane(active, [&](int l) {
    const uint64_t bits = value_of(w, i.operands[3], l);
    const bool positive =
        i.from == Type::kF32 ? from_bits<float>(bits) >= 0 : static_cast<int32_t>(bits) >= 0;
    r[l] = value_of(w, i.operands[positive ? 1 : 2], l);
  });
  put(w, i.operands[0], active, r);
}

void test_property(Warp& w, const Instruction& i, uint32_t active) {
  uint64_t r[kLanes] = {};
  each_lane(active, [&](int l) {
    const uint64_t bits = value_of(w, i.operands[1], l);
    const double x = i.type == Type::kF32 ? from_bits<float>(bits) : from_bits<double>(bits);
    const bool subnormal = i.type == Type::kF32
                               ? std::fpclassify(static_cast<float>(x)) == FP_SUBNORMAL
                               : std::fpclassify(x) == FP_SUBNORMAL;
    r[l] = i.has("finite")       ? std::isfinite(x)
           : i.has("infinite")   ? std::isinf(x)
           : i.has("number")     ? !std::isnan(x)
           : i.has("notanumber") ? std::isnan(x)
           : i.has("subnormal")  ? subnormal
                                 : std::isfinite(x) && !subnormal && x != 0;
  });
  put(w, i.operands[0], active, r);
}

}  // namespace

Execute comparison(Instruction* i) {
  if (i->op == "selp") return select_by_predicate;
  if (i->op == "slct") return select_by_sign;
  if (i->op == "testp") return test_property;
  if (i->op != "setp") return nullptr;
  i->code = test_named(i->modifiers[0]);
  if (i->code < 0) return nullptr;
  switch (i->type) {
    case Type::kF32:
      return set_predicate<float>;
    case Type::kF64:
      return set_predicate<double>;
    case Type::kS16:
      return set_predicate<int16_t>;
    case Type::kU16:
    case Type::kB16:
      return set_predicate<uint16_t>;
    case Type::kS32:
      return set_predicate<int32_t>;
    case Type::kU32:
    case Type::kB32:
      return set_predicate<uint32_t>;
    case Type::kS64:
      return set_predicate<int64_t>;
    case Type::kU64:
    case Type::kB64:
      return set_predicate<uint64_t>;
    default:
      return nullptr;
  }
}

}  // namespace torchweld::virtual_gpu
