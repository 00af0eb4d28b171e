// Packed sequences through recurrent layers against each sequence alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "kernels/x86/backend.h"
#include "kernels/x86/recurrence.h"
#include "tests/kernels/guarded.h"

namespace torchweld::x86 {
namespace {

using Floats = std::vector<float>;

/// Layers, and what goes through them: of each step the rows of the sequences that still go on.
class Packed {
 public:
  /// `lengths` of the sequences, falling.
  Packed(RecurrenceShape s, const std::vector<int64_t>& lengths) : s_(s), lengths_(lengths) {
    s_.batch = static_cast<int64_t>(lengths.size());
    s_.steps = lengths[0];
    for (int64_t t = 0; t < s_.steps; ++t) {
      sizes_.push_back(
          std::count_if(lengths.begin(), lengths.end(), [&](int64_t l) { return l > t; }));
      first_.push_back(s_.packed_rows);
      s_.packed_rows += sizes_.back();
    }
    s_.x = {0, s_.inputs};
    s_.y = {0, s_.directions * s_.outputs};
    s_.h = s_.h_out = {s_.batch * s_.outputs, s_.outputs};
    s_.c = s_.c_out = {s_.batch * s_.width, s_.width};
    for (int64_t i = 0; i < s_.layers * s_.directions; ++i)
      weights_.push_back({floats(s_.sums() * s_.inputs_of(i / s_.directions)),
                          floats(s_.sums() * s_.outputs), floats(s_.sums()), floats(s_.sums()),
                          floats(s_.projects ? s_.outputs * s_.width : 0)});
    x_ = floats(s_.packed_rows * s_.inputs);
    h_ = floats(s_.layers * s_.directions * s_.batch * s_.outputs);
    c_ = floats(s_.layers * s_.directions * s_.batch * s_.width);
  }

  const RecurrenceShape& shape() const { return s_; }
  const int64_t* sizes() const { return sizes_.data(); }

  void expect_each_alone(Isa isa, const SplitWork& parallel = {}) const {
    Floats y(static_cast<size_t>(s_.packed_rows * s_.y.row)), h = h_, c = c_;
    run(isa, s_, {x_.data(), h_.data(), c_.data(), y.data(), h.data(), c.data(), sizes()},
        parallel);
    for (int64_t r = 0; r < s_.batch; ++r) expect_alone(isa, r, y, h, c);
  }

 private:
  struct Weights {
    Floats input, hidden, input_bias, hidden_bias, projection;
  };

  Floats floats(int64_t n) {
    const float most = 1 / std::sqrt(static_cast<float>(s_.width));
    Floats out(static_cast<size_t>(n));
    for (float& f : out) f = std::uniform_real_distribution<float>(-most, most)(random_);
    return out;
  }

  void run(Isa isa, const RecurrenceShape& s, const RecurrenceOperands& operands,
           const SplitWork& parallel) const {
    std::vector<RecurrentLayer> layers;
    const auto packed = [](const Floats& w, int64_t n) {
      const int64_t k = static_cast<int64_t>(w.size()) / n;
      return pack(w.data(), {k, n, 1, k});
    };
    for (const Weights& w : weights_)
      layers.push_back({packed(w.input, s.sums()), packed(w.hidden, s.sums()),
                        packed(w.projection, s.outputs), w.input_bias.data(),
                        w.hidden_bias.data()});
    std::string why;
    const Geometry geometry = recurrent_geometry(s.gates, s.batch, s.width);
    const Recurrence recurrence(
        s, layers, make_backend(isa)->compile(recurrent_gates(s.gates), geometry, &why));
    torchweld::testing::Guarded scratch(static_cast<size_t>(s.scratch_floats()) * 4);
    recurrence.run(operands, reinterpret_cast<float*>(scratch.data()), parallel);
  }

  void expect_alone(Isa isa, int64_t r, const Floats& y, const Floats& h, const Floats& c) const {
    RecurrenceShape s = s_;
    s.packed_rows = 0;
    s.batch = 1;
    s.steps = lengths_[static_cast<size_t>(r)];
    s.x.outer = s.inputs;
    s.y.outer = s.y.row;
    Floats x, own_y(static_cast<size_t>(s.steps * s.y.row)), own_h = h_, own_c = c_;
    for (int64_t t = 0; t < s.steps; ++t) {
      const float* const row = x_.data() + (first_[static_cast<size_t>(t)] + r) * s.inputs;
      x.insert(x.end(), row, row + s.inputs);
    }
    const int64_t at_h = r * s.outputs, at_c = r * s.width;
    run(isa, s,
        {x.data(), h_.data() + at_h, c_.data() + at_c, own_y.data(), own_h.data() + at_h,
         own_c.data() + at_c},
        {});
    for (int64_t t = 0; t < s.steps; ++t)
      expect_near(y, (first_[static_cast<size_t>(t)] + r) * s.y.row, own_y, t * s.y.row, s.y.row);
    for (int64_t i = 0; i < s.layers * s.directions; ++i) {
      const int64_t h_row = (i * s_.batch + r) * s.outputs, c_row = (i * s_.batch + r) * s.width;
      expect_near(h, h_row, own_h, h_row, s.outputs);
      expect_near(c, c_row, own_c, c_row, s.width);
    }
  }

