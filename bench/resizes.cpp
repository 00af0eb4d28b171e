// Images resized by hand, on one thread, against LibTorch's, in both layouts. Interleave them:
// --benchmark_enable_random_interleaving=true.
#include <ATen/Parallel.h>
#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/upsample_bicubic2d.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/upsample_nearest2d.h>
#include <benchmark/benchmark.h>
#include <c10/core/InferenceMode.h>

#include <string>

#include "kernels/x86/resize.h"

namespace {

using namespace torchweld;
using x86::ResizeFilter;

enum Way : int64_t { kLibrary, kOwn };

struct Case {
  const char* name;
  ResizeFilter filter;
  bool antialiases;
  int64_t channels, height, width, out_height, out_width;
};

constexpr Case kCases[] = {
    {"nearest", ResizeFilter::kNearest, false, 256, 12, 12, 24, 24},
    {"nearest", ResizeFilter::kNearest, false, 64, 64, 64, 128, 128},
    {"linear", ResizeFilter::kLinear, false, 128, 12, 12, 24, 24},
    {"linear", ResizeFilter::kLinear, false, 256, 1, 1, 12, 12},
    {"linear", ResizeFilter::kLinear, false, 64, 64, 64, 128, 128},
    {"linear", ResizeFilter::kLinear, false, 3, 128, 128, 512, 512},
    {"linear", ResizeFilter::kLinear, false, 21, 128, 128, 512, 512},
    {"linear", ResizeFilter::kLinear, false, 16, 256, 256, 96, 96},
    {"cubic", ResizeFilter::kCubic, false, 192, 14, 14, 24, 24},
    {"cubic", ResizeFilter::kCubic, false, 32, 64, 64, 128, 128},
    {"linear_antialiased", ResizeFilter::kLinear, true, 3, 640, 480, 224, 224},
    {"cubic_antialiased", ResizeFilter::kCubic, true, 3, 640, 480, 224, 224},
};

at::Tensor by_library(const Case& c, const at::Tensor& x) {
  const int64_t sizes[] = {c.out_height, c.out_width};
  if (c.filter == ResizeFilter::kNearest) return at::upsample_nearest2d(x, sizes);
  const bool linear = c.filter == ResizeFilter::kLinear;
  if (c.antialiases) {
    return linear ? at::_upsample_bilinear2d_aa(x, sizes, false)
                  : at::_upsample_bicubic2d_aa(x, sizes, false);
  }
  return linear ? at::upsample_bilinear2d(x, sizes, false)
                : at::upsample_bicubic2d(x, sizes, false);
}

void resize(benchmark::State& state, const Case& c, int64_t way, at::MemoryFormat format) {
  const c10::InferenceMode inference;
  const at::Tensor x = at::randn({1, c.channels, c.height, c.width}).contiguous(format);
  const at::Tensor out = by_library(c, x);
  x86::Resize r;
  r.images = 1;
  r.channels = c.channels;
  r.in_columns = c.width;
  r.channels_innermost = format == at::MemoryFormat::ChannelsLast;
  r.x = {x.stride(0), x.stride(1), x.stride(2)};
  r.out = {out.stride(0), out.stride(1), out.stride(2)};
  r.rows = x86::resize_taps({c.filter, c.antialiases, false, 0, c.height, c.out_height});
  r.columns = x86::resize_taps({c.filter, c.antialiases, false, 0, c.width, c.out_width});
  lay_out(&r);
  x86::ResizeOperands operands;
  operands.x = x.const_data_ptr<float>();
  operands.out = out.mutable_data_ptr<float>();
  for (auto _ : state) {
    if (way == kLibrary) {
      benchmark::DoNotOptimize(by_library(c, x));
    } else {
      run_resize(r, operands, nullptr);
    }
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * out.numel());
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  at::set_num_threads(1);
  for (const Case& c : kCases) {
    for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      for (const int64_t way : {kLibrary, kOwn}) {
        const std::string name = std::string(way == kOwn ? "own_" : "library_") + c.name + '/' +
                                 std::to_string(c.channels) + 'x' + std::to_string(c.height) + 'x' +
                                 std::to_string(c.width) + "_to_" + std::to_string(c.out_height) +
                                 'x' + std::to_string(c.out_width) +
                                 (format == at::MemoryFormat::Contiguous ? "" : "_channels_last");
        benchmark::RegisterBenchmark(name.c_str(), resize, c, way, format)
            ->Unit(benchmark::kMicrosecond);
      }
    }
  }
  benchmark::RunSpecifiedBenchmarks();
}
