// Images read at a grid's places: shares them out.
#include "kernels/x86/grid_sample.h"

#include <functional>

#include "kernels/x86/share_out.h"

namespace torchweld::x86 {
namespace {

/// Of a pixel of the result in one channel, roughly: what it reads, lane by lane.
int64_t reads_of(const GridSample& call) {
  if (call.mode == Interpolation::kNearest) return 1;
  if (call.mode == Interpolation::kBicubic) return 16;
  return call.dims == 2 ? 4 : 8;
}

}  // namespace

void run_grid_sample(const GridSample& call, const void* x, const void* grid, void* out,
                     const ParallelFor& parallel) {
  constexpr int64_t kPlaceCycles = 8;  // of finding a pixel's places
  const int64_t cycles = GridSample::kBlock * (kPlaceCycles + call.channels * reads_of(call) / 2);
  const auto work = [&](int64_t begin, int64_t end) {
    sample_blocks(call, x, grid, out, begin, end);
  };
  share_out(call.images * call.blocks(), cycles, parallel, std::ref(work));
}

}  // namespace torchweld::x86
