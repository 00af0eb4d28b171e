// Packing, blocks of queries, threads.
#include "kernels/x86/attention.h"

#include <algorithm>

#include "kernels/x86/attention_isa.h"
#include "kernels/x86/batched_product.h"
#include "kernels/x86/isa.h"
#include "kernels/x86/matmul.h"

namespace torchweld::x86 {
namespace {

// Fewer queries are bound by reading keys and values, which packing does once more.
constexpr int64_t kFewestPacked = 8;
// Packed keys, and packed values, are to stay in the second cache.
constexpr int64_t kMostKeyFloats = int64_t{1} << 18, kMostHeadSize = 256;
// Scores of few queries are in memory all at once.
constexpr int64_t kMostKeys = int64_t{1} << 20;
// Pieces for threads, each with memory of its own.
constexpr int64_t kMostPieces = 16;
constexpr int64_t kLine = 16;  // floats

int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

int64_t heads_of(const AttentionShape& s) { return s.batch * s.heads; }
int64_t pieces_of(const AttentionShape& s) { return std::min(heads_of(s), kMostPieces); }

/// Heads that share keys as the queries of one head, where each has one query: keys are read once.
AttentionShape by_keys(AttentionShape s) {
  const int64_t shared = s.heads / s.kv_heads;
  if (s.queries != 1 || shared == 1 || s.causal) return s;
  s.heads = s.kv_heads;
  s.queries = shared;
  for (auto* strides : {&s.q_strides, &s.out_strides}) {
    (*strides)[2] = (*strides)[1];
    (*strides)[1] *= shared;
  }
  s.mask_strides[2] = s.mask_strides[1];
  s.mask_strides[1] *= shared;
  return s;
}

bool packs(const AttentionShape& s) { return s.queries >= kFewestPacked; }

/// Queries whose scores lie in memory at once.
int64_t block_of(const AttentionShape& s) {
  if (!packs(s)) return s.queries;
  return std::clamp<int64_t>(8192 / std::max<int64_t>(1, s.keys) / 8 * 8, 8, 64);
}

/// q k' of one head's few queries, but for the way from score to score.
BatchedProduct few_scores(const AttentionShape& s) {
  BatchedProduct p;
  p.m = s.queries;
  p.k = s.head_size;
  p.n = s.keys;
  p.a_row = s.q_strides[2];
  p.a_column = p.b_row = 1;
  p.b_column = s.k_strides[2];
  return p;
}

/// Their weights times v, but for the way from weight to weight.
BatchedProduct few_values(const AttentionShape& s) {
  BatchedProduct p;
  p.m = s.queries;
  p.k = s.keys;
  p.n = s.value_columns();
  p.b_row = s.v_strides[2];
  p.a_column = p.b_column = 1;
  p.out_row = s.out_strides[2];
  return p;
}

int64_t floats_of(const BatchedProduct& p) {
  return p.scratch_bytes() / static_cast<int64_t>(sizeof(float));
}

/// One piece's memory, in floats.
struct Layout {
  explicit Layout(const AttentionShape& s)
      : keys(packs(s) ? round_up(s.keys, PackedMatrix::panel_of(s.keys)) * s.head_size
                      : floats_of(few_scores(s))),
        values(packs(s)
                   ? s.keys * round_up(s.value_columns(), PackedMatrix::panel_of(s.value_columns()))
                   : floats_of(few_values(s))),
        score_stride(round_up(s.keys, kLine) + kLine),  // never a power of two
        scores(block_of(s) * score_stride),
        sums(round_up(block_of(s), kLine)) {}
  // The widest vector of the last row of a narrow panel ends past it.
  int64_t floats() const {
    return round_up(keys, kLine) + round_up(values, kLine) + 2 * kLine + scores + sums;
  }

  int64_t keys, values, score_stride, scores, sums;
};

/// The heads of one thread.
class Heads {
 public:
  Heads(const AttentionShape& s, const AttentionPointers& p, float* memory)
      : s_(s), p_(p), layout_(s) {
    keys_ = memory;
    values_ = keys_ + round_up(layout_.keys, kLine) + kLine;
    scores_ = values_ + round_up(layout_.values, kLine) + kLine;
    sums_ = scores_ + layout_.scores;
  }

  void run(int64_t index) {
    const int64_t b = index / s_.heads, h = index % s_.heads;
    const int64_t kv_head = h / (s_.heads / s_.kv_heads);
    if (!packs(s_)) return attend_few(b, h, kv_head);
    if (packed_ != b * s_.kv_heads + kv_head) {
      packed_ = b * s_.kv_heads + kv_head;
      pack_into(at(p_.k, s_.k_strides, b, kv_head), {s_.head_size, s_.keys, 1, s_.k_strides[2]},
                PackedMatrix::panel_of(s_.keys), keys_);
      pack_into(at(p_.v, s_.v_strides, b, kv_head),
                {s_.keys, s_.value_columns(), s_.v_strides[2], 1},
                PackedMatrix::panel_of(s_.value_columns()), values_);
    }
    const int64_t block = block_of(s_);
    for (int64_t query = 0; query < s_.queries; query += block)
      attend(b, h, query, std::min(block, s_.queries - query));
  }

 private:
  static const float* at(const void* base, const std::array<int64_t, 3>& strides, int64_t b,
                         int64_t h) {
    return static_cast<const float*>(base) + b * strides[0] + h * strides[1];
  }

