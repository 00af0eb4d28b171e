// Every unary row of the operator table as a kernel of its own on one thread: cache-resident and
// memory-bound sizes, and the time to compile. The list is the table itself, so a new row is
// measured without a change here.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "bench/unary_kernel.h"
#include "kernels/x86/backend.h"

namespace {

using namespace torchweld;

void run_kernel(benchmark::State& state, const std::shared_ptr<const Kernel>& kernel) {
  const int64_t n = state.range(0);
  std::vector<float> from(static_cast<size_t>(n)), to(static_cast<size_t>(n));
  for (size_t i = 0; i < from.size(); ++i) from[i] = 0.25f + static_cast<float>(i % 1000) / 1000;
  void* pointers[] = {from.data(), to.data()};
  const Geometry geometry{{n}, {{1}, {1}}, n};
  for (auto _ : state) {
    kernel->launch(geometry, pointers, {});
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * n);
  state.SetBytesProcessed(state.iterations() * n * 8);
  state.counters["compile_us"] = kernel->compile_us();
  state.counters["code_bytes"] = static_cast<double>(kernel->code_bytes());
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const std::shared_ptr<Backend> backend = x86::make_backend();
  for (const OpRow& row : all_ops()) {
    const auto kernel = unary_kernel(backend.get(), row);
    if (!kernel) continue;
    benchmark::RegisterBenchmark(std::string(row.name).c_str(),
                                 [kernel](benchmark::State& state) { run_kernel(state, kernel); })
        ->Arg(4096)
        ->Arg(1 << 20);
  }
  benchmark::RunSpecifiedBenchmarks();
}
