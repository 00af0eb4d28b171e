// Images read at a grid's places: against a reference of one pixel at a time, inside of their
// memory, and to the bit against ATen.
#include "kernels/x86/grid_sample.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/x86/isa.h"
#include "loader/dtypes.h"
#include "tests/kernels/guarded.h"

namespace torchweld::x86 {
namespace {

/// A launch for tensors in ATen's dims.
GridSample launch_of(const at::Tensor& x, const at::Tensor& grid, const at::Tensor& out) {
  GridSample s;
  s.dtype = dtype_of(x.scalar_type());
  s.dims = static_cast<size_t>(x.dim()) - 2;
  s.images = x.size(0);
  s.channels = x.size(1);
  for (size_t d = 0; d < s.dims; ++d) {
    const auto back = static_cast<int64_t>(d);
    s.x_sizes[d] = x.size(-1 - back);
    s.x_strides[d] = x.stride(-1 - back);
    s.grid_sizes[d] = grid.size(-2 - back);
    s.grid_strides[d] = grid.stride(-2 - back);
  }
  s.x_image = x.stride(0);
  s.x_channel = x.stride(1);
  s.grid_image = grid.stride(0);
  s.grid_coordinate = grid.stride(-1);
  s.out_image = out.stride(0);
  s.out_channel = out.stride(1);
  s.out_pixel = out.stride(-1);
  return s;
}

/// One result in double precision, for finite coordinates.
class Reference {
 public:
  Reference(const GridSample& s, const at::Tensor& x) : s_(s), x_(x) {}

  double at(int64_t image, int64_t channel, const std::vector<double>& coordinates) const {
    return along(x_[image][channel], s_.dims, coordinates);
  }

 private:
  double along(const at::Tensor& x, size_t dims, const std::vector<double>& coordinates) const {
    if (dims == 0) return x.item<double>();
    const int64_t size = x.size(0);
    double p = (coordinates[dims - 1] + 1) / 2 * static_cast<double>(size - s_.align_corners);
    if (!s_.align_corners) p -= 0.5;
    const bool cubic = s_.mode == Interpolation::kBicubic;
    if (!cubic) p = padded(p, size);
    double sum = 0;
    const double first = s_.mode == Interpolation::kNearest ? std::nearbyint(p) : std::floor(p);
    for (int i = cubic ? -1 : 0; i <= (cubic ? 2 : 1); ++i) {
      const double pixel = cubic ? padded(first + i, size) : first + i;
      if (pixel < 0 || pixel > static_cast<double>(size - 1)) continue;
      const double weight = weight_of(std::abs(p - first - i), i);
      if (weight == 0) continue;
      sum += weight * along(x[static_cast<int64_t>(pixel)], dims - 1, coordinates);
    }
    return sum;
  }

  double weight_of(double distance, int i) const {
    if (s_.mode == Interpolation::kNearest) return i == 0 ? 1 : 0;
    if (s_.mode == Interpolation::kBilinear) return 1 - distance;
    const double a = -0.75, d = distance;
    return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  }

  double padded(double p, int64_t size) const {
    if (s_.padding == GridPadding::kZeros) return p;
    const double last = static_cast<double>(size - 1), edge = s_.align_corners ? 0 : 0.5;
    if (s_.padding == GridPadding::kReflection) {
      if (last + 2 * edge == 0) return 0;
      while (p < -edge || p > last + edge) p = p < -edge ? -2 * edge - p : 2 * (last + edge) - p;
    }
    return std::clamp(p, 0.0, last);
  }

