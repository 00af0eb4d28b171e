// The recorder's view of operators. Closing a block: recorder_finish.cpp.
#include "loader/recorder.h"

#include <ATen/ops/eq.h>
#include <ATen/ops/ne.h>
#include <ATen/ops/view.h>
#include <ATen/ops/where.h>
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "loader/dtypes.h"
#include "loader/overlap.h"

namespace torchweld {
namespace {

/// Write only what a tensor is, never its data.
bool is_metadata_write(const std::string& name) {
  static const std::unordered_set<std::string> names = {
      "aten::squeeze_", "aten::squeeze_.dim",   "aten::squeeze_.dims", "aten::unsqueeze_",
      "aten::t_",       "aten::transpose_",     "aten::swapaxes_",     "aten::swapdims_",
      "aten::detach_",  "aten::requires_grad_", "aten::as_strided_"};
  return names.contains(name);
}

bool is_mask(const at::Tensor& t) {
  return t.defined() &&
         (t.scalar_type() == c10::ScalarType::Bool || t.scalar_type() == c10::ScalarType::Byte);
}

bool has_mask_index(const c10::IValue& indices) {
  bool mask = false;
  for_each_tensor(indices, [&](const at::Tensor& t) { mask |= is_mask(t); });
  return mask;
}

/// one_hot counts its classes only where nobody tells it how many there are.
bool is_told_its_shape(const CodeNode& node, const std::vector<c10::IValue>& arguments) {
  return node.name == "aten::one_hot" && arguments[1].isInt() && arguments[1].toInt() >= 0;
}

/// Dropout in place leaves its tensor as it is outside of training.
bool drops_nothing(const CodeNode& node, const std::vector<c10::IValue>& arguments) {
  if (!node.name.ends_with("dropout_") || node.traits.train_at < 0) return false;
  const c10::IValue& train = arguments[static_cast<size_t>(node.traits.train_at)];
  return train.isBool() && !train.toBool();
}

int64_t bytes_before(const at::Tensor& tensor) {
  return tensor.storage_offset() * static_cast<int64_t>(tensor.element_size());
}

}  // namespace

Recorder::Recorder(const std::vector<c10::IValue>& values, size_t arguments,
                   const std::vector<c10::IValue>& state, const StateSlots& slots,
                   const std::vector<int>& open)
    : arguments_(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(arguments)),
      first_state_(state),
      slots_(slots) {
  const auto number = [&](const at::Tensor& tensor) {
    const int leaf = static_cast<int>(graph_.inputs.size());
    if (!is_recordable(tensor)) return leaf;
    const auto known = ids_.find(tensor.unsafeGetTensorImpl());
    if (known != ids_.end()) {
      const auto first = std::find(graph_.inputs.begin(), graph_.inputs.end(), known->second);
      same_inputs_.emplace_back(static_cast<int>(first - graph_.inputs.begin()), leaf);
    }
    const bool is_new = storages_
                            .try_emplace(tensor.storage().unsafeGetStorageImpl(),
                                         static_cast<StorageId>(graph_.storages.size()))
                            .second;
    for (int i = 0; !is_new && i < leaf; ++i) {
      if (!overlap(tensors_[static_cast<size_t>(graph_.inputs[static_cast<size_t>(i)])], tensor))
        continue;
      overlaps_.emplace_back(i, leaf);
      overlaps_.emplace_back(leaf, i);
    }
    const StorageId storage = graph_.add(
        Storage{.kind = Storage::Kind::kInput, .index = leaf, .bytes = 0, .derived = false});
    base_bytes_.push_back(bytes_before(tensor));
    tainted_.push_back(1);
    const ValueId id = add_value(tensor, storage);
    ids_.try_emplace(tensor.unsafeGetTensorImpl(), id);
    graph_.inputs.push_back(id);
    return leaf;
  };
  inputs_ = Pattern::of(values, number);
  if (open.empty()) return;
  numbers_ = std::make_unique<OpenNumbers>();
  for (const int position : open) numbers_->open(position, values[static_cast<size_t>(position)]);
  inputs_.open(open);
}

Recorder::~Recorder() = default;

bool Recorder::is_recordable(const at::Tensor& tensor) {
  if (tensor.layout() != c10::kStrided || tensor.is_nested() || !tensor.has_storage()) {
    abandon("a sparse or nested tensor");
  } else if (tensor.is_quantized()) {
    abandon("a quantised tensor");
  }
  return why_.empty();
}

int64_t Recorder::offset_in(StorageId storage, const at::Tensor& tensor) const {
  const int64_t bytes = bytes_before(tensor) - base_bytes_[static_cast<size_t>(storage)];
  return bytes / static_cast<int64_t>(tensor.element_size());
}

ValueId Recorder::add_value(const at::Tensor& tensor, StorageId storage) {
  Value v;
  v.dtype = tensor.is_conj() ? DType::kOther : dtype_of(tensor.scalar_type());
  v.opaque = !is_computed_on(v.dtype) || tensor.is_neg();
  v.sizes = tensor.sizes().vec();
  v.strides = tensor.strides().vec();
  v.offset = offset_in(storage, tensor);
  v.storage = storage;
  tensors_.push_back(tensor);
  names_.push_back(
      {c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>(tensor.getIntrusivePtr()),
       tensor.storage().getWeakStorageImpl()});
  return graph_.add(std::move(v));
}

StorageId Recorder::storage_of(const at::Tensor& tensor, bool* is_new) {
  *is_new = false;
  const auto* impl = tensor.storage().unsafeGetStorageImpl();
  StorageId found = kNone;
  for (const c10::IValue& operand :
       pending_) {  // of two inputs in one storage, the view is of the operand
    for_each_tensor(operand, [&](const at::Tensor& t) {
      if (found != kNone || !t.defined() || !t.has_storage() ||
          t.storage().unsafeGetStorageImpl() != impl)
        return;
      const auto id = ids_.find(t.unsafeGetTensorImpl());
      if (id != ids_.end()) found = graph_.value(id->second).storage;
    });
  }
  if (found != kNone) return found;
  const auto [it, inserted] =
      storages_.try_emplace(impl, static_cast<StorageId>(graph_.storages.size()));
  if (!inserted) return it->second;
  *is_new = true;
  graph_.add(Storage{.kind = Storage::Kind::kLocal,
                     .index = kNone,
                     .bytes = static_cast<int64_t>(tensor.storage().nbytes()),
                     .derived = false});
  base_bytes_.push_back(0);
  tainted_.push_back(0);
  return it->second;
}

ValueId Recorder::intern(const at::Tensor& tensor) {
  if (!tensor.defined()) return kNone;
  const auto known = ids_.find(tensor.unsafeGetTensorImpl());
  if (known != ids_.end()) return known->second;
  if (!is_recordable(tensor)) return kNone;
  bool is_new = false;
  const StorageId storage = storage_of(tensor, &is_new);
  if (is_new)
    graph_.storages.back().kind = Storage::Kind::kConstant;  // no operator of this block made it
  const ValueId id = add_value(tensor, storage);
  ids_.emplace(tensor.unsafeGetTensorImpl(), id);
  return id;
}

Arg Recorder::argument(const c10::IValue& value) {
  if (value.isNone()) return {};
  if (value.isTensor())
    return value.toTensor().defined() ? Arg{Arg::Tensor{intern(value.toTensor())}} : Arg{};
  if (value.isInt()) return {value.toInt()};
  if (value.isDouble()) return {value.toDouble()};
  if (value.isBool()) return {value.toBool()};
  if (value.isString()) return {value.toStringRef()};
  if (value.isDevice()) return {Arg::Device{value.toDevice().str()}};
  if (value.isIntList()) return {value.toIntVector()};
  if (value.isDoubleList()) return {value.toDoubleVector()};
  if (value.isBoolList()) {
    const auto list = value.toBoolList();
    return {Arg::Bools(list.begin(), list.end())};
  }
  bool tensors = false, only_tensors = value.isList();
  for_each_tensor(value, [&](const at::Tensor&) { tensors = true; });
  if (value.isList()) {
    for (const c10::IValue& e : value.toListRef()) only_tensors &= e.isTensor() || e.isNone();
    if (only_tensors && (tensors || value.isTensorList() || value.isOptionalTensorList())) {
      Arg::TensorList list;
      for (const c10::IValue& e : value.toListRef())
        list.ids.push_back(e.isTensor() ? intern(e.toTensor()) : kNone);
      return {list};
    }
  }
  if (tensors) abandon("an operator takes tensors inside a structure");
  opaques_.push_back(value);
  return {Arg::Opaque{static_cast<int>(opaques_.size()) - 1}};
}

void Recorder::before(const CodeNode& node, const torch::jit::Stack& stack) {
  pending_ = stack;
  if (numbers_ != nullptr) open_operands_ = numbers_->of(node.inputs);
  expressed_as_.clear();
  for (c10::IValue& v : pending_) {
    if (v.isList()) v = v.toList().copy();  // _unsafe_masked_index writes to the list it is given
  }
}

bool Recorder::depends_on_inputs(const c10::IValue& value) const {
  if (!value.isTensor() || !value.toTensor().defined()) return false;
  const auto id = ids_.find(value.toTensor().unsafeGetTensorImpl());
  return id != ids_.end() && tainted_[static_cast<size_t>(graph_.value(id->second).storage)] != 0;
}

bool Recorder::rebind_if_moved(const at::Tensor& tensor) {
  const auto known = ids_.find(tensor.unsafeGetTensorImpl());
  if (known == ids_.end()) return false;
  const Value& v = graph_.value(known->second);
  const int64_t offset = offset_in(v.storage, tensor);
  if (c10::IntArrayRef(v.sizes) == tensor.sizes() &&
      c10::IntArrayRef(v.strides) == tensor.strides() && v.offset == offset)
    return false;
  known->second = add_value(tensor, v.storage);
  return true;
}

/// Whether an operand of the operator that ran is no longer what it was.
bool Recorder::pending_moved(ValueId id) {
  bool moved = false;
  for (const c10::IValue& operand : pending_) {
    for_each_tensor(operand, [&](const at::Tensor& t) {
      const auto known = t.defined() ? ids_.find(t.unsafeGetTensorImpl()) : ids_.end();
      if (known != ids_.end() && known->second == id) moved |= rebind_if_moved(t);
    });
  }
  return moved;
}

bool Recorder::after(const CodeNode& node, const torch::jit::Stack& stack) {
  if (abandoned()) return false;
  if (numbers_ != nullptr) take_numbers(node, stack);
  if (std::exchange(expressed_, false)) return false;
  bool tainted = draws(node.traits, pending_), made = false;
  for (const c10::IValue& v : pending_)
    for_each_tensor(v, [&](const at::Tensor& t) { tainted |= depends_on_inputs(t); });
  const bool reads = node.traits.reads_data && tainted;
  std::vector<at::Tensor> outputs;
  for (const c10::IValue& v : stack) {
    for_each_tensor(v, [&](const at::Tensor& t) {
      outputs.push_back(t);
      made |= t.defined() && !ids_.contains(t.unsafeGetTensorImpl());
    });
  }
  const auto& writes = node.traits.writes;
  const bool written = std::find(writes.begin(), writes.end(), true) != writes.end() &&
                       !drops_nothing(node, pending_);
  if (written && is_metadata_write(node.name)) {
    for (const at::Tensor& t : outputs) rebind_if_moved(t);
    return false;
  }
  if (!made && !written && !reads) return false;
  add_node(node, outputs, tainted, reads);
  const bool new_shape = node.traits.dynamic_shape && tainted &&
                         !is_told_its_shape(node, pending_) &&
                         (!node.traits.bool_index || has_mask_index(pending_[1]));
  if (!reads && !new_shape) return false;
  ending_ = reads ? Ending::Kind::kHostRead : Ending::Kind::kDynamicShape;
  ended_by_ = node.name;
  end_source_ = node.source;
  if (reads) {
    read_.assign(stack.begin(), stack.end());
    read_registers_ = node.outputs;
  }
  return true;
}

void Recorder::add_node(const CodeNode& node, const std::vector<at::Tensor>& outputs, bool tainted,
                        bool reads) {
  Node out;
  out.op = expressed_as_.empty() ? node.name : std::exchange(expressed_as_, {});
  out.source = node.source;
  out.reads_host = reads;
  for (const c10::IValue& v : pending_) out.args.push_back(argument(v));
  if (node.vararg) out.args.pop_back();
  for (size_t i = 0; i < node.traits.writes.size() && i < out.args.size(); ++i) {
    if (!node.traits.writes[i]) continue;
    if (const auto* t = out.args[i].tensor(); t != nullptr && t->id != kNone)
      out.writes.push_back(t->id);
    if (const auto* list = out.args[i].tensor_list())
      out.writes.insert(out.writes.end(), list->ids.begin(), list->ids.end());
  }
  for (const ValueId id : out.writes) {
    if (graph_.storage_of(id).kind == Storage::Kind::kConstant)
      abandon(fmt::format("{} writes a constant of the archive", node.name));
    if (pending_moved(id))
      abandon(fmt::format("{} changes the shape of a tensor in place", node.name));
    tainted_[static_cast<size_t>(graph_.value(id).storage)] |= tainted ? 1 : 0;
  }
  out.draws = draws(node.traits, pending_);
  out.pure = out.writes.empty() && !out.draws;
  for (const at::Tensor& t : outputs) {
    bool is_new = false;
    if (!t.defined() || (!ids_.contains(t.unsafeGetTensorImpl()) && !is_recordable(t))) {
      out.outputs.push_back(kNone);
      continue;
    }
    if (!ids_.contains(t.unsafeGetTensorImpl())) {
      const StorageId storage = storage_of(t, &is_new);
      ids_[t.unsafeGetTensorImpl()] = add_value(t, storage);
      if (is_new) tainted_[static_cast<size_t>(storage)] = tainted ? 1 : 0;
    }
    const ValueId id = ids_.at(t.unsafeGetTensorImpl());
    if (tainted_[static_cast<size_t>(graph_.value(id).storage)] != 0)
      tensors_[static_cast<size_t>(id)].reset();
    out.outputs.push_back(id);
  }
  graph_.nodes.push_back(std::move(out));
}

std::optional<c10::IValue> Recorder::select(const at::Tensor& condition, const c10::IValue& yes,
                                            const c10::IValue& no, const CodeNode& node) {
  if (yes.is(no)) return yes;
  if (!yes.isTensor() || !no.isTensor()) return std::nullopt;
  const at::Tensor& a = yes.toTensor();
  const at::Tensor& b = no.toTensor();
  if (a.scalar_type() != b.scalar_type() || a.sizes() != b.sizes() || condition.numel() != 1)
    return std::nullopt;
  const auto record = [&](const char* op, std::vector<c10::IValue> args, const at::Tensor& result) {
    CodeNode made;
    made.name = op;
    made.source = node.source;
    pending_ = std::move(args);
    add_node(made, {result}, true, false);
    return result;
  };
  at::Tensor flag = condition;
  if (flag.dim() > 0)
    flag = record("aten::view", {flag, c10::List<int64_t>()}, flag.view(c10::IntArrayRef{}));
  if (flag.scalar_type() != c10::ScalarType::Bool)
    flag = record("aten::ne.Scalar", {flag, int64_t{0}}, at::ne(flag, 0));
  const at::Tensor result = record("aten::where.self", {flag, a, b}, at::where(flag, a, b));
  selects_.emplace_back(&node, graph_.nodes.back().outputs[0]);
  return result;
}

void Recorder::abandon(const std::string& why, bool transient) {
  if (!why_.empty()) return;
  why_ = why;
  transient_ = transient;
}

void Recorder::end_by_length() {
  ended_by_ = "a loop of many iterations";
  ending_ = Ending::Kind::kJoin;
}

void Recorder::end_by_join(const CodeNode& node) {
  ended_by_ = "the end of a branch on tensor data";
  end_source_ = node.source;
  ending_ = Ending::Kind::kJoin;
}

}  // namespace torchweld
