// The device's mathematics against the host's: every function that the op table's primitives need,
// as NVRTC compiles it.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tests/virtual_gpu/compiled.h"

namespace torchweld::virtual_gpu {
namespace {

struct Function {
  const char* name;
  double (*exact)(double);
  double ulps;  ///< of float32; CUDA's documented error and a little
};

const Function kFunctions[] = {
    {"exp", std::exp, 2},     {"exp2", std::exp2, 2},
    {"expm1", std::expm1, 2}, {"log", std::log, 2},
    {"log1p", std::log1p, 2}, {"log2", std::log2, 2},
    {"tanh", std::tanh, 3},   {"erf", std::erf, 3},
    {"erfc", std::erfc, 6},   {"sin", std::sin, 2},
    {"cos", std::cos, 2},     {"atan", std::atan, 3},
    {"sqrt", std::sqrt, 1},   {"rsqrt", [](double x) { return 1 / std::sqrt(x); }, 3},
    {"floor", std::floor, 0}, {"reciprocal", [](double x) { return 1 / x; }, 1},
    {"ceil", std::ceil, 0},   {"rint", std::nearbyint, 0},
    {"trunc", std::trunc, 0},
};

template <class T>
std::vector<T> inputs() {
  std::vector<T> x = {0,        T(-0.0), 1,       -1,     T(INFINITY), T(-INFINITY),
                      T(NAN),   T(0.5),  T(-0.5), 2,      T(1e-30),    T(1e30),
                      T(-88.5), T(88.7), T(1e-7), T(100), T(3.25),     T(1e5)};
  std::mt19937 random(7);
  std::uniform_real_distribution<double> near(-4, 4), positive(0, 60);
  for (int k = 0; k < 150; ++k) x.push_back(T(near(random)));
  for (int k = 0; k < 87; ++k) x.push_back(T(positive(random)));
  return x;
}

class Functions : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { image_ = new cuda::Image(compiled("functions.cuh")); }
  static void TearDownTestSuite() { delete image_; }

  template <class T>
  std::vector<T> run(const std::string& name, const std::vector<T>& x) {
    const OnDevice<T> in(&device_, x), out(&device_, x.size());
    const auto n = static_cast<int>(x.size());
    launch(&device_, module_.get(), name, {static_cast<uint32_t>(n + 63) / 64}, {64}, 0, in.get(),
           out.get(), n);
    device_.synchronize(cuda::Stream{});
    return out.values();
  }

  template <class T>
  void expect_close(const Function& f, const std::string& name, double slack) {
    const auto x = inputs<T>();
    const auto y = run(name, x);
    for (size_t i = 0; i < x.size(); ++i) {
      const auto want = static_cast<T>(f.exact(static_cast<double>(x[i])));
      if (std::isnan(want)) {
        EXPECT_TRUE(std::isnan(y[i])) << name << " of " << x[i] << " is " << y[i];
        continue;
      }
      const T ulp = std::nextafter(std::fabs(want), T(INFINITY)) - std::fabs(want);
      const bool equal = y[i] == want;
      EXPECT_TRUE(equal || std::fabs(y[i] - want) <= (f.ulps + slack) * ulp)
          << name << " of " << x[i] << " is " << y[i] << ", not " << want;
    }
  }

  static cuda::Image* image_;
  VirtualDevice device_;
  std::shared_ptr<cuda::Module> module_ = device_.load(*image_);
};

cuda::Image* Functions::image_ = nullptr;

// The documented errors are those of the real approximations, which are better than what the device
// draws.
TEST_F(Functions, FloatsAreWithinTheirDocumentedError) {
  device_.set_jitter(false);
  for (const Function& f : kFunctions) expect_close<float>(f, std::string(f.name) + "_f32", 0);
}

TEST_F(Functions, DoublesAreWithinTheirDocumentedError) {
  device_.set_jitter(false);
  for (const Function& f : kFunctions) expect_close<double>(f, std::string(f.name) + "_f64", 1);
}

TEST_F(Functions, ApproximateInstructionsMayBeUlpsAway) {
  const auto x = inputs<float>();
  const auto jittered = run("exp_f32", x), again = run("exp_f32", x);
  device_.set_jitter(false);
  const auto exact = run("exp_f32", x);
  int different = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    different += jittered[i] != exact[i] && !std::isnan(exact[i]) ? 1 : 0;
    EXPECT_TRUE(jittered[i] == again[i] || std::isnan(exact[i]));
    if (std::isfinite(exact[i])) {
      EXPECT_NEAR(jittered[i], exact[i], 4e-7 * std::fabs(exact[i]));
    }
  }
  EXPECT_GT(different, 50);
}

TEST_F(Functions, IntegerDivision) {
  std::vector<int64_t> wide;
  std::vector<int32_t> narrow;
  std::mt19937_64 random(3);
  for (int i = 0; i < 100; ++i) {
    wide.push_back(static_cast<int64_t>(random()));
    narrow.push_back(static_cast<int32_t>(random()));
  }
  const auto quotients = run("divide_i64", wide);
  const auto small = run("divide_i32", narrow);
  for (int i = 0; i < 100; ++i) {
    const auto k = static_cast<size_t>(i);
    EXPECT_EQ(quotients[k], wide[k] / (i * 37 - 11) + wide[k] % (i + 3));
    EXPECT_EQ(small[k], narrow[k] / (i == 7 ? 5 : i - 7) + narrow[k] % (i + 3) +
                            std::countl_zero(static_cast<uint32_t>(narrow[k])) +
                            std::popcount(static_cast<uint32_t>(narrow[k])));
  }
}

TEST_F(Functions, ShufflesBarriersAndAtomicsSum) {
  std::vector<float> x(5000);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 7);
  const OnDevice<float> in(&device_, x), total(&device_, std::vector<float>{0});
  launch(&device_, module_.get(), "sum_all", {3}, {128}, 0, in.get(), total.get(), 5000);
  device_.synchronize(cuda::Stream{});
  double want = 0;
  for (const float v : x) want += v;
  EXPECT_EQ(total.values()[0], static_cast<float>(want));
}

}  // namespace
}  // namespace torchweld::virtual_gpu
