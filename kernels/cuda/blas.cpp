#include "kernels/cuda/blas.h"

#include <fmt/format.h>

namespace torchweld::cuda {

std::string describe(const BlasShape& s) {
  std::string text = fmt::format("{} {}x{}x{} {}{}", name_of(s.dtype), s.m, s.n, s.k,
                                 s.transpose_a ? 'T' : 'N', s.transpose_b ? 'T' : 'N');
  if (s.batch > 1) text += fmt::format(" batch {}", s.batch);
  if (s.beta != 0) text += " add";
  if (s.has_bias) text += " bias";
  if (s.epilogue == Epilogue::kRelu) text += " relu";
  return text;
}

}  // namespace torchweld::cuda
