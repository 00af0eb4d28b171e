// Attention by hand on the host against float64, on operands with nothing readable after them.
#include "kernels/x86/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "kernels/x86/attention_isa.h"
#include "kernels/x86/isa.h"
#include "tests/kernels/attention_case.h"
#include "tests/kernels/guarded.h"

namespace torchweld {
namespace {

class HostAttention : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!x86::host_isa()) GTEST_SKIP() << "needs AVX2";
  }
};

class GuardedCopy : public testing::Guarded {
 public:
  explicit GuardedCopy(const std::vector<uint8_t>& bytes) : Guarded(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), data());
  }
};

void run(AttentionCase* c, const ParallelFor& parallel = nullptr) {
  x86::Attention attention;
  std::string why;
  ASSERT_TRUE(attention.accepts(c->shape, &why)) << why;
  const GuardedCopy q(c->q), k(c->k), v(c->v), mask(c->mask), out(c->out);
  const GuardedCopy scratch(
      std::vector<uint8_t>(static_cast<size_t>(attention.scratch_bytes(c->shape)), 0xff));
  AttentionPointers pointers{q.data(), k.data(), v.data(), nullptr, out.data()};
  if (!c->mask.empty()) pointers.mask = mask.data();
  attention.launch(c->shape, pointers, {parallel, nullptr, scratch.data()});
  std::copy_n(reinterpret_cast<const uint8_t*>(out.data()), c->out.size(), c->out.begin());
}

AttentionCase make(int64_t head_size, int64_t queries, int64_t keys, DType mask = DType::kOther,
                   bool causal = false, int64_t heads = 2, int64_t kv_heads = 2) {
  return make_call(DType::kF32, head_size, queries, keys, mask, causal, heads, kv_heads);
}

constexpr double kTolerance = 2e-6;

TEST_F(HostAttention, HeadSizesAndTails) {
  for (const int64_t head_size : {1, 4, 8, 20, 32, 36, 64, 80, 128, 200}) {
    for (const int64_t keys : {1, 5, 8, 13, 33, 129}) {
      AttentionCase c = make(head_size, 35, keys);
      run(&c);
      EXPECT_LE(error_of(c), kTolerance) << head_size << " " << keys;
    }
  }
}

TEST_F(HostAttention, ValuesOfOtherWidths) {
  for (const int64_t columns : {1, 7, 16, 24, 65, 200}) {
    for (const int64_t queries : {1, 3, 35, 130}) {
      for (const bool causal : {false, true}) {
        AttentionCase c =
            make_call(DType::kF32, 16, queries, 40, DType::kOther, causal, 6, 2, columns);
        run(&c);
        EXPECT_LE(error_of(c), kTolerance) << columns << " " << queries << " " << causal;
      }
    }
  }
}

TEST_F(HostAttention, QueriesInBlocks) {
  for (const int64_t queries : {8, 63, 64, 65, 200}) {
    AttentionCase c = make(16, queries, 70);
    run(&c);
    EXPECT_LE(error_of(c), kTolerance) << queries;
  }
}

TEST_F(HostAttention, Causal) {
  for (const auto& [queries, keys] : {std::pair<int64_t, int64_t>(70, 70), {20, 90}, {90, 20}}) {
    AttentionCase c = make(24, queries, keys, DType::kOther, true);
    run(&c);
    EXPECT_LE(error_of(c), kTolerance) << queries << " " << keys;
  }
}

TEST_F(HostAttention, Masks) {
  for (const DType mask : {DType::kBool, DType::kF32}) {
    for (const bool causal : {false, true}) {
      AttentionCase c = make(32, 67, 67, mask, causal);
      run(&c);
      EXPECT_LE(error_of(c), kTolerance);
      c.shape.mask_strides = {67 * 67, 0, 1, 67};  // columns apart
      AttentionCase turned = c;
      const int64_t size = size_of(mask);
      for (int64_t at = 0; at < 2 * 67 * 67; ++at) {
        const int64_t to = at / (67 * 67) * 67 * 67 + at % 67 * 67 + at / 67 % 67;
        std::copy_n(c.mask.begin() + at * size, size, turned.mask.begin() + to * size);
      }
      run(&turned);
      EXPECT_EQ(turned.out, c.out);
    }
  }
}

TEST_F(HostAttention, HeadsShareKeys) {
  AttentionCase c = make(32, 9, 33, DType::kOther, false, 6, 2);
  run(&c);
  EXPECT_LE(error_of(c), kTolerance);
}

TEST_F(HostAttention, FewQueriesReadKeysAsTheyLie) {
  for (const int64_t queries : {1, 2, 3, 5, 7}) {
    for (const int64_t keys : {1, 3, 12, 33, 500}) {
      for (const int64_t head_size : {1, 12, 64}) {
        for (const DType mask : {DType::kOther, DType::kBool, DType::kF32}) {
          AttentionCase c = make(head_size, queries, keys, mask);
          run(&c);
          EXPECT_LE(error_of(c), kTolerance) << queries << " " << keys << " " << head_size;
        }
        AttentionCase causal = make(head_size, queries, keys, DType::kOther, true);
        run(&causal);
        EXPECT_LE(error_of(causal), kTolerance) << queries << " " << keys << " " << head_size;
      }
    }
  }
}

