// Observes a walk and writes a Graph of what happened: shapes, strides, aliases and in-place writes
// as they really are.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/stack.h>

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "loader/code.h"
#include "loader/open_numbers.h"
#include "loader/recording.h"

namespace torchweld {

struct Twin;

/// Records one block. Every tensor seen stays alive until the recorder is gone, so that identities
/// stay unique.
class Recorder {
 public:
  /// `values`: what the block starts with (arguments or an environment, then the state); its
  /// tensors become inputs. `arguments`: how many of them belong to the caller, whose lists the
  /// model may change in place. `slots`: which attributes `state` has. `open`: positions of numbers
  /// among `values` that are not to be constants of the recording, where what is done with them
  /// allows it.
  Recorder(const std::vector<c10::IValue>& values, size_t arguments,
           const std::vector<c10::IValue>& state, const StateSlots& slots,
           const std::vector<int>& open = {});
  ~Recorder();

  /// Called around each operator of the walk.
  void before(const CodeNode& node, const torch::jit::Stack& stack);
  /// True when the block ends after this operator: what follows depends on tensor data.
  bool after(const CodeNode& node, const torch::jit::Stack& stack);

  /// Whether a value is a tensor that is not the same for all calls of this signature.
  bool depends_on_inputs(const c10::IValue& value) const;

  /// Records a choice between two results by a condition of one element; nullopt when they differ
  /// in dtype or shape.
  std::optional<c10::IValue> select(const at::Tensor& condition, const c10::IValue& yes,
                                    const c10::IValue& no, const CodeNode& node);

  /// What follows from open numbers; null where none is.
  OpenNumbers* numbers() { return numbers_.get(); }

  /// Gives the recording up. `transient`: a later call may be recorded all the same.
  void abandon(const std::string& why, bool transient = false);
  bool abandoned() const { return !why_.empty(); }
  bool is_transient() const { return transient_; }
  const std::string& why() const { return why_; }

  /// A block grows too long for one plan; loops then end it at an iteration.
  bool is_too_long() const { return graph_.nodes.size() >= kMostNodes; }
  void end_by_length();
  void end_by_join(const CodeNode& node);

  /// Closes the block. `results`: what leaves it; `state`: the state now; `place`: where the walk
  /// goes on, or nullopt. nullopt when the recording had to be given up; why() tells.
  std::optional<Recording> finish(const std::vector<c10::IValue>& results,
                                  const std::vector<c10::IValue>& state,
                                  const std::optional<Place>& place);

 private:
  static constexpr size_t kMostNodes = 20000;

  ValueId intern(const at::Tensor& tensor);
  int64_t offset_in(StorageId storage, const at::Tensor& tensor) const;
  ValueId add_value(const at::Tensor& tensor, StorageId storage);
  StorageId storage_of(const at::Tensor& tensor, bool* is_new);
  bool is_recordable(const at::Tensor& tensor);
  Arg argument(const c10::IValue& value);
  void add_node(const CodeNode& node, const std::vector<at::Tensor>& outputs, bool tainted,
                bool reads);
  bool rebind_if_moved(const at::Tensor& tensor);
  bool pending_moved(ValueId id);
  std::vector<char> constant_storages() const;
  void keep_constants(Recording* out, const std::vector<char>& constant);
  Pattern pattern_of(const std::vector<c10::IValue>& values);
  void make_holes(const Place& place, Pattern* pattern) const;
  void open_items(PatternItem* item, const Openness& openness);
  bool changes_openly(size_t slot) const;
  void take_numbers(const CodeNode& node, const torch::jit::Stack& stack);
  bool express(const CodeNode& node, const torch::jit::Stack& stack);
  bool express_operand(const Twin& twin);
  bool express_range(const at::Tensor& result);
  bool express_fill(int number, const at::Tensor& result);
  void add_number(const at::Tensor& tensor);
  void add_made(const char* op, std::vector<c10::IValue> arguments, const at::Tensor& result);
  void check_references(const std::vector<c10::IValue>& results, bool goes_on);
  void check_containers(const Recording& recording);
  void check_selects();

  Graph graph_;
  Pattern inputs_;
  std::vector<c10::IValue> arguments_;
  std::vector<c10::IValue> first_state_;
  const StateSlots& slots_;
  struct Name {
    c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl> tensor;
    c10::weak_intrusive_ptr<c10::StorageImpl> storage;
  };
  std::vector<at::Tensor> tensors_;  // by ValueId; undefined once it is known to depend on inputs
  std::vector<Name> names_;          // by ValueId
  std::unordered_map<const void*, ValueId> ids_;         // by TensorImpl
  std::unordered_map<const void*, StorageId> storages_;  // by StorageImpl
  std::vector<int64_t> base_bytes_;  // by StorageId: where an input's first element is
  std::vector<char> tainted_;        // by StorageId
  std::unordered_map<ValueId, int> output_leaf_;
  Pattern::Containers containers_;  // of what leaves the block
  std::vector<std::pair<const CodeNode*, ValueId>>
      selects_;                      // Ifs that became selects, and their results
  std::vector<int> read_registers_;  // of the read that ended the block
  std::vector<std::pair<int, int>> same_inputs_;
  std::vector<std::pair<int, int>> overlaps_;  // leaves of inputs, both ways
  std::vector<c10::IValue> opaques_;
  torch::jit::Stack pending_;      // the operands of the operator that runs now
  std::vector<c10::IValue> read_;  // host values of the read that ended the block
  std::string ended_by_, end_source_;
  Ending::Kind ending_ = Ending::Kind::kReturn;
  std::unique_ptr<OpenNumbers> numbers_;
  std::vector<Openness> open_operands_;  // of the operator that runs now
  std::string source_;                   // where it stands
  bool expressed_ = false;               // it has its nodes already
  std::string expressed_as_;             // it is recorded by another name
  std::string why_;
  bool transient_ = false;
};

}  // namespace torchweld
