// What attention does between its products, one file an instruction set; see matmul_isa.h.
#pragma once

#include "kernels/attention.h"

namespace torchweld::x86 {

/// Scores of some queries, made weights in place.
struct WeightRows {
  const AttentionShape* shape = nullptr;
  float* scores = nullptr;  ///< [rows, keys], rows `stride` apart; past a causal row's end unset
  int64_t stride = 0;
  int64_t query = 0, rows = 0;
  int64_t keys = 0;            ///< that some of the rows see
  const void* mask = nullptr;  ///< of the first row, if the shape has one
  float* sums = nullptr;       ///< what to divide each row's result by; 0: it is the empty row
};

/// scores = exp(scale * scores + mask - the row's largest), 0 where a key is not seen.
void weigh_avx2(const WeightRows& w);
void weigh_avx512(const WeightRows& w);

/// Rows of value_columns(), `out_stride` apart, divided by their sums.
void divide_avx2(const WeightRows& w, float* out, int64_t out_stride);
void divide_avx512(const WeightRows& w, float* out, int64_t out_stride);

}  // namespace torchweld::x86
