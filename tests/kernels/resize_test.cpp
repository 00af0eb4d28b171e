// Resized images and volumes: against ATen, with either instruction set, inside of their memory.
#include "kernels/x86/resize.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/x86/isa.h"
#include "kernels/x86/resize_isa.h"
#include "tests/kernels/guarded.h"

namespace torchweld::x86 {
namespace {

using Sizes = std::vector<int64_t>;

struct Way {
  ResizeFilter filter = ResizeFilter::kLinear;
  bool antialiases = false, aligns = false;
  double factor = 0;  ///< of each dim
};

void PrintTo(const Way& way, std::ostream* out) {
  *out << "filter " << int(way.filter) << (way.antialiases ? " antialiased" : "")
       << (way.aligns ? " aligned" : "") << " factor " << way.factor;
}

/// One whose tables are to be made by lay_out().
Resize launch_of(const at::Tensor& x, const at::Tensor& out, const Way& way) {
  Resize r;
  r.images = x.size(0);
  r.channels = x.size(1);
  r.in_columns = x.size(-1);
  r.channels_innermost = x.stride(1) == 1 && x.size(1) > 1;
  r.x = {x.stride(0), x.stride(1), x.dim() == 3 ? 0 : x.stride(-2)};
  r.out = {out.stride(0), out.stride(1), out.dim() == 3 ? 0 : out.stride(-2)};
  std::vector<ResizeTaps> dims;
  for (int64_t d = 2; d < x.dim(); ++d)
    dims.push_back(
        resize_taps({way.filter, way.antialiases, way.aligns, way.factor, x.size(d), out.size(d)}));
  r.columns = dims.back();
  r.rows = {1, {1}, {0}, {1}};
  if (dims.size() == 2) r.rows = dims[0];
  if (dims.size() == 3) r.rows = merged(dims[0], dims[1], x.size(3));
  return r;
}

at::Tensor by_aten(const at::Tensor& x, at::IntArrayRef sizes, const Way& way) {
  const auto f = way.factor > 0 ? std::optional(way.factor) : std::nullopt;
  const bool linear = way.filter == ResizeFilter::kLinear;
  if (way.antialiases) {
    return linear ? at::_upsample_bilinear2d_aa(x, sizes, way.aligns, f, f)
                  : at::_upsample_bicubic2d_aa(x, sizes, way.aligns, f, f);
  }
  if (way.filter == ResizeFilter::kCubic) return at::upsample_bicubic2d(x, sizes, way.aligns, f, f);
  if (linear && x.dim() == 3) return at::upsample_linear1d(x, sizes, way.aligns, f);
  if (linear && x.dim() == 4) return at::upsample_bilinear2d(x, sizes, way.aligns, f, f);
  if (linear) return at::upsample_trilinear3d(x, sizes, way.aligns, f, f, f);
  if (way.filter == ResizeFilter::kNearest) {
    return x.dim() == 3   ? at::upsample_nearest1d(x, sizes, f)
           : x.dim() == 4 ? at::upsample_nearest2d(x, sizes, f, f)
                          : at::upsample_nearest3d(x, sizes, f, f, f);
  }
  return x.dim() == 3   ? at::_upsample_nearest_exact1d(x, sizes, f)
         : x.dim() == 4 ? at::_upsample_nearest_exact2d(x, sizes, f, f)
                        : at::_upsample_nearest_exact3d(x, sizes, f, f, f);
}

at::Tensor channels_innermost(const at::Tensor& x) {
  return x.movedim(1, -1).contiguous().movedim(-1, 1);
}

void run(Isa isa, const ResizeWork& w, const Resize& r) {
  const auto kernel = r.channels_innermost
                          ? isa == Isa::kAvx2 ? resize_pixels_avx2 : resize_pixels_avx512
                      : isa == Isa::kAvx2 ? resize_planes_avx2
                                          : resize_planes_avx512;
  const int64_t half = r.tasks() / 2;
  kernel(w, half, r.tasks());
  kernel(w, 0, half);
}

/// ATen's result and by hand, of operands between pages that nobody may touch.
void expect_same(const at::Tensor& x, const Sizes& sizes, const Way& way, bool finishes = false) {
  SCOPED_TRACE(::testing::Message() << x.sizes() << x.strides() << " to " << at::IntArrayRef(sizes)
                                    << ' ' << ::testing::PrintToString(way));
  at::Tensor expected = by_aten(x, sizes, way);
  if (x.stride(1) == 1 && x.size(1) > 1) expected = channels_innermost(expected);
  Resize r = launch_of(x, expected, way);
  ASSERT_TRUE(lay_out(&r));
  const at::Tensor summand = at::randn_like(expected);
  const testing::Guarded x_at(x.nbytes()), summand_at(summand.nbytes()), out_at(expected.nbytes());
  std::memcpy(x_at.data(), x.data_ptr(), x.nbytes());
  std::memcpy(summand_at.data(), summand.data_ptr(), summand.nbytes());
  ResizeOperands o;
  o.x = reinterpret_cast<const float*>(x_at.data());
  o.out = reinterpret_cast<float*>(out_at.data());
  if (finishes) {
    o.summand = reinterpret_cast<const float*>(summand_at.data());
    o.clamps = true;
    o.clamp = Clamp::relu();
    expected = (expected + summand).relu();
  }
  for (const Isa isa : {Isa::kAvx2, Isa::kAvx512}) {
    if (isa == Isa::kAvx512 && host_isa() != isa) continue;
    std::fill_n(o.out, expected.numel(), 77.0f);
    run(isa, work_of(r, o), r);
    const at::Tensor made = at::empty_like(expected);
    std::memcpy(made.data_ptr(), out_at.data(), made.nbytes());
    const bool nearest =
        way.filter == ResizeFilter::kNearest || way.filter == ResizeFilter::kNearestExact;
    const double eps = nearest ? 0 : 3e-6;
    EXPECT_TRUE(at::allclose(made, expected, eps, eps, true))
        << "up to " << (made - expected).abs().max().item<float>();
  }
}

const std::vector<Way> kWays = {{ResizeFilter::kNearest},      {ResizeFilter::kNearestExact},
                                {ResizeFilter::kLinear},       {ResizeFilter::kLinear, false, true},
                                {ResizeFilter::kCubic},        {ResizeFilter::kCubic, false, true},
                                {ResizeFilter::kLinear, true}, {ResizeFilter::kLinear, true, true},
                                {ResizeFilter::kCubic, true},  {ResizeFilter::kCubic, true, true}};

struct Case {
  Sizes x, out;
};

const std::vector<Case> kImages = {
    {{2, 3, 7, 9}, {5, 17}},      {{1, 1, 1, 1}, {4, 3}},     {{1, 4, 5, 1}, {1, 9}},
    {{2, 3, 7, 9}, {7, 9}},       {{1, 2, 20, 16}, {40, 32}}, {{1, 3, 33, 70}, {66, 280}},
    {{1, 2, 64, 64}, {13, 9}},    {{1, 2, 40, 37}, {7, 37}},  {{1, 2, 9, 37}, {9, 50}},
    {{3, 19, 6, 5}, {12, 10}},    {{1, 35, 8, 9}, {3, 30}},   {{1, 70, 4, 3}, {1, 1}},
    {{1, 5, 30, 300}, {31, 17}},  {{1, 1, 3, 40}, {60, 700}}, {{2, 16, 1, 1}, {3, 5}},
    {{1, 2, 12, 600}, {5, 1300}}, {{1, 12, 10, 11}, {20, 44}}};

TEST(Resize, AgreesWithATenInsideOfItsMemory) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  at::manual_seed(3);
  for (const Case& c : kImages) {
    for (const Way& way : kWays) {
      const at::Tensor x = at::randn(c.x);
      expect_same(x, c.out, way);
      expect_same(channels_innermost(x), c.out, way);
      expect_same(x, c.out, way, true);
      expect_same(channels_innermost(x), c.out, way, true);
    }
  }
}

TEST(Resize, TakesFactorsThatAreNotTheSizes) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const at::Tensor x = at::randn({2, 5, 7, 11});
  for (const double factor : {0.6, 1.7, 2.0, 3.9}) {
    const auto scaled = [&](int64_t n) { return static_cast<int64_t>(std::floor(n * factor)); };
    for (Way way : kWays) {
      way.factor = factor;
      expect_same(x, {scaled(7), scaled(11)}, way);
      expect_same(channels_innermost(x), {scaled(7), scaled(11)}, way);
    }
  }
}

