// Detection of instruction sets.
#include "kernels/x86/isa.h"

#include <asmjit/x86.h>

namespace torchweld::x86 {

std::optional<Isa> host_isa() {
  using asmjit::CpuFeatures;
  const auto& has = asmjit::CpuInfo::host().features().x86();
  if (!has.hasAVX2() || !has.hasFMA() || !has.hasF16C()) return std::nullopt;
  const bool wide =
      has.hasAVX512_F() && has.hasAVX512_BW() && has.hasAVX512_DQ() && has.hasAVX512_VL();
  return wide ? Isa::kAvx512 : Isa::kAvx2;
}

bool is_amd() { return asmjit::CpuInfo::host().isVendor("AMD"); }

bool multiplies(DType type) {
  const auto& has = asmjit::CpuInfo::host().features().x86();
  switch (type) {
    case DType::kF32:
    case DType::kF64:
      return true;
    case DType::kBF16:
      return has.hasAVX512_BF16() || has.hasAMX_BF16();
    case DType::kF16:
      return has.hasAVX512_FP16();
    default:
      return false;
  }
}

}  // namespace torchweld::x86
