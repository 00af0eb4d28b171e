// A TorchScript graph made ready to walk: registers instead of names, operators looked up once.
#pragma once

#include <ATen/core/ivalue.h>
#include <ATen/core/stack.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "loader/op_traits.h"

namespace torch::jit {
struct Block;
struct Graph;
struct Node;
struct Value;
}  // namespace torch::jit

namespace torchweld {

struct CodeBlock;

/// Where the module's mutable attributes are kept: attribute `name` of `object` is slot `index` of
/// a call's state.
using StateSlots = std::map<std::pair<const void*, std::string>, int>;

/// One node, ready to run.
struct CodeNode {
  enum class Kind : uint8_t {
    kOperator,
    kIf,
    kLoop,
    kTuple,
    kList,
    kDict,
    kTupleUnpack,
    kListUnpack,
    kTupleIndex,
    kTupleSlice,
    kGetAttr,
    kSetAttr,
    kCreateObject,
    kIsInstance,
    kCast,
    kUninitialized,
    kRaise,
    kWarn,
    kNothing
  };
  Kind kind = Kind::kOperator;
  const torch::jit::Node* node = nullptr;
  std::string name;          ///< "aten::add.Tensor"
  std::string source;        ///< "code/__torch__/model.py:12", empty if unknown
  std::vector<int> inputs;   ///< registers; below zero: constant -1 - input
  std::vector<int> outputs;  ///< registers
  std::vector<int> frees;    ///< registers that nothing reads after this node
  std::vector<const CodeBlock*> blocks;
  std::function<void(torch::jit::Stack&)> operation;
  const c10::FunctionSchema* schema = nullptr;
  OpTraits traits;
  bool vararg = false;              ///< the operator wants its argument count on the stack
  c10::TypePtr type;                ///< of the result, where construction needs it
  std::vector<c10::TypePtr> types;  ///< kIsInstance
  std::string attribute;            ///< kGetAttr, kSetAttr
  int64_t begin = 0, end = 0;       ///< kTupleSlice
  const CodeNode* select_if =
      nullptr;  ///< a read of a condition: the one If on it, when that can become a select
  mutable std::atomic<bool> may_select{
      true};  ///< kIf: cleared when its branches turned out to need a branch
};

/// A block of nodes; If and Loop nodes own others.
struct CodeBlock {
  int index = 0;
  const CodeNode* owner = nullptr;
  std::vector<std::unique_ptr<CodeNode>> nodes;
  std::vector<int> params, returns;
  std::vector<int>
      reads;  ///< registers that this block or blocks inside it read, defined outside it
};

/// One method.
struct Code {
  std::shared_ptr<torch::jit::Graph> graph;
  std::vector<std::unique_ptr<CodeBlock>> blocks;  ///< the root first
  std::vector<c10::IValue> constants;
  int registers = 0;
  std::string
      why_whole;  ///< why the walk can't run it and LibTorch's interpreter must; empty if it can

  const CodeBlock& root() const { return *blocks.front(); }
};

/// Prepares an inlined graph. Never fails: what the walk can't do is told in Code::why_whole.
std::shared_ptr<const Code> make_code(std::shared_ptr<torch::jit::Graph> graph);

}  // namespace torchweld
