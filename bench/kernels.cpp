// Every unary row of the operator table as a kernel of its own on one thread: cache-resident and
// memory-bound sizes, and the time to compile. The list is the table itself, so a new row is
// measured without a change here.
#include <benchmark/benchmark.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/body_builder.h"
#include "kernels/op_table.h"
#include "kernels/x86/backend.h"

namespace {

using namespace torchweld;

OperandSpec contiguous_f32() {
  OperandSpec operand;
  operand.strides[0] = StrideClass::kOne;
  return operand;
}

OpArg loaded(BodyBuilder& body, int operand) {
  OpArg argument;
  argument.kind = OpArg::Kind::kTensor;
  argument.value = body.load(operand, DType::kF32);
  argument.dtype = DType::kF32;
  return argument;
}

/// The row applied to `count` contiguous float32 tensors; nullopt if it does not take them.
std::optional<KernelSpec> applied(const OpRow& row, int count) {
  BodyBuilder body;
  std::vector<OpArg> arguments;
  for (int i = 0; i < count; ++i) arguments.push_back(loaded(body, i));
  std::string why;
  const auto value = emit_op(body, row, arguments, DType::kF32, &why);
  if (!value || body.type_of(*value) != DType::kF32) return std::nullopt;
  std::vector<int16_t> roots{*value};
  KernelSpec spec;
  spec.name = std::string(row.name);
  spec.body = body.finish(&roots);
  spec.loads = {contiguous_f32()};
  spec.stores = {{contiguous_f32(), roots[0]}};
  return spec;
}

/// The row as a kernel of one operand; nullopt for rows that would use a second one.
std::optional<KernelSpec> unary_spec(const OpRow& row) {
  const auto one = applied(row, 1), two = applied(row, 2);
  return one && two && one->same_kernel(*two) ? one : std::nullopt;
}

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
    const auto spec = backend ? unary_spec(row) : std::nullopt;
    if (!spec) continue;
    std::string why;
    const auto kernel = backend->compile(*spec, {}, &why);
    if (!kernel) continue;
    benchmark::RegisterBenchmark(spec->name.c_str(),
                                 [kernel](benchmark::State& state) { run_kernel(state, kernel); })
        ->Arg(4096)
        ->Arg(1 << 20);
  }
  benchmark::RunSpecifiedBenchmarks();
}
