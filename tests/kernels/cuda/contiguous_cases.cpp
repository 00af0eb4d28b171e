// A spec for each skeleton and way of rows, dense: what resources.tsv has rows for.
#include "tests/kernels/cuda/cases.h"

namespace torchweld {

std::vector<Case> contiguous_cases(DType dtype) {
  std::vector<Case> cases;
  const auto pointwise = [&](const char* name, std::vector<int64_t> domain,
                             std::vector<int64_t> strides) {
    CaseBuilder b(name, std::move(domain));
    const DType type = compute_type(dtype);
    const int16_t x = b.load(dtype, std::move(strides)), y = b.load(dtype);
    b.store(b.body().emit(Prim::kErf, type, b.body().emit(Prim::kMul, type, x, y)), dtype);
    cases.push_back(b.finish());
  };
  pointwise("pointwise_flat", {8192}, {1});
  pointwise("pointwise_broadcast", {16, 512}, {0, 1});
  pointwise("transpose", {128, 64}, {1, 128});
  const auto rows = [&](const char* name, Case c) {
    c.spec.name = c.name = name;
    cases.push_back(std::move(c));
  };
  rows("row_thread_softmax", softmax_case(dtype, 512, 9, true));
  rows("row_columns_softmax", softmax_case(dtype, 128, 200, true));
  rows("row_warp_softmax", softmax_case(dtype, 16, 512));
  rows("row_warp_short_softmax", softmax_case(dtype, 64, 16));
  rows("row_warp_layer_norm", layer_norm_case(dtype, 16, 768));
  rows("row_warp_running_sum", running_sum_case(dtype, 16, 512));
  rows("row_block_softmax", softmax_case(dtype, 4, 4096));
  rows("row_block_reductions", reductions_case(dtype, 4, 4096));
  rows("row_split_softmax", softmax_case(dtype, 2, 65536));
  return cases;
}

}  // namespace torchweld
