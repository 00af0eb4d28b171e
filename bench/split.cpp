// From which size on a second thread pays: each unary row of the operator table by one thread, and
// in halves on LibTorch's pool of two. Interleave them:
// --benchmark_enable_random_interleaving=true.
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "bench/unary_kernel.h"
#include "kernels/x86/backend.h"

namespace {

using namespace torchweld;

void run_kernel(benchmark::State& state, const std::shared_ptr<const Kernel>& kernel) {
  const int64_t n = state.range(0), threads = state.range(1);
  std::vector<float> from(static_cast<size_t>(n)), to(static_cast<size_t>(n));
  for (size_t i = 0; i < from.size(); ++i) from[i] = 0.25f + static_cast<float>(i % 1000) / 1000;
  const auto run = [&](int64_t begin, int64_t end) {
    void* pointers[] = {from.data() + begin, to.data() + begin};
    kernel->launch({{end - begin}, {{1}, {1}}, end - begin}, pointers, {});
  };
  for (auto _ : state) {
    at::parallel_for(0, n, n / threads, run);
    benchmark::ClobberMemory();
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  at::set_num_threads(2);
  const std::shared_ptr<Backend> backend = x86::make_backend();
  for (const OpRow& row : all_ops()) {
    const auto kernel = unary_kernel(backend.get(), row);
    if (!kernel) continue;
    benchmark::RegisterBenchmark(std::string(row.name).c_str(),
                                 [kernel](benchmark::State& state) { run_kernel(state, kernel); })
        ->ArgNames({"elements", "threads"})
        ->ArgsProduct({benchmark::CreateRange(1 << 10, 1 << 19, 2), {1, 2}})
        ->UseRealTime();
  }
  benchmark::RunSpecifiedBenchmarks();
}
