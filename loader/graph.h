// What was recorded for one block and one signature: typed, shaped, straight-line. Plain data, no
// LibTorch. How it is made: recorder.h. Its text form: graph_text.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "kernels/dtype.h"

namespace torchweld {

using ValueId = int32_t;
using StorageId = int32_t;
using NodeId = int32_t;

inline constexpr int32_t kNone = -1;

/// A piece of memory; values are views of storages.
struct Storage {
  enum class Kind : uint8_t { kInput, kConstant, kLocal };
  Kind kind = Kind::kLocal;
  int index = kNone;     ///< kInput: the tensor input; kConstant: the constant
  int64_t bytes = 0;     ///< kLocal: what the operator that made it allocated
  bool derived = false;  ///< kConstant: computed from weights while recording, so nobody outside
                         ///< may see it written
};

/// A tensor as the recording saw it: a strided view of a storage.
struct Value {
  DType dtype = DType::kOther;
  std::vector<int64_t> sizes, strides;  ///< in elements
  int64_t offset =
      0;  ///< elements from the start of the storage (an input: from its first element)
  StorageId storage = kNone;
  bool has_scalar = false;  ///< a constant of one element whose value is known
  double scalar = 0;        ///< exact for floating types, bool and integers up to 2^53
  bool opaque = false;      ///< not plain: only eager steps may touch it, and views of its parts

  int64_t elements() const;
  bool same_layout(const Value& other) const;  ///< equal dtype, sizes, strides, offset and storage
};

/// One argument of a node.
struct Arg {
  struct Tensor {
    ValueId id = kNone;  ///< kNone: an undefined tensor
    bool operator==(const Tensor&) const = default;
  };
  struct TensorList {
    std::vector<ValueId> ids;
    bool operator==(const TensorList&) const = default;
  };
  struct Device {
    std::string name;
    bool operator==(const Device&) const = default;
  };
  struct Opaque {  ///< a host value that only LibTorch understands; kept beside the graph
    int index = kNone;
    bool operator==(const Opaque&) const = default;
  };
  using Ints = std::vector<int64_t>;
  using Floats = std::vector<double>;
  using Bools = std::vector<bool>;

  std::variant<std::monostate, Tensor, TensorList, int64_t, double, bool, std::string, Ints, Floats,
               Bools, Device, Opaque>
      value;
  bool operator==(const Arg&) const = default;

  bool is_none() const { return std::holds_alternative<std::monostate>(value); }
  const Tensor* tensor() const { return std::get_if<Tensor>(&value); }
  const TensorList* tensor_list() const { return std::get_if<TensorList>(&value); }
};

/// Why LibTorch's own steps run for a node, whatever the planner could make of it.
enum class Whole : uint8_t {
  kNo,       ///< they don't
  kFaster,   ///< they are faster
  kRounding  ///< the results depend on how they round
};

/// One operator call.
struct Node {
  std::string op;                ///< "aten::add.Tensor"
  std::vector<Arg> args;         ///< in the schema's order, defaults filled in
  std::vector<ValueId> outputs;  ///< kNone where an output is not a tensor or undefined
  std::vector<ValueId> writes;   ///< values written in place
  bool pure = true;              ///< no writes, same result for same arguments
  bool draws = false;            ///< takes random numbers from a generator
  bool reads_host = false;  ///< the last node of a block whose results are host values (item, bool)
  std::string source;       ///< archive source line
  std::string part_of = {};  ///< the composite operator that the planner took it from; empty: none
  std::vector<NodeId> recorded =
      {};  ///< the nodes of the recording that it stands for; the planner's
  Whole stays_whole = Whole::kNo;
};

/// How a block ends.
struct Ending {
  enum class Kind : uint8_t { kReturn, kHostRead, kDynamicShape, kJoin };
  Kind kind = Kind::kReturn;
  std::string source;  ///< of the node at which a block ends early
};

/// A recorded block.
struct Graph {
  std::vector<Storage> storages;
  std::vector<Value> values;
  std::vector<Node> setup;  ///< run once when a plan is bound; their results are the last constants
  std::vector<Node> nodes;
  std::vector<ValueId> inputs;     ///< one for each tensor of the signature, in its order
  std::vector<ValueId> constants;  ///< one for each constant storage, in index order
  std::vector<ValueId> outputs;    ///< one for each tensor that leaves the block
  Ending ending;
  /// By values that hold others of the recording in another layout: those. The planner's.
  std::map<ValueId, ValueId> relaid;

  const Storage& storage_of(ValueId v) const {
    return storages[static_cast<size_t>(value(v).storage)];
  }
  const Value& value(ValueId v) const { return values[static_cast<size_t>(v)]; }
  Value& value(ValueId v) { return values[static_cast<size_t>(v)]; }
  ValueId add(Value v);
  StorageId add(Storage s);
};

/// Calls f(ValueId) for each tensor that the node takes as an argument.
template <class F>
void for_each_input(const Node& node, F&& f) {
  for (const Arg& arg : node.args) {
    if (const auto* t = arg.tensor(); t != nullptr && t->id != kNone) f(t->id);
    if (const auto* list = arg.tensor_list()) {
      for (const ValueId id : list->ids) {
        if (id != kNone) f(id);
      }
    }
  }
}

/// Calls f(ValueId&) for each tensor argument, to be replaced in place.
template <class F>
void for_each_input(Node& node, F&& f) {
  for (Arg& arg : node.args) {
    if (auto* t = std::get_if<Arg::Tensor>(&arg.value); t != nullptr && t->id != kNone) f(t->id);
    if (auto* list = std::get_if<Arg::TensorList>(&arg.value)) {
      for (ValueId& id : list->ids) {
        if (id != kNone) f(id);
      }
    }
  }
}

/// Row-major strides of a dense tensor.
std::vector<int64_t> contiguous_strides(const std::vector<int64_t>& sizes);

/// Whether a value's elements fill one gapless range of memory, each once, in any order of
/// dimensions.
bool is_dense(const Value& value);

/// Bytes between a value's first and one past its last element.
int64_t extent_bytes(const Value& value);

/// Whether two values show some element of one storage both. Exact where their strides are equal,
/// as those of chunks; otherwise it may say so of values that lie between each other.
bool may_overlap(const Value& a, const Value& b);

}  // namespace torchweld
