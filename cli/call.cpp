#include "cli/call.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "cli/input_spec.h"
#include "cli/inputs_file.h"
#include "cli/progress.h"
#include "tests/virtual_gpu/virtual_runtime.h"

namespace torchweld::cli {
namespace {

std::string signature(const Engine& engine) {
  std::string text;
  for (const Argument& argument : engine.arguments()) {
    text += fmt::format("{}{}: {}{}", text.empty() ? "" : ", ", argument.name, argument.type,
                        argument.default_value ? " (optional)" : "");
  }
  return fmt::format("{}({})", engine.options().method, text);
}

/// Says which inputs are missing before the call does, in the program's own words.
void check_count(const Engine& engine, size_t given) {
  size_t required = 0;
  for (const Argument& argument : engine.arguments()) required += argument.default_value ? 0 : 1;
  if (given >= required && given <= engine.arguments().size()) return;
  throw Error(
      ErrorCode::kBadInput,
      fmt::format("{} takes {} inputs, {} given; give one --input for each, or --inputs FILE.pt",
                  signature(engine), required, given));
}

/// Where the engine runs.
void set_device(const std::string& name, Options* options) {
  if (name == "virtual") {
    options->runtime = virtual_gpu::virtual_runtime();
    return;
  }
  try {
    options->device = c10::Device(name);
  } catch (const c10::Error&) {
    throw Error(ErrorCode::kBadText,
                fmt::format("there is no device '{}'; say cpu, cuda, cuda:N or virtual", name));
  }
}

c10::IValue moved(const c10::IValue& value, c10::Device device) {
  return value.isTensor() && value.toTensor().defined() ? c10::IValue(value.toTensor().to(device))
                                                        : value;
}

}  // namespace

Call prepared_call(const CallArguments& arguments, Planning planning) {
  if (arguments.threads > 0) at::set_num_threads(arguments.threads);
  at::manual_seed(arguments.seed);
  Options options;
  options.method = arguments.method;
  options.planning = planning;
  options.numerics = arguments.exact ? Numerics::kExact : Numerics::kDefault;
  options.precision = arguments.precision;
  options.measure_products = arguments.measure_products;
  options.measure_plans = !arguments.no_measure;
  set_device(arguments.device, &options);
  const Progress progress(fmt::format("loading {}", arguments.archive));
  Call call{load(arguments.archive, options), {}, {}};
  if (arguments.inputs.empty() && !arguments.inputs_file.empty()) {
    InputsFile file = read_inputs_file(arguments.inputs_file);
    call.inputs = std::move(file.inputs);
    call.recorded = std::move(file.outputs);
  }
  for (const std::string& text : arguments.inputs) call.inputs.push_back(parse_input(text));
  check_count(call.engine, call.inputs.size());
  call.inputs = coerced(std::move(call.inputs), call.engine.arguments());
  for (c10::IValue& value : call.inputs) value = moved(value, options.device);
  return call;
}

}  // namespace torchweld::cli
