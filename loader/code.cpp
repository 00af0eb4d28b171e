// From torch::jit::Graph to Code.
#include "loader/code.h"

#include <fmt/format.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/runtime/operator.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "kernels/op_table.h"
#include "loader/source_line.h"

namespace torchweld {
namespace {

namespace jit = torch::jit;
namespace prim = c10::prim;
using Kind = CodeNode::Kind;

const std::unordered_map<c10::Symbol, Kind>& kinds() {
  static const std::unordered_map<c10::Symbol, Kind> map = {
      {prim::If, Kind::kIf},
      {prim::Loop, Kind::kLoop},
      {prim::TupleConstruct, Kind::kTuple},
      {prim::ListConstruct, Kind::kList},
      {prim::DictConstruct, Kind::kDict},
      {prim::TupleUnpack, Kind::kTupleUnpack},
      {prim::ListUnpack, Kind::kListUnpack},
      {prim::TupleIndex, Kind::kTupleIndex},
      {prim::TupleSlice, Kind::kTupleSlice},
      {prim::GetAttr, Kind::kGetAttr},
      {prim::SetAttr, Kind::kSetAttr},
      {prim::CreateObject, Kind::kCreateObject},
      {prim::isinstance, Kind::kIsInstance},
      {prim::unchecked_cast, Kind::kCast},
      {prim::Uninitialized, Kind::kUninitialized},
      {prim::RaiseException, Kind::kRaise},
      {c10::aten::warn, Kind::kWarn}};
  return map;
}

class Builder {
 public:
  explicit Builder(std::shared_ptr<jit::Graph> graph) { code_->graph = std::move(graph); }

  std::shared_ptr<const Code> build() {
    add_block(code_->graph->block(), nullptr);
    code_->registers = next_register_;
    for (const auto& block : code_->blocks) {
      mark_selects(*block);
      mark_last_uses(*block);
    }
    return code_;
  }

 private:
  int define(const jit::Value* value) {
    const auto [it, inserted] = registers_.try_emplace(value, next_register_);
    if (inserted) ++next_register_;
    return it->second;
  }

  const CodeBlock* add_block(const jit::Block* block, const CodeNode* owner) {
    CodeBlock* out = code_->blocks.emplace_back(std::make_unique<CodeBlock>()).get();
    out->index = static_cast<int>(code_->blocks.size()) - 1;
    out->owner = owner;
    std::set<int> defined, reads;
    for (const jit::Value* v : block->inputs()) defined.insert(out->params.emplace_back(define(v)));
    for (const jit::Node* node : block->nodes()) {
      if (node->kind() == prim::Constant && jit::toIValue(node->output())) {
        registers_[node->output()] = -1 - static_cast<int>(code_->constants.size());
        code_->constants.push_back(*jit::toIValue(node->output()));
        continue;
      }
      add_node(node, out);
      const CodeNode& made = *out->nodes.back();
      for (const int r : made.inputs) reads.insert(r);
      for (const CodeBlock* inner : made.blocks)
        reads.insert(inner->reads.begin(), inner->reads.end());
      defined.insert(made.outputs.begin(), made.outputs.end());
    }
    for (const jit::Value* v : block->outputs()) reads.insert(out->returns.emplace_back(define(v)));
    for (const int r : reads) {
      if (r >= 0 && !defined.contains(r)) out->reads.push_back(r);
    }
    return out;
  }

  void add_node(const jit::Node* node, CodeBlock* block) {
    CodeNode* out = block->nodes.emplace_back(std::make_unique<CodeNode>()).get();
    out->node = node;
    out->name = node->kind().toQualString();
    out->source = source_of(node);
    for (const jit::Value* v : node->inputs()) out->inputs.push_back(define(v));
    const auto kind = kinds().find(node->kind());
    if (kind != kinds().end()) {
      out->kind = kind->second;
      read_attributes(node, out);
    } else {
      find_operator(node, out);
    }
    for (const jit::Block* inner : node->blocks()) out->blocks.push_back(add_block(inner, out));
    for (const jit::Value* v : node->outputs()) out->outputs.push_back(define(v));
  }

