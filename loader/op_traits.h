// What the recorder must know of an operator before it runs: what it writes, reads and promises.
#pragma once

#include <ATen/core/function_schema.h>
#include <ATen/core/ivalue.h>

#include <vector>

namespace torchweld {

/// Facts about one operator, from its schema and its tags.
struct OpTraits {
  std::vector<bool> writes;    ///< by argument: written in place
  bool random = false;         ///< may draw from a generator; see draws()
  int train_at = -1;           ///< random only: the argument without which nothing is dropped ...
  int probability_at = -1;     ///< ... and that of how much; -1: there is none
  bool reads_data = false;     ///< gives host values that come from tensor data (item, bool, equal)
  bool dynamic_shape = false;  ///< the shapes of its results depend on tensor data
  bool bool_index = false;     ///< dynamic_shape only when an index is a mask (index.Tensor)
  bool has_tensor_result = false;
};

OpTraits traits_of(const c10::FunctionSchema& schema);

/// Whether a call with these arguments draws from a generator. Layers with dropout don't outside of
/// training, attention doesn't where it drops nothing.
bool draws(const OpTraits& traits, const std::vector<c10::IValue>& arguments);

}  // namespace torchweld
