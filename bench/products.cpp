// Products of constant weights: LibTorch's linear, panels packed once and the weights as they are,
// on one thread. What is_best_in_place in kernels/x86/matmul.cpp was chosen by. Interleave
// them:
// --benchmark_enable_random_interleaving=true.
#include <ATen/Parallel.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>
#include <c10/core/InferenceMode.h>

#include <string>

#include "kernels/x86/isa.h"
#include "kernels/x86/matmul_isa.h"

namespace {

using namespace torchweld::x86;

enum Way : int64_t { kLibrary, kPackedAvx2, kPackedAvx512, kInPlace };

struct Product {
  explicit Product(const benchmark::State& state)
      : x(at::randn({state.range(1), state.range(2)})),
        w(at::randn({state.range(3), state.range(2)})),
        bias(at::randn({state.range(3)})),
        out(at::randn({state.range(1), state.range(3)})) {}

  MatmulCall call(const PackedMatrix* packed) const {
    MatmulCall c;
    if (packed != nullptr) c.set(*packed);
    c.w = packed != nullptr ? c.w : w.const_data_ptr<float>();
    c.w_row_stride = c.k = x.size(1);
    c.n = c.end = w.size(0);
    c.m = x.size(0);
    c.x = x.const_data_ptr<float>();
    c.x_row_stride = x.size(1);
    c.bias = bias.const_data_ptr<float>();
    c.out = out.mutable_data_ptr<float>();
    c.out_row_stride = w.size(0);
    return c;
  }

  at::Tensor x, w, bias, out;
};

void run(benchmark::State& state) {
  const c10::InferenceMode inference;
  Product p(state);
  const auto way = static_cast<Way>(state.range(0));
  const PackedMatrix packed =
      pack(p.w.const_data_ptr<float>(), {p.x.size(1), p.w.size(0), 1, p.x.size(1)});
  const MatmulCall call = p.call(way == kInPlace ? nullptr : &packed);
  for (auto _ : state) {
    if (way == kLibrary) {
      at::linear_out(p.out, p.x, p.w, p.bias);
    } else {
      (way == kInPlace ? dot_avx2 : way == kPackedAvx2 ? matmul_avx2 : matmul_avx512)(call);
    }
    benchmark::ClobberMemory();
  }
  state.counters["products/s"] = benchmark::Counter(static_cast<double>(call.m * call.k * call.n),
                                                    benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  at::set_num_threads(1);
  constexpr int64_t kShapes[][3] = {
      {1, 64, 64},      {1, 512, 512},     {1, 1000, 1000},  {1, 768, 3072},  {4, 768, 3072},
      {8, 768, 3072},   {16, 512, 512},    {32, 64, 64},     {32, 512, 512},  {64, 256, 256},
      {128, 64, 64},    {128, 387, 4},     {128, 387, 16},   {128, 512, 512}, {128, 512, 2048},
      {128, 2048, 512}, {128, 768, 3072},  {128, 3072, 768}, {197, 192, 576}, {197, 192, 768},
      {197, 768, 192},  {512, 1024, 1024}, {1024, 64, 8},    {1024, 256, 16}, {4096, 64, 1},
      {3136, 96, 24},   {3136, 64, 64},    {3136, 64, 256}};
  const char* names[] = {"library", "packed_avx2", "packed_avx512", "in_place"};
  for (int64_t way = kLibrary; way <= kInPlace; ++way) {
    if (way == kPackedAvx512 && host_isa() != Isa::kAvx512) continue;
    auto* bench = benchmark::RegisterBenchmark(names[way], run)->ArgNames({"", "m", "k", "n"});
    for (const auto& s : kShapes) bench->Args({way, s[0], s[1], s[2]});
    bench->Unit(benchmark::kMicrosecond);
  }
  benchmark::RunSpecifiedBenchmarks();
}