  void attend(int64_t b, int64_t h, int64_t query, int64_t rows) {
    const int64_t keys = s_.causal ? std::min(s_.keys, query + rows) : s_.keys;
    MatmulCall scores;
    scores.x = at(p_.q, s_.q_strides, b, h) + query * s_.q_strides[2];
    scores.x_row_stride = s_.q_strides[2];
    scores.m = rows;
    scores.k = s_.head_size;
    scores.w = keys_;
    scores.panel = PackedMatrix::panel_of(s_.keys);
    scores.n = scores.end = keys;
    scores.out = scores_;
    scores.out_row_stride = layout_.score_stride;
    matmul(scores);
    const WeightRows weights = weigh(b, h, query, rows, keys);

    MatmulCall sum;
    sum.x = scores_;
    sum.x_row_stride = layout_.score_stride;
    sum.m = rows;
    sum.k = keys;
    sum.w = values_;
    sum.n = sum.end = s_.value_columns();
    sum.panel = PackedMatrix::panel_of(sum.n);
    sum.out = static_cast<float*>(p_.out) + b * s_.out_strides[0] + h * s_.out_strides[1] +
              query * s_.out_strides[2];
    sum.out_row_stride = s_.out_strides[2];
    product_of_values(sum);
    divide(weights, sum.out);
  }

  /// All queries of a head, whose keys and values are read as they lie.
  void attend_few(int64_t b, int64_t h, int64_t kv_head) {
    BatchedProduct scores = few_scores(s_);
    if (s_.causal) scores.n = std::min(s_.keys, s_.queries);
    scores.out_row = layout_.score_stride;
    run_batched_product(scores, at(p_.q, s_.q_strides, b, h), at(p_.k, s_.k_strides, b, kv_head),
                        scores_, keys_, nullptr);
    const WeightRows weights = weigh(b, h, 0, s_.queries, scores.n);
    BatchedProduct sum = few_values(s_);
    sum.k = scores.n;
    sum.a_row = layout_.score_stride;
    float* out = static_cast<float*>(p_.out) + b * s_.out_strides[0] + h * s_.out_strides[1];
    run_batched_product(sum, scores_, at(p_.v, s_.v_strides, b, kv_head), out, values_, nullptr);
    divide(weights, out);
  }

  /// Scores become weights.
  WeightRows weigh(int64_t b, int64_t h, int64_t query, int64_t rows, int64_t keys) const {
    WeightRows weights;
    weights.shape = &s_;
    weights.scores = scores_;
    weights.stride = layout_.score_stride;
    weights.query = query;
    weights.rows = rows;
    weights.keys = keys;
    weights.sums = sums_;
    if (p_.mask != nullptr) {
      const int64_t first =
          b * s_.mask_strides[0] + h * s_.mask_strides[1] + query * s_.mask_strides[2];
      weights.mask = static_cast<const char*>(p_.mask) + first * size_of(s_.mask);
    }
    (is_wide() ? weigh_avx512 : weigh_avx2)(weights);
    return weights;
  }

  void divide(const WeightRows& weights, float* out) const {
    (is_wide() ? divide_avx512 : divide_avx2)(weights, out, s_.out_strides[2]);
  }

  static bool is_wide() {
    static const bool wide = host_isa() == Isa::kAvx512;
    return wide;
  }

  /// Fewer keys than were packed: each panel has them all.
  void product_of_values(MatmulCall call) const {
    if (call.k == s_.keys) return matmul(call);
    const int64_t panel = call.panel, n = call.n;
    for (int64_t c = 0; c < n; c += panel) {
      MatmulCall part = call;
      part.w = values_ + c / panel * s_.keys * panel;
      part.n = part.end = std::min(panel, n - c);
      part.out += c;
      matmul(part);
    }
  }

  const AttentionShape& s_;
  const AttentionPointers& p_;
  Layout layout_;
  float *keys_, *values_, *scores_, *sums_;
  int64_t packed_ = -1;
};

}  // namespace

bool Attention::accepts(const AttentionShape& shape, std::string* why) const {
  const auto refuse = [&](const char* reason) {
    if (why != nullptr) *why = reason;
    return false;
  };
  if (shape.dtype != DType::kF32) return refuse("attention is written for float32 on the host");
  if (shape.mask != DType::kOther && shape.mask != DType::kBool && shape.mask != DType::kF32)
    return refuse("an attention mask is boolean, or a float32 that is added");
  if (shape.kv_heads < 1 || shape.heads % shape.kv_heads != 0)
    return refuse("the heads of attention are a multiple of those of its keys");
  const AttentionShape s = by_keys(shape);
  const int64_t widest = std::max(s.head_size, s.value_columns());
  if (widest > kMostHeadSize || s.keys > kMostKeys ||
      (packs(s) && s.keys * widest > kMostKeyFloats))
    return refuse("attention of many keys is LibTorch's on the host");
  return true;
}

int64_t Attention::scratch_bytes(const AttentionShape& shape) const {
  const AttentionShape s = by_keys(shape);
  return pieces_of(s) * Layout(s).floats() * size_of(DType::kF32);
}

void Attention::launch(const AttentionShape& shape, const AttentionPointers& pointers,
                       const LaunchSite& site) {
  const AttentionShape s = by_keys(shape);
  const int64_t heads = heads_of(s), pieces = pieces_of(s);
  const auto run = [&](int64_t begin, int64_t end) {
    Heads some(s, pointers, static_cast<float*>(site.scratch) + begin * Layout(s).floats());
    for (int64_t i = begin * heads / pieces; i < end * heads / pieces; ++i) some.run(i);
  };
  const int64_t cycles = heads * s.queries * s.keys * ((s.head_size + s.value_columns()) / 16 + 2);
  share_out(pieces, cycles / std::max<int64_t>(1, pieces), site.parallel, std::ref(run));
}

}  // namespace torchweld::x86
