#include "loader/read_weights.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "loader/attribute_paths.h"

namespace torchweld {
namespace {

namespace jit = torch::jit;

bool is_recurrent_layer(const jit::Node* node) {
  static const std::set<std::string> names = {"aten::lstm", "aten::gru", "aten::rnn_tanh",
                                              "aten::rnn_relu"};
  return names.contains(node->kind().toQualString());
}

bool asks_for_options(const jit::Node* node) {
  static const std::set<std::string> names = {"prim::dtype", "prim::device", "prim::layout",
                                              "prim::requires_grad"};
  return names.contains(node->kind().toQualString());
}

bool is_read_alone(const jit::Value* value);

/// Whether the operator reads this operand: it neither writes it nor hands it on, but as a view
/// that is read alone as well.
bool reads(const jit::Use& use) {
  const jit::Node* node = use.user;
  if (asks_for_options(node)) return true;
  const c10::FunctionSchema* schema = node->maybeSchema();
  if (!node->kind().is_aten() || schema == nullptr || use.offset >= schema->arguments().size())
    return false;
  const c10::AliasInfo* alias = schema->arguments()[use.offset].alias_info();
  return alias == nullptr ||
         (!alias->isWrite() &&
          std::all_of(node->outputs().begin(), node->outputs().end(), is_read_alone));
}

/// The pieces of a tensor, or a list for a recurrent layer.
bool reads_list(const jit::Use& use) {
  const auto& outputs = use.user->outputs();
  if (use.user->kind() == c10::prim::ListUnpack)
    return std::all_of(outputs.begin(), outputs.end(), is_read_alone);
  return use.user->kind() == c10::prim::ListConstruct &&
         std::all_of(use.user->output()->uses().begin(), use.user->output()->uses().end(),
                     [](const jit::Use& of) { return is_recurrent_layer(of.user); });
}

bool is_read_alone(const jit::Value* value) {
  return std::all_of(value->uses().begin(), value->uses().end(),
                     [](const jit::Use& use) { return reads(use) || reads_list(use); });
}

/// Whether a module's attributes are all that is asked of it: what calls it could write them.
bool is_module_opened(const jit::Value* module) {
  return std::all_of(module->uses().begin(), module->uses().end(), [](const jit::Use& use) {
    const bool gets = use.user->kind() == c10::prim::GetAttr;
    return gets || (use.user->kind() == c10::prim::SetAttr && use.offset == 0);
  });
}

/// Whether another tensor, or what may hold one, could be a view of this one's memory.
bool may_share(const c10::IValue& value, const at::Tensor& weight) {
  if (!value.isTensor()) return !value.isNone() && !value.isScalar() && !value.isString();
  const at::Tensor& t = value.toTensor();
  return t.defined() && (t.layout() != at::kStrided || t.storage().is_alias_of(weight.storage()));
}

}  // namespace

void make_read_weights_constant(jit::Graph* graph, const jit::Module& module) {
  if (!is_module_opened(graph->inputs()[0])) return;
  std::map<std::string, std::vector<jit::Node*>> by_path;
  std::set<std::string> others;  // that are written, handed on or reached on a way we don't know
  for (jit::Node* node : accesses(graph->block())) {
    const auto path = path_of(*graph, node);
    if (!path) return;
    if (node->kind() == c10::prim::GetAttr &&
        node->output()->type()->kind() == c10::TypeKind::ClassType) {
      if (!is_module_opened(node->output())) return;
      continue;
    }
    by_path[*path].push_back(node);
    if (node->kind() != c10::prim::GetAttr || !is_read_alone(node->output())) others.insert(*path);
  }
  if (by_path.size() == others.size()) return;
  std::map<std::string, c10::IValue> values;
  for (const auto& attribute : module.named_attributes())
    values.emplace(attribute.name, attribute.value);
  for (const auto& [path, nodes] : by_path) {
    const auto found = values.find(path);
    if (others.contains(path) || found == values.end() || !found->second.isTensor()) continue;
    const at::Tensor& weight = found->second.toTensor();
    if (!weight.defined() || weight.layout() != at::kStrided ||
        std::any_of(others.begin(), others.end(), [&](const std::string& other) {
          return !values.contains(other) || may_share(values.at(other), weight);
        }))
      continue;
    for (jit::Node* node : nodes) {
      const jit::WithInsertPoint guard(node);
      node->output()->replaceAllUsesWith(graph->insertConstant(weight.detach()));
    }
  }
}

}  // namespace torchweld