  const GridSample& s_;
  const at::Tensor x_;
};

/// Whether rounding could go either way.
bool is_near_a_half(const GridSample& s, const std::vector<double>& at) {
  for (size_t d = 0; d < at.size(); ++d) {
    const double twice = (at[d] + 1) * static_cast<double>(s.x_sizes[d] - s.align_corners) -
                         (s.align_corners ? 0 : 1);
    if (std::abs(twice - std::nearbyint(twice)) < 1e-4) return true;
  }
  return false;
}

/// Every mode, padding and alignment for these tensors.
template <class Check>
void for_each_way(GridSample* s, const Check& check) {
  for (const auto mode :
       {Interpolation::kBilinear, Interpolation::kNearest, Interpolation::kBicubic}) {
    if (mode == Interpolation::kBicubic && s->dims == 3) continue;
    for (const auto padding :
         {GridPadding::kZeros, GridPadding::kBorder, GridPadding::kReflection}) {
      for (const bool align : {false, true}) {
        s->mode = mode;
        s->padding = padding;
        s->align_corners = align;
        SCOPED_TRACE(::testing::Message()
                     << "mode " << int(mode) << " padding " << int(padding) << " align " << align);
        check();
      }
    }
  }
}

at::Tensor by_aten(const GridSample& s, const at::Tensor& x, const at::Tensor& grid) {
  return at::grid_sampler(x, grid, static_cast<int64_t>(s.mode), static_cast<int64_t>(s.padding),
                          s.align_corners);
}

at::Tensor by_hand(const GridSample& s, const at::Tensor& x, const at::Tensor& grid,
                   const at::Tensor& like, const ParallelFor& parallel = {}) {
  const at::Tensor out = at::full_like(like, 77);
  run_grid_sample(s, x.data_ptr(), grid.data_ptr(), out.data_ptr(), parallel);
  return out;
}

/// Equal, NaN where the other is, signs of zeros aside. Bicubic ones but for rounding.
bool same(const GridSample& s, const at::Tensor& a, const at::Tensor& b) {
  const double eps = s.mode != Interpolation::kBicubic ? 0 : a.dtype() == at::kFloat ? 2e-6 : 4e-15;
  return at::allclose(a, b, eps, eps, true);
}

struct Case {
  std::vector<int64_t> x, grid;
};

const std::vector<Case> kCases = {
    {{2, 3, 5, 7}, {2, 4, 6, 2}},       {{1, 1, 1, 1}, {1, 3, 3, 2}},
    {{1, 19, 9, 4}, {1, 5, 17, 2}},     {{3, 8, 2, 33}, {3, 1, 1, 2}},
    {{1, 70, 6, 6}, {1, 9, 13, 2}},     {{2, 5, 3, 1}, {2, 8, 20, 2}},
    {{1, 4, 40, 30}, {1, 20, 31, 2}},   {{2, 0, 3, 3}, {2, 2, 2, 2}},
    {{2, 2, 3, 3}, {2, 0, 2, 2}},       {{2, 3, 4, 5, 6}, {2, 3, 2, 7, 3}},
    {{1, 12, 1, 3, 2}, {1, 2, 9, 8, 3}}};

/// Coordinates mostly around the image's, some far away.
at::Tensor grid_of(const Case& c, at::ScalarType type) {
  at::Tensor grid = at::randn(c.grid, type) * 0.8;
  return at::where(at::rand(c.grid) < 0.05, grid * 40, grid);
}

TEST(GridSample, AgreesWithOnePixelAtATimeInsideOfItsMemory) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  at::manual_seed(3);
  for (const Case& c : kCases) {
    if (c.x[1] == 0 || c.x[1] > 20 || c.x[2] > 20 || c.grid[1] == 0) continue;
    for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
      for (const bool last : {false, true}) {
        at::Tensor x = at::randn(c.x, type);
        if (last) x = x.movedim(1, -1).contiguous().movedim(-1, 1);
        const at::Tensor grid = grid_of(c, type);
        std::vector<int64_t> sizes = c.grid;
        sizes.pop_back();
        sizes.insert(sizes.begin() + 1, c.x[1]);
        const at::Tensor out = at::empty(sizes, type);
        GridSample s = launch_of(x, grid, out);
        const testing::Guarded x_at(x.nbytes()), grid_at(grid.nbytes()), out_at(out.nbytes());
        std::memcpy(x_at.data(), x.data_ptr(), x.nbytes());
        std::memcpy(grid_at.data(), grid.data_ptr(), grid.nbytes());
        for_each_way(&s, [&] {
          run_grid_sample(s, x_at.data(), grid_at.data(), out_at.data(), {});
          std::memcpy(out.data_ptr(), out_at.data(), out.nbytes());
          const Reference reference(s, x);
          const at::Tensor places = grid.reshape({c.grid[0], -1, c.grid.back()}).to(at::kDouble);
          const at::Tensor made = out.reshape({sizes[0], sizes[1], -1}).to(at::kDouble);
          double worst = 0;
          for (int64_t n = 0; n < made.size(0); ++n) {
            for (int64_t p = 0; p < made.size(2); p += 3) {
              const at::Tensor place = places[n][p].contiguous();
              const std::vector<double> at(place.data_ptr<double>(),
                                           place.data_ptr<double>() + place.numel());
              if (s.mode == Interpolation::kNearest && is_near_a_half(s, at)) continue;
              for (int64_t k = 0; k < made.size(1); k += 5)
                worst = std::max(worst,
                                 std::abs(made[n][k][p].item<double>() - reference.at(n, k, at)));
            }
          }
          EXPECT_LT(worst, type == at::kFloat ? 1e-3 : 1e-11);
        });
      }
    }
  }
}

