#include "engine/call_inputs.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "loader/pattern.h"

namespace torchweld {

void complete_inputs(const Module& module, const std::vector<Argument>& arguments,
                     std::vector<c10::IValue>* inputs) {
  const auto& declared = module.schema.arguments();
  for (size_t i = inputs->size(); i < declared.size() && declared[i].default_value(); ++i)
    inputs->push_back(*declared[i].default_value());
  if (inputs->size() == declared.size()) return;
  std::string wanted;
  for (const Argument& a : arguments)
    wanted += fmt::format("{}{}: {}", wanted.empty() ? "" : ", ", a.name, a.type);
  throw Error(ErrorCode::kBadInput,
              fmt::format("{}({}) of {} takes {} arguments, {} were given", module.method, wanted,
                          module.name, declared.size(), inputs->size()));
}

void check_inputs(const Module& module, c10::Device device, std::vector<c10::IValue>* inputs) {
  try {
    module.schema.checkAndNormalizeInputs(*inputs, {});
  } catch (const std::exception& cause) {
    const std::string text = cause.what();
    throw Error(ErrorCode::kBadInput, fmt::format("{} of {}: {}", module.method, module.name,
                                                  text.substr(0, text.find("\nException"))));
  }
  for (size_t i = 0; i < inputs->size(); ++i) {
    for_each_tensor((*inputs)[i], [&](const at::Tensor& t) {
      if (!t.defined() || t.device().type() == device.type()) return;
      throw Error(ErrorCode::kBadInput,
                  fmt::format("argument {} of {} is on {}, the engine is on {}; move it with .to()",
                              module.schema.arguments()[i].name(), module.method, t.device().str(),
                              device.str()));
    });
  }
}

std::vector<std::string> names_of_values(const Module& module, bool with_arguments) {
  std::vector<std::string> names;
  for (size_t i = 0; with_arguments && i < module.schema.arguments().size(); ++i)
    names.push_back("argument " + module.schema.arguments()[i].name());
  for (const std::string& name : module.slot_names) names.push_back("attribute " + name);
  return names;
}

bool needs_autograd(const std::vector<c10::IValue>& values) {
  if (!c10::GradMode::is_enabled()) return false;
  bool needs = false;
  for (const c10::IValue& v : values) {
    if (v.isTensor()) {
      needs |= v.toTensor().defined() && v.toTensor().requires_grad();
    } else {
      for_each_tensor(v, [&](const at::Tensor& t) { needs |= t.defined() && t.requires_grad(); });
    }
  }
  return needs;
}

}  // namespace torchweld
