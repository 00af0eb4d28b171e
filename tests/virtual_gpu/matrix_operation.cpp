// mma.sync m16n8k16 on halves with float sums, and ldmatrix. Fragment layouts as the PTX manual
// draws them; sums run over k in order, which hardware doesn't promise.
#include "kernels/half.h"
#include "tests/virtual_gpu/access.h"
#include "tests/virtual_gpu/decode.h"
#include "tests/virtual_gpu/lanes.h"

namespace torchweld::virtual_gpu {
namespace {

float half_of(bool is_bf16, uint64_t bits) {
  const auto low = static_cast<uint16_t>(bits);
  return is_bf16 ? f32_of_bf16(low) : f32_of_f16(low);
}

void multiply_add(Warp& w, const Instruction& i, uint32_t) {
  const bool is_bf16 = i.has("bf16");
  float a[16][16], b[16][8];
  const auto lane_value = [&](size_t operand, int k, int l) {
    return value_of(w, i.operands[operand].elements[static_cast<size_t>(k)], l);
  };
  for (int l = 0; l < kLanes; ++l) {
    const int group = l / 4, pair = l % 4 * 2;
    for (int k = 0; k < 4; ++k) {
      const uint64_t bits = lane_value(1, k, l);
      const int row = group + (k & 1) * 8, column = pair + (k >> 1) * 8;
      a[row][column] = half_of(is_bf16, bits);
      a[row][column + 1] = half_of(is_bf16, bits >> 16);
    }
    for (int k = 0; k < 2; ++k) {
      const uint64_t bits = lane_value(2, k, l);
      b[pair + k * 8][group] = half_of(is_bf16, bits);
      b[pair + k * 8 + 1][group] = half_of(is_bf16, bits >> 16);
    }
  }
  for (int l = 0; l < kLanes; ++l) {
    for (int e = 0; e < 4; ++e) {
      const int row = l / 4 + (e >> 1) * 8, column = l % 4 * 2 + (e & 1);
      float sum = from_bits<float>(lane_value(3, e, l));
      for (int k = 0; k < 16; ++k) sum += a[row][k] * b[k][column];
      w.reg(i.operands[0].elements[static_cast<size_t>(e)].reg)[l] = to_bits(sum);
    }
  }
}

/// Eight rows of eight halves for each of x1, x2, x4 matrices; lane 8m + r has row r of matrix m.
void load_matrix(Warp& w, const Instruction& i, uint32_t) {
  const int count = i.has("x4") ? 4 : i.has("x2") ? 2 : 1;
  const bool transposed = i.has("trans");
  uint16_t rows[4][8][8] = {};
  uint64_t addresses[kLanes] = {};
  uint32_t readers = 0;
  for (int l = 0; l < 8 * count; ++l) {
    addresses[l] = address_of(w, i.operands[1], l);
    std::memcpy(rows[l / 8][l % 8], touch(w, i, i.space, addresses[l], 16, Touch::kRead, l), 16);
    readers |= 1u << l;
  }
  count_request(w, i.space, readers, addresses, 16);
  for (int m = 0; m < count; ++m) {
    const Operand& to = i.operands[0].elements[static_cast<size_t>(m)];
    for (int l = 0; l < kLanes; ++l) {
      const int r = l / 4, c = l % 4 * 2;
      const uint32_t low = transposed ? rows[m][c][r] : rows[m][r][c];
      const uint32_t high = transposed ? rows[m][c + 1][r] : rows[m][r][c + 1];
      w.reg(to.reg)[l] = low | high << 16;
    }
  }
}

}  // namespace

Execute matrix_operation(Instruction* i) {
  if (i->op == "mma" && i->has("m16n8k16") && i->type == Type::kF32 && i->from == Type::kF32 &&
      (i->has("f16") || i->has("bf16")))
    return multiply_add;
  return i->op == "ldmatrix" && i->has("m8n8") && i->space == Space::kShared ? load_matrix
                                                                             : nullptr;
}

}  // namespace torchweld::virtual_gpu