TEST_F(HostAttention, SingleQueriesOfHeadsThatShareKeysAreRowsOfOneProduct) {
  for (const int64_t heads : {6, 24}) {
    for (const DType mask : {DType::kOther, DType::kBool, DType::kF32}) {
      for (const bool causal : {false, true}) {
        AttentionCase c = make(32, 1, 40, mask, causal, heads, 2);
        run(&c);
        EXPECT_LE(error_of(c), kTolerance) << heads << " " << causal;
      }
    }
  }
}

TEST_F(HostAttention, AMaskMayNameTheKeysToLeaveOutAndTheirScore) {
  AttentionCase c = make(32, 9, 67, DType::kBool);
  c.shape.mask_keeps = false;
  c.shape.masked_score = -3;
  std::fill_n(c.mask.begin(), 67, uint8_t{1});  // a row without a key is a plain mean
  run(&c);
  EXPECT_LE(error_of(c), kTolerance);
}

TEST_F(HostAttention, NothingToAttendToIsTheEmptyRow) {
  for (const float empty : {0.0f, NAN}) {
    AttentionCase c = make(32, 8, 20, DType::kBool);
    c.shape.empty_row = empty;
    std::fill(c.mask.begin(), c.mask.end(), uint8_t{1});
    std::fill_n(c.mask.begin(), 20, uint8_t{0});  // the first query of the first batch
    run(&c);
    for (int64_t row = 0; row < 2 * 2 * 8; ++row) {
      const double first = read(DType::kF32, c.out, row * 32);
      if (row == 0 || row == 8) {
        EXPECT_TRUE(std::isnan(empty) ? std::isnan(first) : first == 0) << row;
      } else {
        EXPECT_FALSE(std::isnan(first) || first == 0) << row;
      }
    }
  }
}

TEST_F(HostAttention, NanSpreadsOverItsRowAlone) {
  AttentionCase c = make(32, 9, 40);
  const float nan = NAN;
  std::memcpy(c.q.data() + 2 * 32 * sizeof(float), &nan, sizeof nan);  // of query 2
  run(&c);
  for (int64_t at = 0; at < 9 * 32; ++at)
    EXPECT_EQ(std::isnan(read(DType::kF32, c.out, at)), at / 32 == 2) << at;
  AttentionCase keys = make(32, 9, 40);
  std::memcpy(keys.k.data() + 39 * 32 * sizeof(float), &nan, sizeof nan);  // the last key's
  run(&keys);
  for (int64_t at = 0; at < 9 * 32; ++at)
    EXPECT_TRUE(std::isnan(read(DType::kF32, keys.out, at))) << at;
}

TEST_F(HostAttention, ThreadsHaveMemoryOfTheirOwn) {
  AttentionCase alone = make(64, 130, 130, DType::kF32, false, 20, 4), shared = alone;
  run(&alone);
  run(&shared, [](int64_t count, int64_t, const std::function<void(int64_t, int64_t)>& work) {
    std::vector<std::thread> threads;
    for (int64_t i = 0; i < count; i += 3)
      threads.emplace_back([&, i] { work(i, std::min(i + 3, count)); });
    for (std::thread& thread : threads) thread.join();
  });
  EXPECT_LE(error_of(alone), kTolerance);
  EXPECT_EQ(alone.out, shared.out);
}

TEST_F(HostAttention, WeightsInBothVectorWidths) {
  AttentionShape shape;
  shape.scale = 0.5f;
  for (const auto weigh : {x86::weigh_avx2, x86::weigh_avx512}) {
    if (weigh == x86::weigh_avx512 && x86::host_isa() != x86::Isa::kAvx512) continue;
    for (const int64_t keys : {1, 7, 8, 16, 31, 40}) {
      std::vector<float> scores(static_cast<size_t>(keys)), weights;
      for (int64_t j = 0; j < keys; ++j)
        scores[static_cast<size_t>(j)] = static_cast<float>(j * 37 % 41) * 9 - 100;
      weights = scores;
      float sum = 0;
      x86::WeightRows rows;
      rows.shape = &shape;
      rows.scores = weights.data();
      rows.stride = rows.keys = keys;
      rows.rows = 1;
      rows.sums = &sum;
      weigh(rows);
      const float top = *std::max_element(scores.begin(), scores.end());
      double total = 0;
      for (size_t j = 0; j < scores.size(); ++j) {
        const double want = std::exp((scores[j] - top) * 0.5);
        EXPECT_NEAR(weights[j], want, 3e-7 * want + 1e-38) << keys << " " << j;
        total += want;
      }
      EXPECT_NEAR(sum, total, 1e-6 * total) << keys;
    }
  }
}

TEST_F(HostAttention, LimitsAreSaidInWords) {
  const x86::Attention attention;
  std::string why;
  EXPECT_TRUE(attention.accepts(make(64, 1, 5000).shape, &why));
  EXPECT_FALSE(attention.accepts(make(64, 8, 5000).shape, &why));
  EXPECT_NE(why.find("many keys"), std::string::npos);
  EXPECT_FALSE(
      attention.accepts(make_call(DType::kF16, 32, 9, 9, DType::kOther, false).shape, &why));
  EXPECT_NE(why.find("float32"), std::string::npos);
}

}  // namespace
}  // namespace torchweld
