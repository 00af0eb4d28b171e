// Loading, freezing, and the attributes that stay.
#include "loader/archive.h"

#include <fmt/format.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/freeze_module.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/serialization/import.h>

#include <filesystem>
#include <fstream>
#include <istream>
#include <set>

#include "loader/archive_errors.h"
#include "loader/byte_weights.h"
#include "loader/folded_constants.h"
#include "loader/inline_forks.h"
#include "loader/nested_concatenations.h"
#include "loader/number_constants.h"
#include "loader/read_weights.h"
#include "loader/torchaudio_ops.h"
#include "loader/torchvision_ops.h"

namespace torchweld {
namespace {

namespace jit = torch::jit;

std::string methods_of(const jit::Module& module) {
  std::string names;
  for (const auto& m : module.get_methods())
    names += fmt::format("{}{}", names.empty() ? "" : ", ", m.name());
  return names.empty() ? "none" : names;
}

/// The first submodule that is in training mode, or "" for the module itself; nullopt when none is.
std::optional<std::string> training_module(const jit::Module& module) {
  // A saved function is wrapped into a module that has no mode but says it trains.
  if (module.type()->name()->name() == "PlaceholderModule") return std::nullopt;
  for (const auto& m : module.named_modules()) {
    if (m.value.hasattr("training") && m.value.attr("training").toBool()) return m.name;
  }
  return std::nullopt;
}

void retarget_devices(jit::Block* block, c10::Device device) {
  for (jit::Node* node : block->nodes()) {
    for (jit::Block* inner : node->blocks()) retarget_devices(inner, device);
    if (node->kind() != c10::prim::Constant || node->outputs().size() != 1) continue;
    const auto value = jit::toIValue(node->output());
    if (!value || !value->isDevice() || value->toDevice() == device || value->toDevice().is_meta())
      continue;
    const jit::WithInsertPoint guard(node);
    jit::Value* moved = node->owningGraph()->insertConstant(device);
    node->output()->replaceAllUsesWith(moved);
  }
}

struct AttributeUses {
  std::set<std::string> read, written;
  bool calls = false;
};

void collect_uses(const jit::Block* block, AttributeUses* uses) {
  for (const jit::Node* node : block->nodes()) {
    for (const jit::Block* inner : node->blocks()) collect_uses(inner, uses);
    if (node->kind() == c10::prim::GetAttr) uses->read.insert(node->s(c10::attr::name));
    if (node->kind() == c10::prim::SetAttr) uses->written.insert(node->s(c10::attr::name));
    uses->calls |= node->kind() == c10::prim::CallMethod || node->kind() == c10::prim::CallFunction;
  }
}

/// Whether calls are left after inlining: of a module that data chooses, through its interface.
bool calls_a_chosen_module(const jit::Module& module, const std::string& method) {
  const auto graph = module.get_method(method).graph()->copy();
  jit::Inline(*graph);
  AttributeUses uses;
  collect_uses(graph->block(), &uses);
  return uses.calls;
}

/// Freezing turns attributes that nobody writes into constants. Its numeric optimisations stay off:
/// they fold a batch norm in training mode wrongly, and folding is the planner's work. `preserved`
/// stay attributes. It also removes all other methods, those that a chosen module is called by
/// among them. What isn't frozen reads its attributes as state, which is slower and just as right.
jit::Module frozen(const jit::Module& module, const std::string& method,
                   std::vector<std::string> preserved) {
  if (method != "forward") preserved.push_back(method);
  try {
    jit::Module made = jit::freeze_module(with_concatenations_apart(module, method), preserved,
                                          /*freezeInterfaces=*/true, /*preserveParameters=*/false);
    return calls_a_chosen_module(made, method) ? module.deepcopy() : made;
  } catch (const std::exception&) {
    return module.deepcopy();
  }
}

void collect_slots(const c10::IValue& object, const std::string& prefix, const AttributeUses& uses,
                   Module* out) {
  const auto& ref = object.toObjectRef();
  const auto type = ref.type();
  for (size_t i = 0; i < type->numAttributes(); ++i) {
    const std::string& name = type->getAttributeName(i);
    const c10::IValue& value = ref.getSlot(i);
    if (value.isObject() && !out->slots.contains({value.internalToPointer(), ""})) {
      collect_slots(value, prefix + name + ".", uses, out);
    } else if (uses.read.contains(name) || uses.written.contains(name)) {
      out->slots[{&ref, name}] = static_cast<int>(out->initial_state.size());
      out->slot_names.push_back(prefix + name);
      out->initial_state.push_back(value);
    }
  }
}

std::shared_ptr<const Module> prepare(const jit::Module& loaded, const std::string& name,
                                      const LoadOptions& options) {
  if (!loaded.find_method(options.method)) {
    throw Error(ErrorCode::kNoSuchMethod, fmt::format("{} has no method \"{}\"; its methods: {}",
                                                      name, options.method, methods_of(loaded)));
  }
  if (const auto training = training_module(loaded)) {
    throw Error(ErrorCode::kTrainingMode,
                fmt::format("{} was saved in training mode (module \"{}\"); call eval() on the "
                            "model and export it again",
                            name, training->empty() ? "forward" : *training));
  }
  auto out = std::make_shared<Module>(loaded.get_method(options.method).function().getSchema());
  out->name = name;
  out->method = options.method;
  restore_numbers(loaded);
  const auto archived = archived_memory(loaded, options.method);
  std::vector<std::string> bytes = byte_weights(loaded);
  jit::Module module = frozen(loaded, options.method, bytes);
  if (!bytes.empty() && !reads_only(module, options.method, bytes)) {
    bytes.clear();
    module = frozen(loaded, options.method, {});
  }
  const jit::Method method = module.get_method(options.method);
  auto graph = method.graph()->copy();
  jit::Inline(*graph);
  join_concatenations(graph.get());
  inline_forks(graph);
  retarget_devices(graph->block(), options.device);
  jit::ConstantPropagation(graph);
  renew_folded_constants(graph.get(), archived);
  make_byte_weights_constant(graph.get(), module, bytes);
  make_read_weights_constant(graph.get(), module);
  jit::EliminateDeadCode(graph);
  AttributeUses uses;
  collect_uses(graph->block(), &uses);
  out->self = module._ivalue();
  collect_slots(out->self, "", uses, out.get());
  out->writes_state = !out->initial_state.empty();
  out->code = make_code(graph);
  out->why_whole = out->code->why_whole;
  std::vector<c10::Argument> arguments(out->schema.arguments().begin() + 1,
                                       out->schema.arguments().end());
  out->schema = out->schema.cloneWithArguments(std::move(arguments));
  out->run_whole = [method_name = options.method](const c10::IValue& self,
                                                  std::vector<c10::IValue> arguments) {
    return jit::Module(self.toObject()).get_method(method_name)(std::move(arguments));
  };
  return out;
}

std::shared_ptr<const Module> prepared(const jit::Module& loaded, const std::string& name,
                                       const LoadOptions& options) {
  try {
    return prepare(loaded, name, options);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& cause) {  // LibTorch's passes refuse the graph
    throw archive_error(name, cause);
  }
}

}  // namespace

std::shared_ptr<const Module> load_module(const std::string& path, const LoadOptions& options) {
  check_is_archive(path);
  register_torchvision_operators();
  register_torchaudio_operators();
  const std::string name = std::filesystem::path(path).filename().string();
  jit::Module module;
  try {
    module = jit::load(path, options.device);
  } catch (const std::exception& cause) {
    throw archive_error(name, cause);
  }
  return prepared(module, name, options);
}

std::shared_ptr<const Module> load_module(std::istream& archive, const LoadOptions& options) {
  register_torchvision_operators();
  register_torchaudio_operators();
  jit::Module module;
  try {
    module = jit::load(archive, options.device);
  } catch (const std::exception& cause) {
    throw archive_error("the stream", cause);
  }
  return prepared(module, "stream", options);
}

}  // namespace torchweld
