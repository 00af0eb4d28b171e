// Recurrent layers against a walk in float64, step by step.
#include "kernels/x86/recurrence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/x86/backend.h"
#include "tests/kernels/guarded.h"

namespace torchweld::x86 {
namespace {

using Doubles = std::vector<double>;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// Weights of one layer in one direction, rows as LibTorch has them.
struct Weights {
  std::vector<float> input, hidden, input_bias, hidden_bias, projection;
};

/// y = w x + b, w with rows of x's length.
Doubles product(const std::vector<float>& w, const std::vector<float>& bias, const Doubles& x) {
  Doubles y(w.size() / x.size());
  for (size_t i = 0; i < y.size(); ++i) {
    y[i] = bias.empty() ? 0 : bias[i];
    for (size_t k = 0; k < x.size(); ++k) y[i] += double{w[i * x.size() + k]} * x[k];
  }
  return y;
}

/// h and c after a step, by the formulas of LibTorch's documentation.
void step(Gates gates, const Weights& w, const Doubles& x, Doubles* h, Doubles* c) {
  const Doubles a = product(w.input, w.input_bias, x), b = product(w.hidden, w.hidden_bias, *h);
  const size_t n = a.size() / static_cast<size_t>(count_of(gates));
  Doubles next(n);
  for (size_t i = 0; i < n; ++i) {
    const auto sum = [&](size_t gate) { return a[gate * n + i] + b[gate * n + i]; };
    if (gates == Gates::kLstm) {
      (*c)[i] = sigmoid(sum(1)) * (*c)[i] + sigmoid(sum(0)) * std::tanh(sum(2));
      next[i] = sigmoid(sum(3)) * std::tanh((*c)[i]);
    } else if (gates == Gates::kGru) {
      const double candidate = std::tanh(a[2 * n + i] + sigmoid(sum(0)) * b[2 * n + i]);
      next[i] = (1 - sigmoid(sum(1))) * candidate + sigmoid(sum(1)) * (*h)[i];
    } else {
      next[i] = gates == Gates::kTanh ? std::tanh(sum(0))
                : std::isnan(sum(0))  ? sum(0)
                                      : std::max(sum(0), 0.0);
    }
  }
  *h = w.projection.empty() ? next : product(w.projection, {}, next);
}

/// A call with memory of its own, in which every row ends where nobody may read.
class Call {
 public:
  /// With the batch first, rows of the states lie apart, too.
  Call(RecurrenceShape s, bool biased, bool batch_first)
      : s_(s),
        gap_(batch_first ? 3 : 0),
        x_(floats(s.steps * s.batch * s.inputs)),
        h_(floats(s.layers * s.directions * s.batch * (s.outputs + gap_))),
        c_(floats(s.layers * s.directions * s.batch * (s.width + gap_))),
        y_memory_(static_cast<size_t>(s.steps * s.batch * s.directions * s.outputs) * 4),
        h_out_(h_.size()),
        c_out_(c_.size()) {
    const int64_t columns = s.directions * s.outputs;
    s_.x =
        batch_first ? Strides{s.inputs, s.steps * s.inputs} : Strides{s.batch * s.inputs, s.inputs};
    s_.y = batch_first ? Strides{columns, s.steps * columns} : Strides{s.batch * columns, columns};
    s_.h = s_.h_out = {s.batch * (s.outputs + gap_), s.outputs + gap_};
    s_.c = s_.c_out = {s.batch * (s.width + gap_), s.width + gap_};
    for (int64_t i = 0; i < s.layers * s.directions; ++i) {
      Weights w;
      w.input = floats(s.sums() * s.inputs_of(i / s.directions));
      w.hidden = floats(s.sums() * s.outputs);
      if (biased) w.input_bias = floats(s.sums());
      if (biased) w.hidden_bias = floats(s.sums());
      if (s.projects) w.projection = floats(s.outputs * s.width);
      weights_.push_back(std::move(w));
    }
  }

  float& x(int64_t t, int64_t row) {
    return x_[static_cast<size_t>(t * s_.x.outer + row * s_.x.row)];
  }
  float y(int64_t t, int64_t row, int64_t column) const {
    return y_data()[t * s_.y.outer + row * s_.y.row + column];
  }

