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

WindowPool pool_of(int64_t channels, const Dim& rows, const Dim& columns) {
  WindowPool p;
  p.images = 1;
  p.channels = channels;
  p.height = rows.in;
  p.width = columns.in;
  p.x = {channels * rows.in * columns.in, rows.in * columns.in, columns.in, 1};
  p.out = {channels * rows.out() * columns.out(), rows.out() * columns.out(), columns.out(), 1};
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
  const auto lay = [&](WindowPool::Plane* plane, int64_t columns) {
    *plane = {plane->images, 1, columns * p->channels, p->channels};
  };
  lay(&p->x, p->width);
  lay(&p->out, static_cast<int64_t>(p->columns.size()));
}

at::Tensor by_aten(bool averages, const at::Tensor& x, const Dim& rows, const Dim& columns) {
  const std::vector<int64_t> window = {rows.window, columns.window},
                             step = {rows.step, columns.step},
                             before = {rows.before, columns.before};
  return averages ? at::avg_pool2d(x, window, step, before, false, false)
                  : at::max_pool2d(x, window, step, before);
}

const std::vector<Dim> kDims = {{7, 3, 1, 1},  {9, 2, 2, 0},  {31, 5, 3, 2}, {16, 16, 1, 0},
                                {23, 4, 9, 1}, {64, 3, 2, 1}, {5, 1, 1, 0},  {300, 40, 20, 20}};

TEST(WindowPool, AgreesWithATenInsideOfItsMemory) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  for (const Dim& rows : kDims) {
    for (const Dim& columns : kDims) {
      for (const int64_t channels : {3, 45}) {
        if (channels > 3 && rows.in * columns.in > 2000) continue;
        WindowPool pool = pool_of(channels, rows, columns);
        for (const bool last : {false, true}) {
          if (last) turn(&pool);
          at::Tensor image = at::randn({1, channels, rows.in, columns.in});
          image.view(-1)[image.numel() / 2] = NAN;
          if (last) image = image.contiguous(at::MemoryFormat::ChannelsLast);
          const auto bytes = static_cast<size_t>(image.numel()) * sizeof(float);
          for (const bool averages : {true, false}) {
            const at::Tensor expected = by_aten(averages, image, rows, columns);
            const auto out_bytes = static_cast<size_t>(expected.numel()) * sizeof(float);
            const testing::Guarded x(bytes), out(out_bytes);
            std::memcpy(x.data(), image.data_ptr(), bytes);
            pool.averages = averages;
            run_window_pool(pool, reinterpret_cast<const float*>(x.data()),
                            reinterpret_cast<float*>(out.data()), nullptr, {});
            const at::Tensor made = at::empty_like(expected);
            std::memcpy(made.data_ptr(), out.data(), out_bytes);
            EXPECT_TRUE(at::allclose(expected, made, 1e-6, 1e-6, true))
                << rows.in << "x" << columns.in << " last " << last << " averages " << averages;
          }
        }
      }
    }
  }
}

TEST(WindowPool, PartsAreTheWhole) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const Dim dim{64, 3, 2, 1};
  WindowPool pool = pool_of(20, dim, dim);
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
