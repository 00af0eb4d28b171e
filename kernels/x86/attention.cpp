// Packing, blocks of queries, threads.
#include "kernels/x86/attention.h"

#include <algorithm>

#include "kernels/x86/attention_isa.h"
#include "kernels/x86/isa.h"
#include "kernels/x86/matmul.h"

namespace torchweld::x86 {
namespace {

// Fewer queries are bound by reading keys and values, which packing does once more.
constexpr int64_t kFewestQueries = 8;
// Packed keys, and packed values, are to stay in the second cache.
constexpr int64_t kMostKeyFloats = int64_t{1} << 18, kMostHeadSize = 256;
// Pieces for threads, each with memory of its own.
constexpr int64_t kMostPieces = 16;
constexpr int64_t kLine = 16;  // floats

int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

int64_t heads_of(const AttentionShape& s) { return s.batch * s.heads; }
int64_t pieces_of(const AttentionShape& s) { return std::min(heads_of(s), kMostPieces); }

/// Queries whose scores lie in memory at once.
int64_t block_of(const AttentionShape& s) {
  return std::clamp<int64_t>(8192 / std::max<int64_t>(1, s.keys) / 8 * 8, 8, 64);
}

/// One piece's memory, in floats.
struct Layout {
  explicit Layout(const AttentionShape& s)
      : keys(round_up(s.keys, PackedMatrix::panel_of(s.keys)) * s.head_size),
        values(s.keys * round_up(s.head_size, PackedMatrix::panel_of(s.head_size))),
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
    if (packed_ != b * s_.kv_heads + kv_head) {
      packed_ = b * s_.kv_heads + kv_head;
      pack_into(at(p_.k, s_.k_strides, b, kv_head), {s_.head_size, s_.keys, 1, s_.k_strides[2]},
                PackedMatrix::panel_of(s_.keys), keys_);
      pack_into(at(p_.v, s_.v_strides, b, kv_head), {s_.keys, s_.head_size, s_.v_strides[2], 1},
                PackedMatrix::panel_of(s_.head_size), values_);
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
    static const bool wide = host_isa() == Isa::kAvx512;
    (wide ? weigh_avx512 : weigh_avx2)(weights);

    MatmulCall sum;
    sum.x = scores_;
    sum.x_row_stride = layout_.score_stride;
    sum.m = rows;
    sum.k = keys;
    sum.w = values_;
    sum.panel = PackedMatrix::panel_of(s_.head_size);
    sum.n = sum.end = s_.head_size;
    sum.out = static_cast<float*>(p_.out) + b * s_.out_strides[0] + h * s_.out_strides[1] +
              query * s_.out_strides[2];
    sum.out_row_stride = s_.out_strides[2];
    product_of_values(sum);
    (wide ? divide_avx512 : divide_avx2)(weights, sum.out, sum.out_row_stride);
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

bool Attention::accepts(const AttentionShape& s, std::string* why) const {
  const auto refuse = [&](const char* reason) {
    if (why != nullptr) *why = reason;
    return false;
  };
  if (s.dtype != DType::kF32) return refuse("attention is written for float32 on the host");
  if (s.mask != DType::kOther && s.mask != DType::kBool && s.mask != DType::kF32)
    return refuse("an attention mask is boolean, or a float32 that is added");
  if (s.kv_heads < 1 || s.heads % s.kv_heads != 0)
    return refuse("the heads of attention are a multiple of those of its keys");
  if (s.queries < kFewestQueries || s.head_size > kMostHeadSize ||
      s.keys * s.head_size > kMostKeyFloats)
    return refuse("attention of few queries or of many keys is LibTorch's on the host");
  return true;
}

int64_t Attention::scratch_bytes(const AttentionShape& s) const {
  return pieces_of(s) * Layout(s).floats() * size_of(DType::kF32);
}

void Attention::launch(const AttentionShape& s, const AttentionPointers& pointers,
                       const LaunchSite& site) {
  const int64_t heads = heads_of(s), pieces = pieces_of(s);
  const auto run = [&](int64_t begin, int64_t end) {
    Heads some(s, pointers, static_cast<float*>(site.scratch) + begin * Layout(s).floats());
    for (int64_t i = begin * heads / pieces; i < end * heads / pieces; ++i) some.run(i);
  };
  const int64_t cycles = heads * s.queries * s.keys * (2 * s.head_size / 16 + 2);
  share_out(pieces, cycles / std::max<int64_t>(1, pieces), site.parallel, std::ref(run));
}

}  // namespace torchweld::x86