  void run(Isa isa, const SplitWork& parallel = {}) {
    std::vector<RecurrentLayer> layers;
    const auto packed = [](const std::vector<float>& w, int64_t n) {
      const int64_t k = static_cast<int64_t>(w.size()) / n;
      return pack(w.data(), {k, n, 1, k});
    };
    const auto bias = [](const std::vector<float>& b) { return b.empty() ? nullptr : b.data(); };
    for (const Weights& w : weights_)
      layers.push_back({packed(w.input, s_.sums()), packed(w.hidden, s_.sums()),
                        packed(w.projection, s_.outputs), bias(w.input_bias), bias(w.hidden_bias)});
    std::string why;
    const Geometry geometry = recurrent_geometry(s_.gates, s_.batch, s_.width);
    const Recurrence recurrence(
        s_, layers, make_backend(isa)->compile(recurrent_gates(s_.gates), geometry, &why));
    torchweld::testing::Guarded scratch(static_cast<size_t>(s_.scratch_floats()) * 4);
    recurrence.run({x_.data(), h_.data(), c_.data(), y_data(), h_out_.data(), c_out_.data()},
                   reinterpret_cast<float*>(scratch.data()), parallel);
  }

  void expect_float64() {
    std::vector<std::vector<Doubles>> in = rows_of_x();
    for (int64_t layer = 0; layer < s_.layers; ++layer) in = expect_layer(layer, in);
    for (int64_t t = 0; t < s_.steps; ++t)
      for (int64_t r = 0; r < s_.batch; ++r)
        for (int64_t i = 0; i < s_.directions * s_.outputs; ++i)
          expect_near(y(t, r, i), at(in, t, r)[static_cast<size_t>(i)]);
  }

 private:
  using Strides = RecurrenceShape::Strides;
  using Rows = std::vector<std::vector<Doubles>>;  // by step, then by row

  static Doubles& at(Rows& rows, int64_t t, int64_t r) {
    return rows[static_cast<size_t>(t)][static_cast<size_t>(r)];
  }
  static void expect_near(double got, double want) {
    if (std::isnan(want)) {
      EXPECT_TRUE(std::isnan(got));
    } else {
      // Sums and gates are a few ulp off each, and a step shrinks what it takes over.
      EXPECT_NEAR(got, want, 16 * 0x1p-23 * std::max(1.0, std::abs(want)));
    }
  }

  float* y_data() const { return reinterpret_cast<float*>(y_memory_.data()); }

  std::vector<float> floats(int64_t n) {
    std::vector<float> out(static_cast<size_t>(n));
    // As torch.nn draws weights: then no state grows, and no error either.
    const float most = 1 / std::sqrt(static_cast<float>(s_.width));
    for (float& f : out) f = std::uniform_real_distribution<float>(-most, most)(random_);
    return out;
  }

  Rows rows_of_x() {
    Rows rows(static_cast<size_t>(s_.steps), std::vector<Doubles>(static_cast<size_t>(s_.batch)));
    for (int64_t t = 0; t < s_.steps; ++t)
      for (int64_t r = 0; r < s_.batch; ++r) at(rows, t, r).assign(&x(t, r), &x(t, r) + s_.inputs);
    return rows;
  }

  Rows expect_layer(int64_t layer, Rows& in) {
    Rows out(in.size(), std::vector<Doubles>(static_cast<size_t>(s_.batch)));
    for (int64_t d = 0; d < s_.directions; ++d) {
      const int64_t index = layer * s_.directions + d;
      for (int64_t r = 0; r < s_.batch; ++r) {
        const float* const h0 = h_.data() + index * s_.h.outer + r * s_.h.row;
        const float* const c0 = c_.data() + index * s_.c.outer + r * s_.c.row;
        Doubles h(h0, h0 + s_.outputs), c(c0, c0 + s_.width);
        for (int64_t i = 0; i < s_.steps; ++i) {
          const int64_t t = d == 0 ? i : s_.steps - 1 - i;
          step(s_.gates, weights_[static_cast<size_t>(index)], at(in, t, r), &h, &c);
          at(out, t, r).insert(at(out, t, r).end(), h.begin(), h.end());
        }
        for (int64_t i = 0; i < s_.outputs; ++i)
          expect_near(h_out_[static_cast<size_t>(index * s_.h.outer + r * s_.h.row + i)],
                      h[static_cast<size_t>(i)]);
        for (int64_t i = 0; s_.gates == Gates::kLstm && i < s_.width; ++i)
          expect_near(c_out_[static_cast<size_t>(index * s_.c.outer + r * s_.c.row + i)],
                      c[static_cast<size_t>(i)]);
      }
    }
    return out;
  }