  static void expect_near(const Floats& got, int64_t at, const Floats& want, int64_t there,
                          int64_t count) {
    for (int64_t i = 0; i < count; ++i)
      ASSERT_NEAR(got[static_cast<size_t>(at + i)], want[static_cast<size_t>(there + i)],
                  32 * 0x1p-23);
  }

  std::mt19937 random_{11};
  RecurrenceShape s_;
  std::vector<int64_t> lengths_, sizes_, first_;
  std::vector<Weights> weights_;
  Floats x_, h_, c_;
};

RecurrenceShape shape(Gates gates, int64_t inputs, int64_t width, int64_t directions = 1,
                      int64_t layers = 1) {
  RecurrenceShape s;
  s.gates = gates;
  s.inputs = inputs;
  s.width = s.outputs = width;
  s.directions = directions;
  s.layers = layers;
  return s;
}

class PackedCells : public ::testing::TestWithParam<Gates> {
 protected:
  static void expect_each_alone(const RecurrenceShape& s, const std::vector<int64_t>& lengths) {
    for (const Isa isa : {Isa::kAvx2, Isa::kAvx512}) {
      if (make_backend(isa) != nullptr) Packed(s, lengths).expect_each_alone(isa);
    }
  }
};

TEST_P(PackedCells, OneSequence) { expect_each_alone(shape(GetParam(), 3, 5), {4}); }
TEST_P(PackedCells, OfOneLength) { expect_each_alone(shape(GetParam(), 3, 5), {3, 3, 3}); }
TEST_P(PackedCells, OfOtherLengths) {
  expect_each_alone(shape(GetParam(), 9, 33), {9, 9, 7, 4, 4, 4, 1, 1, 1});
}
TEST_P(PackedCells, ThreeLayersBothWays) {
  expect_each_alone(shape(GetParam(), 5, 7, 2, 3), {6, 5, 5, 2, 1});
}
TEST_P(PackedCells, MoreRowsThanAreMultipliedAtOnce) {
  const RecurrenceShape s = shape(GetParam(), 2, 176, 2);
  const std::vector<int64_t> lengths = {150, 149, 80, 3};
  const Packed call(s, lengths);
  ASSERT_LT(call.shape().chunk_steps() * call.shape().batch, call.shape().packed_rows);
  expect_each_alone(s, lengths);
}

TEST_P(PackedCells, DirectionsShareOutOverThreads) {
  int pieces = 0;
  const SplitWork one_by_one = [&](int64_t count, int64_t,
                                   const std::function<void(int64_t, int64_t)>& work) {
    for (int64_t i = 0; i < count; ++i, ++pieces) work(i, i + 1);
  };
  Packed(shape(GetParam(), 20, 130, 2), {40, 40, 30, 20, 9, 9})
      .expect_each_alone(*host_isa(), one_by_one);
  EXPECT_GT(pieces, 1);
}

INSTANTIATE_TEST_SUITE_P(PackedRecurrence, PackedCells,
                         ::testing::Values(Gates::kLstm, Gates::kGru, Gates::kTanh, Gates::kRelu));

TEST(PackedRecurrence, ProjectsTheStateOfAnLstm) {
  RecurrenceShape s = shape(Gates::kLstm, 4, 9, 2, 2);
  s.outputs = 3;
  s.projects = true;
  Packed(s, {6, 4, 4, 1}).expect_each_alone(*host_isa());
}

TEST(PackedRecurrence, SizesOfBatchesFallFromAllAndSumToTheRows) {
  const Packed call(shape(Gates::kGru, 2, 3), {3, 2, 2});
  const RecurrenceShape& s = call.shape();
  EXPECT_TRUE(are_batch_sizes(s, call.sizes()));
  for (const auto& bad : {std::vector<int64_t>{3, 3, 2},
                          {3, 4, 0},
                          {2, 3, 2},
                          {4, 2, 1},
                          {3, 1, 3},
                          {3, 5, -1},
                          {2, 2, 2}})
    EXPECT_FALSE(are_batch_sizes(s, bad.data())) << bad[0] << bad[1] << bad[2];
  EXPECT_TRUE(are_batch_sizes(s, std::vector<int64_t>{3, 2, 2}.data()));
}

}  // namespace
}  // namespace torchweld::x86
