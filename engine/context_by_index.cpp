// The executor's steps whose places are data, rows of packed sequences among them: on the host an
// index that names none is an error of the call, as of LibTorch's operators.
#include <fmt/format.h>

#include <cstring>
#include <stdexcept>

#include "engine/context.h"
#include "kernels/by_index.h"
#include "kernels/embedding_bag.h"
#include "loader/operator_errors.h"

namespace torchweld {

void Context::fail(const Step& step, const std::string& what) const {
  const Node& node = plan_.graph.nodes[static_cast<size_t>(step.nodes[0])];
  std::vector<c10::IValue> operands;
  for_each_input(node, [&](ValueId id) { operands.emplace_back(tensor_of(id)); });
  const std::string& op = node.part_of.empty() ? node.op : node.part_of;
  throw operator_error(op, node.source, operands, std::out_of_range(what));
}

void Context::run_by_index(const Step& step) {
  const ByIndexCall& b = step.by_index;
  ByIndexPointers at;
  at.table = address(b.table);
  at.operand = b.operand_value == kNone ? const_cast<char*>(b.number.data()) : address(b.operand);
  for (size_t k = 0; k < b.index_values.size(); ++k) at.index[k] = address(b.index[k]);
  if (b.zeroed_bytes > 0) std::memset(at.table, 0, static_cast<size_t>(b.zeroed_bytes));
  const auto bad = torchweld::run_by_index(b.shape, at, site_.parallel);
  if (bad && b.shape.how == ByIndex::kMasked)
    fail(step, fmt::format("Number of elements of source < number of ones in mask ({} < {})",
                           b.shape.index[0].extent, bad->value));
  if (bad)
    fail(step, fmt::format("index {} names none of {} places", bad->value,
                           b.shape.index[static_cast<size_t>(bad->index)].extent));
}

void Context::run_embedding_bag(const Step& step) {
  const EmbeddingBagCall& b = step.bag;
  const auto at = [this](const Location& where) -> char* {
    return where.buffer == kNone ? nullptr : address(where);
  };
  const EmbeddingBagPointers pointers{at(b.table), at(b.indices), at(b.offsets), at(b.weights),
                                      at(b.out)};
  if (cuda::EmbeddingBag* bags = bound_.runtime().embedding_bag()) {
    bags->launch(b.shape, pointers, static_cast<cuda::Stream>(site_.stream));
  } else if (const auto fault = embedding_bag(b.shape, pointers, site_.parallel)) {
    fail(step, *fault);
  }
}

void Context::run_recurrence(size_t index) {
  const Step& step = plan_.steps[index];
  const RecurrenceCall& r = step.recurrence;
  x86::RecurrenceOperands operands{floats(r.x), floats(r.h),     floats(r.c),
                                   floats(r.y), floats(r.h_out), floats(r.c_out)};
  if (r.batch_sizes_value != kNone) {
    operands.batch_sizes = reinterpret_cast<const int64_t*>(address(r.batch_sizes));
    if (!x86::are_batch_sizes(r.shape, operands.batch_sizes))
      fail(step, fmt::format("the sizes of batches don't begin with {}, fall, and sum to {}",
                             r.shape.batch, r.shape.packed_rows));
  }
  bound_.recurrence(index).run(operands, reinterpret_cast<float*>(scratch_of(step)),
                               site_.parallel);
}

void Context::run_regions(const Step& step) {
  const RegionsCall& r = step.regions;
  RegionPointers pointers{address(r.images), address(r.regions), address(r.out)};
  if (r.places.buffer != kNone) pointers.places = reinterpret_cast<int32_t*>(address(r.places));
  bound_.runtime().regions()->launch(r.shape, pointers, static_cast<cuda::Stream>(site_.stream));
}

}  // namespace torchweld
