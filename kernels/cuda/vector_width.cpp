#include "kernels/cuda/vector_width.h"

#include <algorithm>

namespace torchweld::cuda {
namespace {

// Operands that are read or written in vectors, and those that stop vectors from being worth it.
struct Access {
  std::vector<VectorOperand> unit;
  bool strided = false;
  int64_t widest = 1;  // bytes of the widest element
};

Access access_of(const KernelSpec& spec) {
  Access access;
  const auto last = static_cast<size_t>(spec.rank - 1);
  const auto add = [&](const OperandSpec& operand, size_t index) {
    if (operand.strides[last] == StrideClass::kZero) return;
    access.widest = std::max(access.widest, size_of(operand.dtype));
    if (operand.strides[last] == StrideClass::kAny) access.strided = true;
    if (operand.strides[last] == StrideClass::kOne)
      access.unit.push_back({index, size_of(operand.dtype)});
  };
  for (const Inst& inst : spec.body) {
    const auto operand = static_cast<size_t>(inst.operand);
    if (is_plain_load(inst)) add(spec.loads[operand], operand);
  }
  for (size_t i = 0; i < spec.stores.size(); ++i) {
    if (is_plain_store(spec.stores[i])) add(spec.stores[i].operand, spec.loads.size() + i);
  }
  return access;
}

// Long bodies fill the registers and the instruction cache before memory is what they wait for.
int widest_for(size_t instructions) {
  if (instructions > 96) return 2;
  return instructions > 24 ? 4 : 8;
}

bool has_running_sum(const KernelSpec& spec) {
  return std::any_of(spec.body.begin(), spec.body.end(),
                     [](const Inst& inst) { return inst.prim == Prim::kRunningSum; });
}

bool rows_fit(const Problem& problem, const VectorOperand& operand, int vector) {
  const std::vector<int64_t>& strides = problem.geometry.strides[operand.index];
  for (int d = 0; d < problem.last; ++d) {
    const auto dim = static_cast<size_t>(d);
    if (problem.geometry.sizes[dim] > 1 && strides[dim] % vector != 0) return false;
  }
  return true;
}

}  // namespace

int vector_width(const Problem& problem) {
  const KernelSpec& spec = problem.spec;
  // A scan hands its carry from lane to lane, one element each. A strided operand would touch more
  // sectors a request with every further element that its thread takes.
  const Access access = access_of(spec);
  if (access.strided || access.unit.empty() || has_running_sum(spec)) return 1;
  int vector = std::min<int>(widest_for(spec.body.size()), static_cast<int>(16 / access.widest));
  const int64_t inner = problem.geometry.sizes[static_cast<size_t>(problem.last)];
  // Lines shorter than a vector would leave most of it idle; a flat domain has one line.
  const int64_t longest = problem.last == 0 ? vector : std::max<int64_t>(inner, 1);
  // Beyond one reduced dim a vector would run over into the next line of the window.
  const bool exact = spec.reduced > 1;
  const auto fits = [&] {
    return vector <= longest && (!exact || inner % vector == 0) &&
           std::all_of(access.unit.begin(), access.unit.end(),
                       [&](const VectorOperand& o) { return rows_fit(problem, o, vector); });
  };
  while (vector > 1 && !fits()) vector /= 2;
  return vector;
}

std::vector<VectorOperand> vector_operands(const KernelSpec& spec) { return access_of(spec).unit; }

bool is_aligned(const std::vector<VectorOperand>& operands, void* const* pointers, int vector) {
  for (const VectorOperand& operand : operands) {
    const auto address = reinterpret_cast<uintptr_t>(pointers[operand.index]);
    if (address % static_cast<uintptr_t>(vector * operand.bytes) != 0) return false;
  }
  return true;
}

}  // namespace torchweld::cuda
