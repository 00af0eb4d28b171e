// Attention on the virtual GPU against float64.
#include "kernels/cuda/attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/scalar.h"
#include "tests/kernels/cuda/device.h"

namespace torchweld {
namespace {

double read(DType dtype, const std::vector<uint8_t>& bytes, int64_t at) {
  const Scalar s = load_scalar(dtype, bytes.data() + at * size_of(dtype));
  return dtype == DType::kBool ? s.b : s.f32;
}

/// The operands of one call, dense: [batch, heads, rows, head_size].
struct Call {
  cuda::AttentionShape shape;
  std::vector<uint8_t> q, k, v, mask, out;
};

Call make_call(DType dtype, int64_t head_size, int64_t queries, int64_t keys, DType mask,
               bool causal, int64_t heads = 2, int64_t kv_heads = 2) {
  Call c;
  cuda::AttentionShape& s = c.shape;
  s = {dtype, 2,         heads,  kv_heads, queries,
       keys,  head_size, causal, mask,     1 / std::sqrt(static_cast<float>(head_size))};
  s.q_strides = s.out_strides = {heads * queries * head_size, queries * head_size, head_size};
  s.k_strides = s.v_strides = {kv_heads * keys * head_size, keys * head_size, head_size};
  const auto values = [&](int64_t rows, int seed) {
    return case_values(dtype, rows * head_size, seed, false);
  };
  c.q = values(2 * heads * queries, 2);
  c.k = values(2 * kv_heads * keys, 4);
  c.v = values(2 * kv_heads * keys, 6);
  c.out.resize(c.q.size());
  // One mask for all heads of a batch.
  s.mask_strides = {queries * keys, 0, keys, 1};
  if (mask != DType::kOther) c.mask = case_values(mask, 2 * queries * keys, 8, false);
  return c;
}

std::vector<double> scores_of(const Call& c, int64_t b, int64_t h, int64_t query) {
  const cuda::AttentionShape& s = c.shape;
  const int64_t kv_head = h / (s.heads / s.kv_heads);
  std::vector<double> scores(static_cast<size_t>(s.keys), -INFINITY);
  for (int64_t key = 0; key < s.keys; ++key) {
    if (s.causal && key > query) continue;
    double dot = 0;
    for (int64_t d = 0; d < s.head_size; ++d)
      dot += read(s.dtype, c.q, ((b * s.heads + h) * s.queries + query) * s.head_size + d) *
             read(s.dtype, c.k, ((b * s.kv_heads + kv_head) * s.keys + key) * s.head_size + d);
    double score = dot * s.scale;
    const int64_t at = (b * s.queries + query) * s.keys + key;
    if (s.mask == DType::kBool && (read(s.mask, c.mask, at) != 0) != s.mask_keeps)
      score = s.masked_score;
    if (is_floating(s.mask)) score += read(s.mask, c.mask, at);
    scores[static_cast<size_t>(key)] = score;
  }
  return scores;
}

/// The largest error of the result, in units of 1 + |result|.
double error_of(const Call& c) {
  const cuda::AttentionShape& s = c.shape;
  double worst = 0;
  for (int64_t row = 0; row < s.batch * s.heads * s.queries; ++row) {
    const int64_t query = row % s.queries, h = row / s.queries % s.heads;
    const int64_t b = row / s.queries / s.heads, kv_head = h / (s.heads / s.kv_heads);
    std::vector<double> weights = scores_of(c, b, h, query);
    double top = -INFINITY, sum = 0;
    for (const double score : weights) top = std::max(top, score);
    for (double& w : weights) sum += w = top == -INFINITY ? 0 : std::exp(w - top);
    for (int64_t d = 0; d < s.head_size; ++d) {
      double want = 0;
      for (int64_t key = 0; key < s.keys; ++key)
        want += weights[static_cast<size_t>(key)] *
                read(s.dtype, c.v, ((b * s.kv_heads + kv_head) * s.keys + key) * s.head_size + d);
      if (sum > 0) want /= sum;
      const double got = read(s.dtype, c.out, row * s.head_size + d);
      if (!(std::abs(got - want) <= 1e9)) return 1e9;
      worst = std::max(worst, std::abs(got - want) / (1 + std::abs(want)));
    }
  }
  return worst;
}

/// Runs on the device; `shift` moves q off its alignment by as many elements.
void run(Call* c, int64_t shift = 0) {
  static cuda::Attention attention(shared_backend().compiler());
  cuda::Device& device = shared_device();
  std::vector<void*> memory;
  const auto place = [&](const std::vector<uint8_t>& bytes, int64_t skipped) {
    const auto count = static_cast<int64_t>(bytes.size());
    memory.push_back(device.allocate(std::max<int64_t>(count + skipped, 1)));
    void* const to = static_cast<char*>(memory.back()) + skipped;
    device.copy(to, bytes.data(), count, nullptr);
    return to;
  };
  cuda::AttentionPointers pointers;
  pointers.q = place(c->q, shift * size_of(c->shape.dtype));
  pointers.k = place(c->k, 0);
  pointers.v = place(c->v, 0);
  pointers.mask = place(c->mask, 0);
  pointers.out = place(c->out, 0);
  std::string why;
  ASSERT_TRUE(cuda::Attention::accepts(c->shape, &why)) << why;
  attention.launch(c->shape, pointers, nullptr);
  device.copy(c->out.data(), pointers.out, static_cast<int64_t>(c->out.size()), nullptr);
  device.synchronize(cuda::Stream{});
  for (void* m : memory) device.release(m);
  EXPECT_EQ(attention.resources(c->shape).spill_bytes, 0);
}

double tolerance(DType dtype) {
  return dtype == DType::kF32 ? 2e-6 : dtype == DType::kF16 ? 6e-4 : 5e-3;
}

class CudaAttention : public testing::TestWithParam<DType> {};

TEST_P(CudaAttention, HeadSizesAndTails) {
  for (const int64_t head_size : {32, 40, 64, 80, 128}) {
    Call c = make_call(GetParam(), head_size, 35, 41, DType::kOther, false);
    run(&c);
    EXPECT_LE(error_of(c), tolerance(GetParam())) << head_size;
  }
}

TEST_P(CudaAttention, Causal) {
  Call c = make_call(GetParam(), 32, 70, 70, DType::kOther, true);
  run(&c);
  EXPECT_LE(error_of(c), tolerance(GetParam()));
}

TEST_P(CudaAttention, Masks) {
  for (const DType mask : {DType::kBool, GetParam()}) {
    Call c = make_call(GetParam(), 32, 9, 67, mask, false);
    run(&c);
    EXPECT_LE(error_of(c), tolerance(GetParam()));
  }
}

TEST_P(CudaAttention, SharedKeysAndMisalignedQueries) {
  Call c = make_call(GetParam(), 32, 5, 33, DType::kOther, false, 4, 2);
  run(&c, 1);
  EXPECT_LE(error_of(c), tolerance(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(DTypes, CudaAttention,
                         testing::Values(DType::kF32, DType::kF16, DType::kBF16),
                         [](const auto& param) { return std::string(name_of(param.param)); });

TEST(CudaAttentionMasks, MayNameTheKeysToLeaveOutAndTheirScore) {
  Call c = make_call(DType::kF32, 32, 9, 67, DType::kBool, false);
  c.shape.mask_keeps = false;
  c.shape.masked_score = -3;
  std::fill_n(c.mask.begin(), 67, uint8_t{1});  // a row without a key is a plain mean
  run(&c);
  EXPECT_LE(error_of(c), tolerance(DType::kF32));
}

TEST(CudaAttentionMasks, NothingToAttendToIsNanWhereSoftmaxWouldBe) {
  Call c = make_call(DType::kF32, 32, 2, 4, DType::kBool, false);
  c.shape.empty_row = NAN;
  std::fill(c.mask.begin(), c.mask.end(), uint8_t{1});
  std::fill_n(c.mask.begin(), 4, uint8_t{0});  // the first query of the first batch
  run(&c);
  for (int64_t at = 0; at < static_cast<int64_t>(c.out.size()) / 4; ++at) {
    const int64_t row = at / 32;
    EXPECT_EQ(std::isnan(read(DType::kF32, c.out, at)), row == 0 || row == 2) << row;
  }
}

TEST(CudaAttentionLimits, NothingToAttendToIsZero) {
  Call c = make_call(DType::kF32, 32, 3, 4, DType::kBool, false);
  std::fill(c.mask.begin(), c.mask.end(), uint8_t{0});
  run(&c);
  EXPECT_EQ(error_of(c), 0);
  Call empty = make_call(DType::kF32, 32, 3, 0, DType::kOther, false);
  run(&empty);
  EXPECT_EQ(error_of(empty), 0);
}

TEST(CudaAttentionLimits, AreSaidInWords) {
  std::string why;
  EXPECT_FALSE(
      cuda::Attention::accepts(make_call(DType::kF32, 36, 3, 4, DType::kOther, false).shape, &why));
  EXPECT_NE(why.find("head sizes"), std::string::npos);
  cuda::AttentionShape odd = make_call(DType::kF32, 32, 3, 4, DType::kOther, false).shape;
  odd.kv_heads = 3;
  EXPECT_FALSE(cuda::Attention::accepts(odd, &why));
}

}  // namespace
}  // namespace torchweld
