// The structure of a list of IValues with its tensors taken out: containers, host values, numbered
// tensor leaves. As a signature it is matched against the inputs of a call; as a form it is filled
// with the tensors of a result.
#pragma once

#include <ATen/core/ivalue.h>

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "loader/number_program.h"

namespace torchweld {

/// What a plan depends on of a tensor.
struct TensorMeta {
  c10::ScalarType scalar_type = c10::ScalarType::Undefined;
  uint64_t key_set = 0;  ///< layout, device type, conjugate and negative bits, inference mode
  c10::Device device = c10::kCPU;
  std::vector<int64_t> sizes, strides;

  explicit TensorMeta(const at::Tensor& tensor);
  TensorMeta() = default;
  bool matches(const at::Tensor& tensor) const;
};

/// One element of a pattern.
struct PatternItem {
  enum class Kind : uint8_t { kTensor, kHost, kList, kTuple, kDict, kObject, kSame, kHole };
  Kind kind = Kind::kHost;
  int leaf = -1;  ///< kTensor: number of the tensor; kHole: number of the host value; kList, kDict
                  ///< and kObject, which are changed in place: number of the container; kSame:
                  ///< of the one seen before that this is
  TensorMeta meta;   ///< kTensor
  c10::IValue host;  ///< kHost: compared by value; a reference by identity. kHole of a signature: a
                     ///< number of the kind that may be there
  c10::TypePtr type;                  ///< kList: element type; kTuple, kDict, kObject: its type
  std::vector<PatternItem> children;  ///< kDict: key, value, key, value ...; kObject: attributes
};

/// A list of items. Immutable once built.
class Pattern {
 public:
  /// Gives the number of a tensor leaf; equal numbers for one tensor seen twice are allowed.
  using NumberTensor = std::function<int(const at::Tensor&)>;
  /// Gives the number of a host value that is not fixed by the pattern, or -1.
  using NumberHost = std::function<int(const c10::IValue&)>;

  /// Containers already numbered, by identity.
  using Containers = std::unordered_map<const void*, int>;

  /// `containers`: those of patterns that are filled before, whose numbers go on.
  static Pattern of(const std::vector<c10::IValue>& values, const NumberTensor& number_tensor,
                    Containers* containers = nullptr);

  /// Whether `values` have this structure, with the same containers at the same places; if so,
  /// appends their tensors to `leaves` in leaf order. Never allocates when `leaves` has room. Only
  /// for patterns whose leaves are numbered in order.
  bool match(const std::vector<c10::IValue>& values, std::vector<const at::Tensor*>* leaves) const;

  /// As match, for values that are only the pattern's first ones.
  bool match_prefix(const std::vector<c10::IValue>& values,
                    std::vector<const at::Tensor*>* leaves) const;

  /// Appends the values again to `values`, with `tensors[leaf]` in place of each tensor and
  /// `holes[leaf]` in place of each hole. `containers`: those made so far, by number.
  void fill(const std::vector<at::Tensor>& tensors, const std::vector<c10::IValue>& holes,
            std::vector<c10::IValue>* containers, std::vector<c10::IValue>* values) const;

  /// Appends the numbers of containers that fill makes, and of those that it takes as made.
  void list_containers(std::vector<int>* made, std::vector<int>* taken) const;

  /// Whether it is one tensor in no container.
  bool is_one_tensor() const {
    return items_.size() == 1 && items_[0].kind == PatternItem::Kind::kTensor;
  }

  /// Lets any number of the same kind be at these places, instead of the one that was there.
  void open(const std::vector<int>& positions);

  /// What a match computes of open numbers: its tensors come after the values' own, and it may say
  /// that the values don't match.
  void set_numbers(std::shared_ptr<const NumberProgram> numbers) { numbers_ = std::move(numbers); }
  const NumberProgram* numbers() const { return numbers_.get(); }

  /// Whether values differ from the pattern in top-level numbers alone; appends their places, and
  /// those that are open already.
  bool differs_in_numbers(const std::vector<c10::IValue>& values, std::vector<int>* places) const;

  /// A top-level value that doesn't match, as describe() has both.
  struct Difference {
    size_t index = 0;
    std::string before, now;
  };
  std::vector<Difference> differences(const std::vector<c10::IValue>& values) const;

  /// A shallow description: "f32[3,4], int 5, (i64[2], none)".
  std::string describe() const;

  const std::vector<PatternItem>& items() const { return items_; }
  std::vector<PatternItem>& items() { return items_; }

 private:
  std::vector<PatternItem> items_;
  std::shared_ptr<const NumberProgram> numbers_;
};

/// Whether it is an object of a scripted class: what its attributes hold, unlike a module or a
/// class written in C++.
bool is_plain_object(const c10::IValue& value);

/// A host value that isn't compared or rebuilt by value: modules, generators, futures.
bool is_reference(const c10::IValue& value);

/// A hash of a signature: equal for values that one pattern matches.
uint64_t hash_of(const std::vector<c10::IValue>& values);

/// Calls f with each tensor inside a value, in order, undefined ones too.
void for_each_tensor(const c10::IValue& value, const std::function<void(const at::Tensor&)>& f);

/// "f32[3,4]" for a tensor; what messages call a value.
std::string describe(const at::Tensor& tensor);

/// A copy with no shared tensor or container.
c10::IValue deep_copy(const c10::IValue& value);

}  // namespace torchweld
