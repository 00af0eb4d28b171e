// What the recorder must know of an operator before it runs: what it writes, reads and promises.
#pragma once

#include <ATen/core/function_schema.h>

#include <vector>

namespace torchweld {

/// Facts about one operator, from its schema and its tags.
struct OpTraits {
  std::vector<bool> writes;    ///< by argument: written in place
  bool random = false;         ///< draws from a generator
  int train = -1;              ///< the argument that, false, keeps it from drawing; -1: none
  bool reads_data = false;     ///< gives host values that come from tensor data (item, bool, equal)
  bool dynamic_shape = false;  ///< the shapes of its results depend on tensor data
  bool bool_index = false;     ///< dynamic_shape only when an index is a mask (index.Tensor)
  bool has_tensor_result = false;
};

OpTraits traits_of(const c10::FunctionSchema& schema);

}  // namespace torchweld
