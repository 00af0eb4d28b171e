// Closing a recorded block: what leaves it, what it changed, what of it is the same for every call.
#include <ATen/core/Tensor.h>
#include <ATen/core/class_type.h>
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "loader/byte_weights.h"
#include "loader/recorder.h"

namespace torchweld {
namespace {

bool touches(const Graph& graph, const Node& node, const std::vector<char>& storages,
             bool outputs_too) {
  bool all = true;
  for_each_input(node, [&](ValueId id) {
    all &= storages[static_cast<size_t>(graph.value(id).storage)] != 0;
  });
  if (!outputs_too) return all;
  for (const ValueId id : node.outputs)
    all &= id == kNone || storages[static_cast<size_t>(graph.value(id).storage)] != 0;
  for (const ValueId id : node.writes)
    all &= storages[static_cast<size_t>(graph.value(id).storage)] != 0;
  return all;
}

double scalar_of(const at::Tensor& tensor) {
  const c10::Scalar s = tensor.item();
  return s.isFloatingPoint() ? s.toDouble()
         : s.isBoolean()     ? static_cast<double>(s.toBool())
                             : static_cast<double>(s.toLong());
}

/// What a value holds that is changed in place, containers and plain objects, and other references.
void collect_references(const c10::IValue& value, std::vector<const void*>* lists,
                        std::vector<c10::IValue>* objects) {
  if (is_reference(value)) {
    objects->push_back(value);
  } else if (value.isTuple()) {
    for (const c10::IValue& e : value.toTupleRef().elements())
      collect_references(e, lists, objects);
  } else if (value.isList()) {
    lists->push_back(value.internalToPointer());
    for (const c10::IValue& e : value.toListRef()) collect_references(e, lists, objects);
  } else if (value.isGenericDict()) {
    lists->push_back(value.internalToPointer());
    for (const auto& e : value.toGenericDict()) collect_references(e.value(), lists, objects);
  } else if (is_plain_object(value)) {
    const bool is_known = std::find(lists->begin(), lists->end(), value.internalToPointer()) !=
                          lists->end();  // it may hold itself
    lists->push_back(value.internalToPointer());
    if (is_known) return;
    for (const c10::IValue& e : value.toObjectRef().slots()) collect_references(e, lists, objects);
  }
}

/// Copies of constants that the first call hands out as well, so that its caller writes to memory
/// of his own.
class OwnCopies {
 public:
  at::Tensor of(StorageId storage, const at::Tensor& tensor) {
    if (tensor.layout() != at::kStrided || tensor.is_quantized()) return tensor.clone();
    const auto elements = static_cast<int64_t>(tensor.storage().nbytes() / tensor.element_size());
    const auto [it, is_new] = copies_.try_emplace(storage);
    if (is_new) it->second = tensor.as_strided({elements}, {1}, 0).clone();
    if (it->second.scalar_type() != tensor.scalar_type()) return tensor.clone();
    return it->second.as_strided(tensor.sizes(), tensor.strides(), tensor.storage_offset());
  }

