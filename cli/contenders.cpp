#include "cli/contenders.h"

#include <c10/core/GradMode.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include <memory>

#include "cli/libtorch_module.h"

namespace torchweld::cli {
namespace {

/// Waits for what a call gave to its device; the host's calls are over when they return.
void finish(c10::Device device) {
  if (device.is_cpu()) return;
  const c10::impl::VirtualGuardImpl guard(device.type());
  guard.synchronizeStream(guard.getStream(device));
}

Contender ours(const Engine& engine, const std::vector<c10::IValue>& inputs) {
  return {"torchweld",
          [engine, inputs] {
            engine.run(inputs);
            finish(engine.options().device);
          },
          [engine, inputs] { engine.prepare(inputs); }};
}

Contender frozen(const std::string& archive, const std::string& method, c10::Device device,
                 const std::vector<c10::IValue>& inputs) {
  LibTorchModule loaded(archive, method, device);
  std::vector<std::string> others;
  if (method != "forward") others.push_back(method);
  const c10::AutoGradMode no_grad(false);
  const auto module = std::make_shared<torch::jit::Module>(
      torch::jit::optimize_for_inference(loaded.module(), others));
  const auto call = [module, method, device, inputs] {
    const c10::AutoGradMode off(false);
    module->get_method(method)(inputs);
    finish(device);
  };
  call();  // what can't run frozen is told here
  return {"frozen", call, nullptr};
}

}  // namespace

std::vector<Contender> contenders(const Engine& engine, const std::string& archive,
                                  const std::vector<c10::IValue>& inputs,
                                  std::vector<Unavailable>& unavailable) {
  const std::string& method = engine.options().method;
  const c10::Device device = engine.options().device;
  const auto eager = std::make_shared<LibTorchModule>(archive, method, device);
  const auto script = std::make_shared<LibTorchModule>(archive, method, device);
  std::vector<Contender> all{ours(engine, inputs),
                             {"eager",
                              [eager, device, inputs] {
                                eager->run_eager(inputs);
                                finish(device);
                              },
                              nullptr},
                             {"torchscript",
                              [script, device, inputs] {
                                script->run(inputs);
                                finish(device);
                              },
                              nullptr}};
  try {
    all.push_back(frozen(archive, method, device, inputs));
  } catch (const std::exception& error) {
    const std::string text = error.what();
    unavailable.push_back({"frozen", text.substr(0, text.find('\n'))});
  }
  return all;
}

std::string timing_table(const std::vector<Timing>& timings) {
  std::string text = fmt::format("{:<14}{:>14}{:>14}{:>14}{:>10}\n", "", "median us", "min us",
                                 "first us", "ratio");
  for (const Timing& t : timings) {
    text += fmt::format("{:<14}{:>14.2f}{:>14.2f}{:>14.1f}{:>9.2f}x\n", t.name, t.median_us,
                        t.min_us, t.first_us, t.median_us / timings.front().median_us);
  }
  return text;
}

}  // namespace torchweld::cli