TEST(Resize, OfLinesAndVolumes) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const std::vector<Case> cases = {{{2, 3, 7}, {11}},
                                   {{2, 20, 50}, {21}},
                                   {{1, 2, 1}, {5}},
                                   {{1, 3, 3, 4, 5}, {5, 3, 6}},
                                   {{2, 2, 4, 6, 20}, {8, 12, 40}},
                                   {{1, 20, 2, 1, 3}, {1, 4, 9}}};
  for (const Case& c : cases) {
    for (const Way& way : kWays) {
      if (way.antialiases || way.filter == ResizeFilter::kCubic) continue;
      const at::Tensor x = at::randn(c.x);
      expect_same(x, c.out, way);
      expect_same(channels_innermost(x), c.out, way);
    }
  }
}

TEST(Resize, SpreadsNaNAndInfinityAsATenDoes) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const float inf = std::numeric_limits<float>::infinity();
  at::Tensor x = at::randn({1, 6, 8, 10});
  x[0][0][1][2] = inf;
  x[0][1][7][9] = -inf;
  x[0][2][3][3] = std::nanf("");
  x[0][3][0][0] = inf;
  for (const Way& way : kWays) {
    for (const Sizes& out : {Sizes{16, 20}, Sizes{8, 10}, Sizes{5, 23}, Sizes{3, 4}}) {
      expect_same(x, out, way);
      expect_same(channels_innermost(x), out, way);
    }
  }
}