  std::mt19937 random_{7};
  RecurrenceShape s_;
  int64_t gap_;
  std::vector<float> x_, h_, c_;
  torchweld::testing::Guarded y_memory_;
  std::vector<float> h_out_, c_out_;
  std::vector<Weights> weights_;
};

RecurrenceShape shape(Gates gates, int64_t steps, int64_t batch, int64_t inputs, int64_t width) {
  RecurrenceShape s;
  s.gates = gates;
  s.steps = steps;
  s.batch = batch;
  s.inputs = inputs;
  s.width = s.outputs = width;
  return s;
}

class EveryCell : public ::testing::TestWithParam<Gates> {
 protected:
  /// On the instruction sets that the machine has, with biases and without.
  static void expect_float64(const RecurrenceShape& s) {
    for (const Isa isa : {Isa::kAvx2, Isa::kAvx512}) {
      if (make_backend(isa) == nullptr) continue;
      for (const bool other : {false, true}) {
        Call call(s, other, !other);
        call.run(isa);
        call.expect_float64();
      }
    }
  }
};

TEST_P(EveryCell, OneStepOfOneRow) { expect_float64(shape(GetParam(), 1, 1, 3, 5)); }
TEST_P(EveryCell, OfWidthOne) { expect_float64(shape(GetParam(), 4, 3, 1, 1)); }
TEST_P(EveryCell, OddSizes) { expect_float64(shape(GetParam(), 5, 17, 9, 33)); }
TEST_P(EveryCell, MoreStepsThanAChunkTakes) {
  const RecurrenceShape s = shape(GetParam(), 150, 3, 2, 176);
  ASSERT_LT(s.chunk_steps(), s.steps);
  expect_float64(s);
}

TEST_P(EveryCell, ThreeLayersBothWays) {
  RecurrenceShape s = shape(GetParam(), 4, 3, 5, 7);
  s.layers = 3;
  s.directions = 2;
  expect_float64(s);
}

TEST_P(EveryCell, BackwardsThroughSeveralChunks) {
  RecurrenceShape s = shape(GetParam(), 150, 3, 2, 176);
  s.directions = 2;
  expect_float64(s);
}

TEST_P(EveryCell, NanStaysInItsRow) {
  Call call(shape(GetParam(), 4, 3, 5, 6), true, true);
  call.x(1, 1) = std::numeric_limits<float>::quiet_NaN();
  call.run(*host_isa());
  call.expect_float64();
  EXPECT_FALSE(std::isnan(call.y(0, 1, 0)));
  EXPECT_TRUE(std::isnan(call.y(3, 1, 0)));
}

TEST_P(EveryCell, RowsAndDirectionsShareOutOverThreads) {
  RecurrenceShape s = shape(GetParam(), 40, 9, 20, 130);
  for (const int64_t directions : {1, 2}) {
    s.directions = directions;
    int64_t pieces = 0;
    const SplitWork in_pieces = [&](int64_t count, int64_t,
                                    const std::function<void(int64_t, int64_t)>& work) {
      for (int64_t begin = 0; begin < count; begin += 5, ++pieces)
        work(begin, std::min(begin + 5, count));
    };
    Call call(s, true, true);
    call.run(*host_isa(), in_pieces);
    EXPECT_GT(pieces, 1);
    call.expect_float64();
  }
}

INSTANTIATE_TEST_SUITE_P(Recurrence, EveryCell,
                         ::testing::Values(Gates::kLstm, Gates::kGru, Gates::kTanh, Gates::kRelu));

TEST(Recurrence, ProjectsTheStateOfAnLstm) {
  RecurrenceShape s = shape(Gates::kLstm, 6, 5, 4, 9);
  s.layers = s.directions = 2;
  s.outputs = 3;
  s.projects = true;
  Call call(s, true, false);
  call.run(*host_isa());
  call.expect_float64();
}

}  // namespace
}  // namespace torchweld::x86
