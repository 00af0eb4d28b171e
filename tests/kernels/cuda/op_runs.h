// The calls that each row of the op table is tested with as CUDA.
#pragma once

#include <string>
#include <vector>

#include "tests/kernels/op_table_case.h"

namespace torchweld {

/// One call, and what is known of its result.
struct OpRun {
  Built built;
  at::Tensor eager, reference;
  OpLayout layout;
  std::string what;
};

/// The calls that the row takes: schemas, dtypes, layouts and special values.
std::vector<OpRun> op_runs(const OpRow& row);

}  // namespace torchweld
