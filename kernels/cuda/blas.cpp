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
  if (s.epilogue == Epilogue::kGelu) text += " gelu";
  return text;
}

std::string describe(const BlasRequest& request) {
  const BlasShape& s = request.shape;
  return fmt::format("{} ld {} {} {} {} strides {} {} {} {} alpha {} beta {}{} aligned {}",
                     describe(s), s.lda, s.ldb, s.ldc, s.ldd, s.batch_a, s.batch_b, s.batch_c,
                     s.batch_d, s.alpha, s.beta, request.allow_tf32 ? " tf32" : "",
                     request.alignment);
}

int common_alignment(const BlasOperands& o) {
  uintptr_t bits = 256;
  for (const void* pointer : {o.a, o.b, o.c, static_cast<const void*>(o.d)})
    bits |= reinterpret_cast<uintptr_t>(pointer);
  return static_cast<int>(bits & (~bits + 1));
}

}  // namespace torchweld::cuda