TEST(Resize, RefusesWhatItHasNoMemoryFor) {
  const at::Tensor x = at::empty({1, 1, 2, 300000}), out = at::empty({1, 1, 2, 4});
  Resize wide = launch_of(x, out, {ResizeFilter::kLinear, true});
  EXPECT_FALSE(lay_out(&wide));
  const at::Tensor many = channels_innermost(at::empty({1, 9000, 2, 2}));
  Resize deep = launch_of(many, channels_innermost(at::empty({1, 9000, 4, 4})), {});
  EXPECT_FALSE(lay_out(&deep));
}

TEST(Resize, PartsAreTheWhole) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const at::Tensor x = at::randn({1, 24, 60, 60});
  int parts = 0;
  const SplitWork in_parts = [&](int64_t count, int64_t grain,
                                 const std::function<void(int64_t, int64_t)>& f) {
    for (int64_t i = 0; i < count; i += grain, ++parts) f(i, std::min(i + grain, count));
  };
  for (const at::Tensor& image : {x, channels_innermost(x), x.slice(1, 0, 1)}) {
    at::Tensor expected = by_aten(image, {120, 120}, {});
    if (image.stride(1) == 1) expected = channels_innermost(expected);
    Resize r = launch_of(image, expected, {});
    ASSERT_TRUE(lay_out(&r));
    const at::Tensor made = at::empty_like(expected);
    ResizeOperands o;
    o.x = image.data_ptr<float>();
    o.out = made.data_ptr<float>();
    run_resize(r, o, in_parts);
    EXPECT_TRUE(at::allclose(made, expected, 3e-6, 3e-6));
  }
  EXPECT_GT(parts, 3);
}

}  // namespace
}  // namespace torchweld::x86
