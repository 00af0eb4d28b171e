// Arithmetic on halves and pairs of them: in float, rounded once.
#include <cmath>

#include "kernels/half.h"
#include "tests/virtual_gpu/decode.h"
#include "tests/virtual_gpu/lanes.h"

namespace torchweld::virtual_gpu {
namespace {

double half_op(int code, double x, double y, double z) {
  switch (code) {
    case 0:
      return x + y;
    case 1:
      return x - y;
    case 2:
      return x * y;
    case 3:
      return x * y + z;
    case 4:
      return std::fmax(x, y);
    case 5:
      return std::fmin(x, y);
    case 6:
      return -x;
    default:
      return std::fabs(x);
  }
}

void half_lanes(Warp& w, const Instruction& i, uint32_t active) {
  const bool is_f16 = i.type == Type::kF16 || i.type == Type::kF16x2;
  const int count = size_of(i.type) / 2;
  uint64_t result[kLanes] = {};
  each_lane(active, [&](int l) {
    for (int k = 0; k < count; ++k) {
      double in[3] = {};
      for (size_t a = 1; a < i.operands.size(); ++a) {
        const auto bits = static_cast<uint16_t>(value_of(w, i.operands[a], l) >> (16 * k));
        in[a - 1] = is_f16 ? f32_of_f16(bits) : f32_of_bf16(bits);
      }
      // A double holds the exact product and, for halves, the exact sum: one rounding, by way of
      // float, whose own rounding doesn't matter for results of 11 or 8 bits.
      const auto value = static_cast<float>(half_op(i.code, in[0], in[1], in[2]));
      const uint64_t bits = is_f16 ? f16_of_f32(value) : bf16_of_f32(value);
      result[l] |= bits << (16 * k);
    }
  });
  put(w, i.operands[0], active, result);
}

}  // namespace

Execute half_arithmetic(Instruction* i) {
  const Type t = i->type;
  if (t != Type::kF16 && t != Type::kBF16 && t != Type::kF16x2 && t != Type::kBF16x2)
    return nullptr;
  static const char* const kOps[] = {"add", "sub", "mul", "fma", "max", "min", "neg", "abs"};
  if (i->has("NaN") || i->has("sat") || i->has("relu")) return nullptr;
  for (int code = 0; code < 8; ++code) {
    if (i->op != kOps[code]) continue;
    i->code = code;
    return half_lanes;
  }
  return nullptr;
}

}  // namespace torchweld::virtual_gpu
