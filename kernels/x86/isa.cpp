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

}  // namespace torchweld::x86