 private:
  std::unordered_map<StorageId, at::Tensor> copies_;
};

/// Whether an output is memory of an operand's: a view, whose content the other operands, as
/// expand_as's second, say nothing of.
bool is_view_of_operand(const Graph& graph, const Node& node, ValueId output) {
  bool found = false;
  for_each_input(
      node, [&](ValueId id) { found |= graph.value(id).storage == graph.value(output).storage; });
  return found;
}

}  // namespace

/// Storages whose content no input and no generator influences. A least fixpoint from the top: a
/// storage leaves the set when anything outside makes it, writes it, or reads it before its last
/// write.
std::vector<char> Recorder::constant_storages() const {
  std::vector<char> constant(graph_.storages.size());
  for (size_t s = 0; s < constant.size(); ++s)
    constant[s] = graph_.storages[s].kind != Storage::Kind::kInput;
  const auto leave = [&](ValueId id, bool* changed) {
    char& flag = constant[static_cast<size_t>(graph_.value(id).storage)];
    *changed |= flag != 0;
    flag = 0;
  };
  for (bool changed = true; changed;) {
    changed = false;
    std::vector<char> read_outside(constant.size());
    for (const Node& node : graph_.nodes) {
      const bool folds = !node.draws && !node.reads_host &&
                         touches(graph_, node, constant, false) &&
                         !widens_byte_weights(graph_, node);
      for (const ValueId id : node.writes) {
        if (!folds || read_outside[static_cast<size_t>(graph_.value(id).storage)] != 0)
          leave(id, &changed);
      }
      if (folds) continue;
      for (const ValueId id : node.outputs) {
        if (id != kNone && !is_view_of_operand(graph_, node, id)) leave(id, &changed);
      }
      for_each_input(node, [&](ValueId id) {
        read_outside[static_cast<size_t>(graph_.value(id).storage)] = 1;
      });
    }
  }
  return constant;
}

void Recorder::keep_constants(Recording* out, const std::vector<char>& constant) {
  std::unordered_set<ValueId> kept;
  std::unordered_set<StorageId> made;
  for (const Node& node : graph_.nodes) {
    for (const ValueId id : node.outputs) {
      if (id != kNone) made.insert(graph_.value(id).storage);
    }
  }
  std::erase_if(graph_.nodes,
                [&](const Node& n) { return !n.reads_host && touches(graph_, n, constant, true); });
  std::unordered_set<StorageId> leaving;
  for (const ValueId id : graph_.outputs) leaving.insert(graph_.value(id).storage);
  OwnCopies copies;
  const auto keep = [&](ValueId id) {
    const StorageId s = graph_.value(id).storage;
    if (constant[static_cast<size_t>(s)] == 0 || !kept.insert(id).second) return;
    Storage& storage = graph_.storages[static_cast<size_t>(s)];
    const int index = static_cast<int>(graph_.constants.size());
    if (storage.index == kNone) storage.index = index;
    storage.derived = storage.kind == Storage::Kind::kLocal;
    storage.kind = storage.derived ? Storage::Kind::kLocal : storage.kind;
    const at::Tensor& tensor = tensors_[static_cast<size_t>(id)];
    Value& v = graph_.value(id);
    if (tensor.numel() == 1 && tensor.is_cpu() && !v.opaque) {
      v.has_scalar = true;
      v.scalar = scalar_of(tensor);
    }
    graph_.constants.push_back(id);
    out->constants.push_back(storage.derived && leaving.contains(s) ? copies.of(s, tensor)
                                                                    : tensor);
  };
  for (const Node& node : graph_.nodes) {
    for_each_input(node, keep);
    for (const ValueId id : node.outputs) {
      if (id != kNone) keep(id);
    }
  }
  for (const ValueId id : graph_.outputs) keep(id);
  for (const ValueId id : graph_.constants)
    graph_.storages[static_cast<size_t>(graph_.value(id).storage)].kind = Storage::Kind::kConstant;
}

Pattern Recorder::pattern_of(const std::vector<c10::IValue>& values) {
  return Pattern::of(
      values,
      [&](const at::Tensor& tensor) {
        const ValueId id = intern(tensor);
        const auto [it, is_new] =
            output_leaf_.try_emplace(id, static_cast<int>(graph_.outputs.size()));
        if (is_new) graph_.outputs.push_back(id);
        return it->second;
      },
      &containers_);
}

void Recorder::make_holes(const Place& place, Pattern* pattern) const {
  for (size_t i = 0; i < place.live.size(); ++i) {
    const auto it = std::find(read_registers_.begin(), read_registers_.end(), place.live[i]);
    if (it == read_registers_.end()) continue;
    pattern->items()[i] = PatternItem{};
    pattern->items()[i].kind = PatternItem::Kind::kHole;
    pattern->items()[i].leaf = static_cast<int>(it - read_registers_.begin());
  }
}

/// What of a value that leaves follows from open numbers is computed in each call, after the values
/// that a read gave.
void Recorder::open_items(PatternItem* item, const Openness& openness) {
  if (openness.number >= 0) {
    *item = PatternItem{};
    item->kind = PatternItem::Kind::kHole;
    item->leaf =
        static_cast<int>(read_registers_.size()) + numbers_->program().add_leaving(openness.number);
  }
  if (item->kind == PatternItem::Kind::kSame) return;  // opened where it was first
  for (size_t i = 0; i < openness.elements.size(); ++i)
    open_items(&item->children[i], openness.elements[i]);
}

/// Whether the block gives another number than it began with, though in the recorded call the two
/// may be equal.
bool Recorder::changes_openly(size_t slot) const {
  if (numbers_ == nullptr) return false;
  const auto& positions = numbers_->positions();
  const int position = static_cast<int>(inputs_.items().size() - first_state_.size() + slot);
  const auto it = std::find(positions.begin(), positions.end(), position);
  const int own = it == positions.end() ? -1 : static_cast<int>(it - positions.begin());
  return numbers_->of_slot(static_cast<int>(slot)).number != own;
}

void Recorder::check_references(const std::vector<c10::IValue>& results, bool goes_on) {
  std::vector<const void*> lists, unused;
  std::vector<c10::IValue> objects, known;
  for (const c10::IValue& v : results) collect_references(v, &lists, &objects);
  for (const c10::IValue& v : arguments_) collect_references(v, &unused, &known);
  for (const c10::IValue& object : objects) {
    const bool module = object.isObject() && object.toObjectRef().type()->is_module();
    const bool from_outside =
        std::any_of(known.begin(), known.end(), [&](const c10::IValue& k) { return k.is(object); });
    if (!module && !from_outside)
      abandon(fmt::format("a {} made by the model outlives the block", object.tagKind()));
  }
  for (const auto& [attribute, slot] : slots_) {
    if (std::find(lists.begin(), lists.end(), attribute.first) != lists.end())
      abandon("an object of the model's own outlives the block");
  }
  const bool callers = goes_on && std::any_of(lists.begin(), lists.end(), [&](const void* l) {
                         return std::find(unused.begin(), unused.end(), l) != unused.end();
                       });
  if (callers) abandon("a list, a dict or an object of the caller is used after the block ends");
}

/// A container that isn't there before it is needed again was in a value that a call computes.
void Recorder::check_containers(const Recording& recording) {
  std::vector<int> made, taken;
  recording.outputs.list_containers(&made, &taken);
  recording.state.list_containers(&made, &taken);
  std::sort(made.begin(), made.end());
  for (const int container : taken) {
    if (!std::binary_search(made.begin(), made.end(), container))
      abandon("a list that was read from data is held in two places where the block ends");
  }
}

void Recorder::check_selects() {
  for (const auto& [node, id] : selects_) {
    const StorageId s = graph_.value(id).storage;
    const auto in_storage = [&](ValueId v) { return v != kNone && graph_.value(v).storage == s; };
    bool bad = std::any_of(graph_.outputs.begin(), graph_.outputs.end(), in_storage);
    for (const Node& n : graph_.nodes)
      bad |= std::any_of(n.writes.begin(), n.writes.end(), in_storage);
    if (!bad) continue;
    node->may_select = false;  // the branch may hand on a tensor itself, which a select would copy
    abandon("the result of an If leaves the block or is written; the next call records a branch",
            true);
  }
}

std::optional<Recording> Recorder::finish(const std::vector<c10::IValue>& results,
                                          const std::vector<c10::IValue>& state,
                                          const std::optional<Place>& place) {
  Recording out;
  std::vector<const at::Tensor*> leaves;
  if (!inputs_.match_prefix(arguments_, &leaves))
    abandon(
        "the model changes a list, a dict, an object or the shape of an argument of its caller");
  for (size_t i = 0; i < leaves.size() && !abandoned(); ++i) {
    const auto id = ids_.find(leaves[i]->unsafeGetTensorImpl());
    const bool same =
        id != ids_.end() && graph_.storage_of(id->second).kind == Storage::Kind::kInput;
    if (!same) abandon("the model puts another tensor into a list, dict or object of its caller");
  }
  check_references(results, place.has_value());
  out.outputs = pattern_of(results);
  if (place) make_holes(*place, &out.outputs);
  if (numbers_ != nullptr) {
    const auto leaving = place ? numbers_->of(place->live) : numbers_->returned();
    for (size_t i = 0; i < leaving.size(); ++i) open_items(&out.outputs.items()[i], leaving[i]);
  }
  std::vector<c10::IValue> changed;
  for (size_t i = 0; i < state.size(); ++i) {
    const bool container =
        state[i].isList() || state[i].isGenericDict() || is_plain_object(state[i]);
    if (!container && state[i].is(first_state_[i]) && !changes_openly(i)) continue;
    out.state_slots.push_back(static_cast<int>(i));
    changed.push_back(state[i]);
  }
  out.state = pattern_of(changed);
  for (size_t i = 0; numbers_ != nullptr && i < changed.size(); ++i)
    open_items(&out.state.items()[i], numbers_->of_slot(out.state_slots[i]));
  if (numbers_ != nullptr) inputs_.set_numbers(numbers_->take());
  check_containers(out);
  check_selects();
  for (const Node& node : graph_.nodes) {
    for (const ValueId id : node.writes) {
      const Storage& storage = graph_.storage_of(id);
      if (storage.kind == Storage::Kind::kInput) out.written_inputs.push_back(storage.index);
    }
  }
  for (const int written : out.written_inputs) {
    const auto is_written = [&](const auto& pair) { return pair.first == written; };
    if (std::any_of(overlaps_.begin(), overlaps_.end(), is_written))
      abandon("inputs that share memory, one of them written in place");
  }
  if (abandoned()) return std::nullopt;
  keep_constants(&out, constant_storages());
  graph_.ending = {place ? ending_ : Ending::Kind::kReturn, end_source_};
  out.graph = std::move(graph_);
  out.opaques = std::move(opaques_);
  out.inputs = std::move(inputs_);
  out.next = place;
  out.same_inputs = std::move(same_inputs_);
  out.ended_by = ended_by_;
  return out;
}

}  // namespace torchweld
