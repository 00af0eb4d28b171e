// What bench/peers.py times without Python in the way, as a C interface that it loads by ctypes
// into a process whose LibTorch this library shares: Torchweld, LibTorch's own ways to run an
// archive, packages of AOTInductor, and any C function of another peer. Python gives the order of
// the rounds; each call of peers_time_us is one block of a round.
#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/csrc/jit/api/module.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>

#include "cli/inputs_file.h"
#include "cli/libtorch_module.h"
#include "torchweld/torchweld.h"

namespace {

using torchweld::cli::LibTorchModule;
using Values = std::vector<c10::IValue>;
using Call = std::function<c10::IValue()>;
using Clock = std::chrono::steady_clock;

std::string& last_error() {
  thread_local std::string text;
  return text;
}

/// Runs what may throw; nothing may cross the C interface.
template <class Body, class Value>
auto guarded(const Body& body, Value failed) noexcept -> Value {
  try {
    return body();
  } catch (const std::exception& error) {
    last_error() = error.what();
  } catch (...) {
    last_error() = "unknown exception";
  }
  return failed;
}

/// Microseconds a call.
template <class Body>
double timed(int64_t calls, const Body& body) {
  const auto start = Clock::now();
  for (int64_t i = 0; i < calls; ++i) body();
  const std::chrono::duration<double, std::micro> spent = Clock::now() - start;
  return spent.count() / static_cast<double>(calls);
}

Call torchweld_call(const std::string& archive, const Values& inputs) {
  const torchweld::Engine engine = torchweld::load(archive);
  engine.prepare(inputs);
  return [engine, inputs] { return engine.run(inputs); };
}

Call eager(const std::string& archive, const Values& inputs) {
  const auto module = std::make_shared<LibTorchModule>(archive);
  return [module, inputs] { return module->run_eager(inputs); };
}

Call torchscript(const std::string& archive, const Values& inputs) {
  const auto module = std::make_shared<LibTorchModule>(archive);
  return [module, inputs] { return module->run(inputs); };
}

Call of_module(const torch::jit::Module& module, const Values& inputs) {
  return [method = module.get_method("forward"), inputs]() mutable { return method(inputs); };
}

/// The oneDNN Graph fuser takes part while torch.jit.enable_onednn_fusion is on, which the caller
/// sees to, and only in frozen modules.
Call freeze(const std::string& archive, const Values& inputs) {
  return of_module(torch::jit::freeze(LibTorchModule(archive).module()), inputs);
}

Call optimize_for_inference(const std::string& archive, const Values& inputs) {
  LibTorchModule loaded(archive);
  return of_module(torch::jit::optimize_for_inference(loaded.module()), inputs);
}

Call aotinductor(const std::string& package, const Values& inputs) {
  const auto loader = std::make_shared<torch::inductor::AOTIModelPackageLoader>(package);
  std::vector<at::Tensor> tensors;
  for (const c10::IValue& value : inputs) tensors.push_back(value.toTensor());
  return [loader, tensors] { return c10::IValue(loader->run(tensors)); };
}

const std::map<std::string, Call (*)(const std::string&, const Values&)> kMakers{
    {"torchweld", torchweld_call},
    {"eager", eager},
    {"torchscript", torchscript},
    {"freeze", freeze},
    {"optimize_for_inference", optimize_for_inference},
    {"aotinductor", aotinductor},
};

/// The answer's tensors one after the other, as float32.
int64_t write_answer(const c10::IValue& answer, float* out, int64_t capacity) {
  int64_t count = 0;
  for (const at::Tensor& tensor : torchweld::cli::tensors_in(answer)) {
    const at::Tensor floats = tensor.to(at::kFloat).contiguous();
    if (count + floats.numel() > capacity) throw std::length_error("the answer has more elements");
    std::memcpy(out + count, floats.const_data_ptr<float>(), floats.nbytes());
    count += floats.numel();
  }
  return count;
}

}  // namespace

#define TORCHWELD_PEERS extern "C" __attribute__((visibility("default")))

TORCHWELD_PEERS const char* peers_error() { return last_error().c_str(); }

TORCHWELD_PEERS const char* peers_version() {
  thread_local const std::string text = torchweld::version();
  return text.c_str();
}

/// A contender of one of kMakers' names, from an archive or a package and a file of inputs; null
/// when it can't be made. It lives as long as the process.
TORCHWELD_PEERS void* peers_make(const char* kind, const char* path, const char* inputs) {
  return guarded(
      [&]() -> void* {
        const c10::AutoGradMode no_grad(false);
        return new Call(kMakers.at(kind)(path, torchweld::cli::read_inputs_file(inputs).inputs));
      },
      static_cast<void*>(nullptr));
}

/// Calls once and copies the answer; its number of floats, -1 when the call failed.
TORCHWELD_PEERS int64_t peers_answer(void* call, float* out, int64_t capacity) {
  return guarded(
      [&] {
        const c10::AutoGradMode no_grad(false);
        return write_answer((*static_cast<Call*>(call))(), out, capacity);
      },
      int64_t{-1});
}

/// Microseconds a call; -1 when a call failed. Each answer is dropped before the next call.
TORCHWELD_PEERS double peers_time_us(void* call, int64_t calls) {
  return guarded(
      [&] {
        const c10::AutoGradMode no_grad(false);
        const Call& once = *static_cast<Call*>(call);
        return timed(calls, [&] { once(); });
      },
      -1.0);
}

/// Microseconds a call of a C function of up to eight pointers or integers; what it returns is
/// dropped. By x86-64's calling convention arguments that a function doesn't have are harmless.
TORCHWELD_PEERS double peers_time_function_us(void* function, const intptr_t* a, int64_t calls) {
  using Function =
      void (*)(intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t);
  const auto once = reinterpret_cast<Function>(function);
  return timed(calls, [&] { once(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]); });
}