TEST(GridSample, GivesTheBitsOfATen) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  at::manual_seed(4);
  for (const Case& c : kCases) {
    for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
      for (int way = 0; way < 6; ++way) {
        at::Tensor x = at::randn(c.x, type), grid = grid_of(c, type);
        if (way % 3 == 1) x = x.movedim(1, -1).contiguous().movedim(-1, 1);
        if (way % 3 == 2) x = x.transpose(-1, -2).contiguous().transpose(-1, -2);
        if (way > 2) grid = grid.movedim(-1, 1).contiguous().movedim(1, -1);
        GridSample s;
        s.dims = static_cast<size_t>(x.dim()) - 2;
        for_each_way(&s, [&] {
          const at::Tensor expected = by_aten(s, x, grid);
          GridSample call = launch_of(x, grid, expected);
          call.mode = s.mode;
          call.padding = s.padding;
          call.align_corners = s.align_corners;
          EXPECT_TRUE(same(s, expected, by_hand(call, x, grid, expected)))
              << x.sizes() << " way " << way << ' ' << type;
        });
      }
    }
  }
}

TEST(GridSample, TakesCoordinatesThatAreNoneAsATenDoes) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const std::vector<double> odd = {nan, inf, -inf, 1e20, -1e20, 1e38, 3e9, -3e9, 1, -1, 0, 0.25};
  const auto n = static_cast<int64_t>(odd.size());
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const at::Tensor one = at::tensor(odd, at::kDouble).to(type);
    for (const bool volume : {false, true}) {
      const at::Tensor other = one.flip(0).view({1, n, 1}).expand({1, n, n});
      at::Tensor grid = at::stack({one.expand({1, n, n}), other}, -1);
      if (volume) grid = at::stack({one.expand({1, n, n}), other, one.expand({1, n, n})}, -1);
      at::Tensor x = at::randn({1, 9, 5, 6}, type);
      x.view(-1)[3] = inf;
      x.view(-1)[0] = nan;
      if (volume) {
        x = x.unsqueeze(2).expand({1, 9, 2, 5, 6}).contiguous();
        grid = grid.unsqueeze(1).contiguous();
      }
      for (const bool last : {false, true}) {
        if (last) x = x.movedim(1, -1).contiguous().movedim(-1, 1);
        GridSample s;
        s.dims = static_cast<size_t>(x.dim()) - 2;
        for_each_way(&s, [&] {
          const at::Tensor expected = by_aten(s, x, grid);
          GridSample call = launch_of(x, grid, expected);
          call.mode = s.mode;
          call.padding = s.padding;
          call.align_corners = s.align_corners;
          EXPECT_TRUE(same(s, expected, by_hand(call, x, grid, expected)))
              << type << volume << last;
        });
      }
    }
  }
}

TEST(GridSample, PartsAreTheWholeAndResultsMayHaveChannelsInnermost) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const at::Tensor x = at::randn({2, 37, 20, 20}), grid = at::rand({2, 30, 50, 2}) * 2 - 1;
  int parts = 0;
  const ParallelFor in_parts = [&](int64_t count, int64_t grain,
                                   const std::function<void(int64_t, int64_t)>& f) {
    for (int64_t i = 0; i < count; i += grain, ++parts) f(i, std::min(i + grain, count));
  };
  GridSample s;
  const at::Tensor expected = by_aten(s, x, grid);
  for (const bool last : {false, true}) {
    const auto format = last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    for (const at::Tensor& image : {x, x.contiguous(at::MemoryFormat::ChannelsLast)}) {
      const at::Tensor like = expected.contiguous(format);
      EXPECT_TRUE(
          same(s, expected, by_hand(launch_of(image, grid, like), image, grid, like, in_parts)));
    }
  }
  EXPECT_GT(parts, 8);
}

}  // namespace
}  // namespace torchweld::x86
