#include "tests/kernels/cuda/op_runs.h"

#include <iterator>
#include <sstream>

#include "loader/dtypes.h"

namespace torchweld {
namespace {

/// Everything for a row's first schema; for its others every dtype, and in float32 every variant of
/// the arguments.
std::vector<OpCase> cases_of_schema(bool first) {
  std::vector<OpCase> cases;
  for (const at::ScalarType dtype : kAten) {
    for (int layout = 0; layout < static_cast<int>(first ? OpLayout::kCount : OpLayout::kOne);
         ++layout)
      cases.push_back({dtype, dtype, static_cast<OpLayout>(layout), 0});
  }
  if (first) cases.push_back({at::kFloat, at::kLong, OpLayout::kZeroDim, 1});
  for (int variant = 1; variant < kVariants; ++variant)
    cases.push_back({at::kFloat, at::kFloat, OpLayout::kFlat, variant});
  return cases;
}

std::vector<std::string> schemas_of(const OpRow& row) {
  std::istringstream words{std::string(row.schemas)};
  return {std::istream_iterator<std::string>(words), {}};
}

void add_runs(const OpRow& row, const std::string& schema, bool first, std::vector<OpRun>* runs) {
  const size_t dot = schema.find('.');
  const auto op = c10::Dispatcher::singleton().findSchema(
      {"aten::" + schema.substr(0, dot), dot == std::string::npos ? "" : schema.substr(dot + 1)});
  if (!op) return;  // op_table_aten_test.cpp says whether it may be missing
  for (const OpCase& c : cases_of_schema(first)) {
    const c10::Stack stack = arguments_of(*op, c);
    const auto result = call(*op, stack);
    if (!result || dtype_of(result->scalar_type()) == DType::kOther) continue;
    const at::Tensor eager = result->clone();
    const auto wide = call(*op, widened(stack));
    const at::Tensor reference = wide && at::isFloatingType(eager.scalar_type()) ? *wide : eager;
    std::string why;
    const auto built = build(row, stack, eager, Rounding::kDefault, &why);
    if (!built) continue;
    runs->push_back({*built, eager, reference, c.layout,
                     schema + " " + at::toString(c.first) + "/" + at::toString(c.others) +
                         " layout " + std::to_string(static_cast<int>(c.layout)) + " variant " +
                         std::to_string(c.variant)});
  }
}

}  // namespace

std::vector<OpRun> op_runs(const OpRow& row) {
  std::vector<OpRun> runs;
  bool first = true;
  for (const std::string& schema : schemas_of(row)) {
    add_runs(row, schema, first, &runs);
    first = false;
  }
  return runs;
}

}  // namespace torchweld
