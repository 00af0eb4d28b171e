// What lies otherwise than a kernel would like, on one thread, against LibTorch: sums of matrices
// one of which is transposed, and products of matrices made in the call. What the limits in
// kernels/x86/crosswise.cpp and batched_product.cpp were chosen by. Interleave them:
// --benchmark_enable_random_interleaving=true.
#include <ATen/Parallel.h>
#include <ATen/ops/add.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>
#include <c10/core/InferenceMode.h>

#include <string>
#include <vector>

#include "kernels/body_builder.h"
#include "kernels/geometry.h"
#include "kernels/x86/backend.h"
#include "kernels/x86/batched_product.h"

namespace {

using namespace torchweld;

enum Way : int64_t { kLibrary, kOwn };

/// [rows, columns] + [columns, rows] transposed.
void add_transposed(benchmark::State& state) {
  const c10::InferenceMode inference;
  const int64_t rows = state.range(1), columns = state.range(2);
  const at::Tensor x = at::randn({rows, columns}), y = at::randn({columns, rows}).t();
  at::Tensor out = at::randn({rows, columns});
  const auto layout = coalesce(std::vector{rows, columns}, {{columns, 1}, {1, rows}, {columns, 1}});
  KernelSpec spec;
  spec.name = "add";
  BodyBuilder body;
  std::vector<int16_t> roots = {
      body.emit(Prim::kAdd, DType::kF32, body.load(0, DType::kF32), body.load(1, DType::kF32))};
  spec.body = body.finish(&roots);
  spec.rank = layout->rank;
  spec.loads = {{DType::kF32, layout->classes[0]}, {DType::kF32, layout->classes[1]}};
  spec.stores = {{{DType::kF32, layout->classes[2]}, roots[0]}};
  std::string why;
  const auto kernel = x86::make_backend()->compile(spec, layout->geometry, &why);
  void* pointers[] = {x.mutable_data_ptr(), y.mutable_data_ptr(), out.mutable_data_ptr()};
  for (auto _ : state) {
    if (state.range(0) == kLibrary) {
      at::add_out(out, x, y);
    } else {
      kernel->launch(layout->geometry, pointers, {});
    }
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * rows * columns);
}

/// So many times [m, k] by [k, n], or by [n, k] transposed.
void product(benchmark::State& state) {
  const c10::InferenceMode inference;
  const int64_t count = state.range(1), m = state.range(2), k = state.range(3), n = state.range(4);
  const bool turned = state.range(5) != 0;
  const at::Tensor a = at::randn({count, m, k});
  const at::Tensor b = turned ? at::randn({count, n, k}).transpose(1, 2) : at::randn({count, k, n});
  at::Tensor out = at::randn({count, m, n});
  x86::BatchedProduct p;
  p.m = m;
  p.k = k;
  p.n = n;
  p.a_row = k;
  p.a_column = 1;
  p.b_row = b.stride(1);
  p.b_column = b.stride(2);
  p.out_row = n;
  p.dims = 1;
  p.sizes[0] = count;
  p.a[0] = m * k;
  p.b[0] = k * n;
  p.out[0] = m * n;
  const at::Tensor scratch = at::randn({p.scratch_bytes() / 4 + 1});
  for (auto _ : state) {
    if (state.range(0) == kLibrary) {
      at::matmul_out(out, a, b);
    } else {
      x86::run_batched_product(p, a.const_data_ptr<float>(), b.const_data_ptr<float>(),
                               out.mutable_data_ptr<float>(), scratch.mutable_data_ptr<float>(),
                               nullptr);
    }
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * count * m * k * n);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  at::set_num_threads(1);
  constexpr int64_t kMatrices[][2] = {{8, 8},   {4, 256},   {256, 4},   {64, 3},    {3136, 3},
                                      {64, 64}, {1024, 64}, {64, 1024}, {512, 512}, {2048, 2048}};
  constexpr int64_t kProducts[][5] = {
      {8, 1, 12, 8, 1},      {8, 1, 64, 128, 1},    {8, 1, 128, 64, 0},    {8, 1, 64, 1024, 1},
      {8, 1, 1024, 64, 0},   {3, 4, 4, 4, 0},       {8, 12, 16, 12, 1},    {8, 12, 12, 16, 0},
      {1, 20, 20, 4, 0},     {8, 100, 8, 1, 0},     {2, 576, 8, 576, 0},   {2, 576, 576, 8, 1},
      {12, 197, 64, 197, 1}, {12, 197, 197, 64, 0}, {1, 256, 256, 256, 0}, {1, 512, 512, 512, 0}};
  const std::string names[] = {"library", "own"};
  for (int64_t way = kLibrary; way <= kOwn; ++way) {
    const std::string& name = names[way];
    auto* sums = benchmark::RegisterBenchmark((name + "_add").c_str(), add_transposed)
                     ->ArgNames({"", "rows", "columns"});
    for (const auto& s : kMatrices) sums->Args({way, s[0], s[1]});
    auto* products = benchmark::RegisterBenchmark((name + "_product").c_str(), product)
                         ->ArgNames({"", "count", "m", "k", "n", "turned"});
    for (const auto& s : kProducts) products->Args({way, s[0], s[1], s[2], s[3], s[4]});
    sums->Unit(benchmark::kMicrosecond);
    products->Unit(benchmark::kMicrosecond);
  }
  benchmark::RunSpecifiedBenchmarks();
}
