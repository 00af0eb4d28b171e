// Attention on the host, f32: two products, of packed operands unless there are few queries, and
// the weights between them.
#pragma once

#include "kernels/attention.h"

namespace torchweld::x86 {

/// Numerics  scores, weights and sums in f32; the weights of a query are divided by their sum at
///           the end. Products are summed as matmul's.
/// Needs     AVX2 and FMA (isa.h).
class Attention : public AttentionKernels {
 public:
  bool accepts(const AttentionShape& shape, std::string* why) const override;
  int64_t scratch_bytes(const AttentionShape& shape) const override;
  void prepare(const AttentionShape&) override {}
  void launch(const AttentionShape& shape, const AttentionPointers& pointers,
              const LaunchSite& site) override;
};

}  // namespace torchweld::x86
