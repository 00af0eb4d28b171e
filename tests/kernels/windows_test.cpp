// Poolings by hand against ATen, inside of their memory, and in parts.
#include "kernels/x86/windows.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "kernels/x86/isa.h"
#include "tests/kernels/guarded.h"

namespace torchweld::x86 {
namespace {

/// One dim of a pooling: its extent, and the windows.
struct Dim {
  int64_t in, window, step, before;
  int64_t out() const { return (in + 2 * before - window) / step + 1; }
};

std::vector<Window> windows(const Dim& d) {
  std::vector<Window> all;
  for (int64_t o = 0; o < d.out(); ++o) {
    const int64_t first = o * d.step - d.before;
    const auto begin = static_cast<int32_t>(std::max<int64_t>(first, 0)),
               end = static_cast<int32_t>(std::min(first + d.window, d.in));
    all.push_back({begin, end, end - begin});
  }
  return all;
}

WindowPool pool_of(int64_t channels, const Dim& planes, const Dim& rows, const Dim& columns) {
  WindowPool p;
  p.images = 1;
  p.channels = channels;
  p.depth = planes.in;
  p.height = rows.in;
  p.width = columns.in;
  const auto lay = [&](WindowPool::Strides* s, int64_t depth, int64_t height, int64_t width) {
    *s = {channels * depth * height * width, depth * height * width, height * width, width, 1};
  };
  lay(&p.x, planes.in, rows.in, columns.in);
  lay(&p.out, planes.out(), rows.out(), columns.out());
  p.planes = windows(planes);
  p.rows = windows(rows);
  p.columns = windows(columns);
  for (const Window& w : p.columns) p.column_divisors.push_back(static_cast<float>(w.divisor));
  p.column_divisors.resize(p.columns.size() + 7, 1.0f);
  p.step = columns.step;
  p.before = columns.before;
  p.wide = columns.window;
  return p;
}

/// With its channels innermost.
void turn(WindowPool* p) {
  for (WindowPool::Strides* s : {&p->x, &p->out}) {
    s->channels = 1;
    s->planes *= p->channels;
    s->rows *= p->channels;
    s->columns = p->channels;
  }
}

at::Tensor by_aten(bool averages, const at::Tensor& x, const Dim& planes, const Dim& rows,
                   const Dim& columns) {
  const std::vector<int64_t> window = {planes.window, rows.window, columns.window},
                             step = {planes.step, rows.step, columns.step},
                             before = {planes.before, rows.before, columns.before};
  return averages ? at::avg_pool3d(x, window, step, before, false, false)
                  : at::max_pool3d(x, window, step, before);
}

constexpr Dim kFlat{1, 1, 1, 0};
const std::vector<Dim> kDims = {{7, 3, 1, 1},  {9, 2, 2, 0},  {31, 5, 3, 2}, {16, 16, 1, 0},
                                {23, 4, 9, 1}, {64, 3, 2, 1}, {5, 1, 1, 0},  {300, 40, 20, 20}};

/// Bit by bit but for which NaN it is.
bool are_equal(const at::Tensor& a, const at::Tensor& b) {
  return at::allclose(a, b, 0, 0, true) &&
         at::equal(at::signbit(a.nan_to_num()), at::signbit(b.nan_to_num()));
}

void expect_agreement(WindowPool pool, const Dim& planes, const Dim& rows, const Dim& columns) {
  for (const bool last : {false, true}) {
    if (last) turn(&pool);
    at::Tensor image = at::randn({1, pool.channels, planes.in, rows.in, columns.in});
    image.view(-1)[image.numel() / 2] = NAN;
    if (last) image = image.contiguous(at::MemoryFormat::ChannelsLast3d);
    const auto bytes = static_cast<size_t>(image.numel()) * sizeof(float);
    for (const bool averages : {true, false}) {
      const at::Tensor expected =
          by_aten(averages, image, planes, rows, columns).contiguous(image.suggest_memory_format());
      const auto out_bytes = static_cast<size_t>(expected.numel()) * sizeof(float);
      const testing::Guarded x(bytes), out(out_bytes);
      std::memcpy(x.data(), image.data_ptr(), bytes);
      pool.averages = averages;
      run_window_pool(pool, reinterpret_cast<const float*>(x.data()),
                      reinterpret_cast<float*>(out.data()), nullptr, {});
      const at::Tensor made = at::empty_like(expected);
      std::memcpy(made.data_ptr(), out.data(), out_bytes);
      EXPECT_TRUE(are_equal(expected, made))
          << pool.channels << " of " << planes.in << "x" << rows.in << "x" << columns.in << " last "
          << last << " averages " << averages;
    }
  }
}

TEST(WindowPool, AgreesWithATenInsideOfItsMemory) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  for (const Dim& rows : kDims) {
    for (const Dim& columns : kDims) {
      for (const int64_t channels : {3, 45}) {
        if (channels > 3 && rows.in * columns.in > 2000) continue;
        expect_agreement(pool_of(channels, kFlat, rows, columns), kFlat, rows, columns);
      }
    }
  }
}

TEST(WindowPool, AgreesWithATenOnVolumes) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const std::vector<Dim> dims = {{7, 3, 1, 1}, {9, 2, 2, 0}, {12, 5, 3, 2}, {23, 3, 2, 1}};
  for (const Dim& planes : dims) {
    for (const Dim& rows : dims) {
      for (const Dim& columns : dims) {
        for (const int64_t channels : {2, 5, 13})
          expect_agreement(pool_of(channels, planes, rows, columns), planes, rows, columns);
      }
    }
  }
}

TEST(WindowPool, PartsAreTheWhole) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const Dim dim{64, 3, 2, 1};
  WindowPool pool = pool_of(20, kFlat, dim, dim);
  const at::Tensor x = at::randn({1, 20, 64, 64});
  int parts = 0;
  const ParallelFor in_parts = [&](int64_t count, int64_t grain,
                                   const std::function<void(int64_t, int64_t)>& f) {
    for (int64_t i = 0; i < count; i += grain, ++parts) f(i, std::min(i + grain, count));
  };
  pool.averages = false;
  const auto [expected, expected_places] = at::max_pool2d_with_indices(x, 3, 2, 1);
  for (const bool wants_places : {false, true}) {
    const at::Tensor made = at::empty_like(expected), places = at::empty_like(expected_places);
    run_window_pool(pool, x.data_ptr<float>(), made.data_ptr<float>(),
                    wants_places ? places.data_ptr<int64_t>() : nullptr, in_parts);
    EXPECT_TRUE(at::equal(expected, made));
    if (wants_places) {
      EXPECT_TRUE(at::equal(expected_places, places));
    }
  }
  EXPECT_EQ(parts, 6);
}

}  // namespace
}  // namespace torchweld::x86