  void read_attributes(const jit::Node* node, CodeNode* out) {
    if (node->outputs().size() == 1) out->type = node->output()->type();
    if (out->kind == Kind::kGetAttr || out->kind == Kind::kSetAttr)
      out->attribute = node->s(c10::attr::name);
    if (out->kind == Kind::kIsInstance) out->types = node->tys(c10::attr::types);
    if (out->kind == Kind::kTupleSlice) {
      out->begin = node->i(c10::attr::beg);
      out->end = node->i(c10::attr::end);
    }
    if (out->kind == Kind::kRaise || out->kind == Kind::kWarn) out->schema = node->maybeSchema();
  }

  void find_operator(const jit::Node* node, CodeNode* out) {
    const jit::Operator* op = node->maybeOperator();
    if (op == nullptr) {
      refuse(node, "has no operator");
      return;
    }
    try {
      out->operation = op->getOperation(node);
    } catch (const std::exception&) {
      refuse(node, "runs only inside LibTorch's interpreter");
      return;
    }
    out->schema = &op->schema();
    out->name = out->schema->name();
    if (!out->schema->overload_name().empty()) out->name += "." + out->schema->overload_name();
    out->vararg = out->schema->is_vararg() && out->name != "prim::tolist";
    out->traits = traits_of(*out->schema);
  }

  void refuse(const jit::Node* node, const char* why) {
    if (!code_->why_whole.empty()) return;
    code_->why_whole =
        fmt::format("{} ({}) at {}", node->kind().toQualString(), why, source_of(node));
  }

  /// An If can become a select when its condition is read from one tensor for this If alone and
  /// both branches are pointwise operators: cheap, pure, and shapes checked when recorded.
  void mark_selects(const CodeBlock& block) {
    for (size_t i = 0; i + 1 < block.nodes.size(); ++i) {
      CodeNode& read = *block.nodes[i];
      if (read.name != "aten::Bool.Tensor" && read.name != "aten::is_nonzero") continue;
      const jit::Value* condition = read.node->output();
      if (condition->uses().size() != 1) continue;
      for (size_t k = i + 1; k < block.nodes.size(); ++k) {
        const CodeNode& user = *block.nodes[k];
        if (user.node != condition->uses()[0].user || user.kind != Kind::kIf) continue;
        if (is_cheap(*user.blocks[0]) && is_cheap(*user.blocks[1])) read.select_if = &user;
      }
    }
  }

  /// A register that a block defines is free after the last node that reads it, as in LibTorch.
  /// Those that an If or a loop reads last stay until the block is walked again or the call ends.
  static void mark_last_uses(CodeBlock& block) {
    std::set<int> own(block.params.begin(), block.params.end());
    std::set<int> later(block.returns.begin(), block.returns.end());
    for (const auto& node : block.nodes) own.insert(node->outputs.begin(), node->outputs.end());
    for (auto node = block.nodes.rbegin(); node != block.nodes.rend(); ++node) {
      for (const CodeBlock* inner : (*node)->blocks)
        later.insert(inner->reads.begin(), inner->reads.end());
      const bool runs_at_once = (*node)->blocks.empty() && (*node)->select_if == nullptr;
      for (const int r : (*node)->inputs) {
        if (later.insert(r).second && runs_at_once && own.contains(r)) (*node)->frees.push_back(r);
      }
    }
  }

  static bool is_cheap(const CodeBlock& block) {
    constexpr size_t kMostNodes = 8;
    if (block.nodes.size() > kMostNodes) return false;
    return std::all_of(block.nodes.begin(), block.nodes.end(), [](const auto& n) {
      const bool writes = std::count(n->traits.writes.begin(), n->traits.writes.end(), true) != 0;
      return n->kind == Kind::kOperator && !writes && !n->traits.random &&
             find_op(n->name) != nullptr;
    });
  }

  std::shared_ptr<Code> code_ = std::make_shared<Code>();
  std::unordered_map<const jit::Value*, int> registers_;
  int next_register_ = 0;
};

}  // namespace

std::shared_ptr<const Code> make_code(std::shared_ptr<jit::Graph> graph) {
  return Builder(std::move(graph)).build();
}

}  // namespace torchweld
