// Attention on the virtual GPU against float64.
#include "kernels/cuda/attention.h"

#include <gtest/gtest.h>

#include "tests/kernels/attention_case.h"
#include "tests/kernels/cuda/device.h"

namespace torchweld {
namespace {

/// Runs on the device; `shift` moves q off its alignment by as many elements.
void run(AttentionCase* c, int64_t shift = 0) {
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
  AttentionPointers pointers;
  pointers.q = place(c->q, shift * size_of(c->shape.dtype));
  pointers.k = place(c->k, 0);
  pointers.v = place(c->v, 0);
  pointers.mask = place(c->mask, 0);
  pointers.out = place(c->out, 0);
  std::string why;
  ASSERT_TRUE(cuda::accepts_attention(c->shape, &why)) << why;
  attention.launch(c->shape, pointers, {});
  device.copy(c->out.data(), pointers.out, static_cast<int64_t>(c->out.size()), nullptr);
  device.synchronize(cuda::Stream{});
  for (void* m : memory) device.release(m);
  EXPECT_EQ(attention.listing(c->shape).spill_bytes, 0);
}

double tolerance(DType dtype) {
  return dtype == DType::kF32 ? 2e-6 : dtype == DType::kF16 ? 6e-4 : 5e-3;
}

class CudaAttention : public testing::TestWithParam<DType> {};

TEST_P(CudaAttention, HeadSizesAndTails) {
  for (const int64_t head_size : {32, 40, 64, 80, 128}) {
    AttentionCase c = make_call(GetParam(), head_size, 35, 41, DType::kOther, false);
    run(&c);
    EXPECT_LE(error_of(c), tolerance(GetParam())) << head_size;
  }
}

TEST_P(CudaAttention, Causal) {
  AttentionCase c = make_call(GetParam(), 32, 70, 70, DType::kOther, true);
  run(&c);
  EXPECT_LE(error_of(c), tolerance(GetParam()));
}

TEST_P(CudaAttention, Masks) {
  for (const DType mask : {DType::kBool, GetParam()}) {
    AttentionCase c = make_call(GetParam(), 32, 9, 67, mask, false);
    run(&c);
    EXPECT_LE(error_of(c), tolerance(GetParam()));
  }
}

TEST_P(CudaAttention, SharedKeysAndMisalignedQueries) {
  AttentionCase c = make_call(GetParam(), 32, 5, 33, DType::kOther, false, 4, 2);
  run(&c, 1);
  EXPECT_LE(error_of(c), tolerance(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(DTypes, CudaAttention,
                         testing::Values(DType::kF32, DType::kF16, DType::kBF16),
                         [](const auto& param) { return std::string(name_of(param.param)); });

TEST(CudaAttentionMasks, MayNameTheKeysToLeaveOutAndTheirScore) {
  AttentionCase c = make_call(DType::kF32, 32, 9, 67, DType::kBool, false);
  c.shape.mask_keeps = false;
  c.shape.masked_score = -3;
  std::fill_n(c.mask.begin(), 67, uint8_t{1});  // a row without a key is a plain mean
  run(&c);
  EXPECT_LE(error_of(c), tolerance(DType::kF32));
}

TEST(CudaAttentionMasks, NothingToAttendToIsNanWhereSoftmaxWouldBe) {
  AttentionCase c = make_call(DType::kF32, 32, 2, 4, DType::kBool, false);
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
  AttentionCase c = make_call(DType::kF32, 32, 3, 4, DType::kBool, false);
  std::fill(c.mask.begin(), c.mask.end(), uint8_t{0});
  run(&c);
  EXPECT_EQ(error_of(c), 0);
  AttentionCase empty = make_call(DType::kF32, 32, 3, 0, DType::kOther, false);
  run(&empty);
  EXPECT_EQ(error_of(empty), 0);
}

TEST(CudaAttentionLimits, AreSaidInWords) {
  std::string why;
  EXPECT_FALSE(
      cuda::accepts_attention(make_call(DType::kF32, 36, 3, 4, DType::kOther, false).shape, &why));
  EXPECT_NE(why.find("head sizes"), std::string::npos);
  AttentionShape odd = make_call(DType::kF32, 32, 3, 4, DType::kOther, false).shape;
  odd.kv_heads = 3;
  EXPECT_FALSE(cuda::accepts_attention(odd, &why));
}

}  // namespace
}  // namespace torchweld
