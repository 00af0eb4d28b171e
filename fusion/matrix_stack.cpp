#include "fusion/matrix_stack.h"

#include <algorithm>
#include <set>

namespace torchweld {

std::optional<MatrixStack> stack_of(const Value& v, const Sizes& sizes) {
  if (v.sizes.size() > sizes.size() || sizes.size() < 2) return std::nullopt;
  const size_t skip = sizes.size() - v.sizes.size();
  Sizes strides(sizes.size(), 0);
  for (size_t d = 0; d < v.sizes.size(); ++d) {
    if (v.sizes[d] != 1 && v.sizes[d] != sizes[skip + d]) return std::nullopt;
    strides[skip + d] = v.sizes[d] == 1 ? 0 : v.strides[d];
  }
  MatrixStack stack{v.dtype, v.storage, v.offset};
  stack.columns = sizes.back();
  stack.column_stride = strides.back();
  stack.rows = sizes[sizes.size() - 2];
  stack.row_stride = strides[sizes.size() - 2];
  stack.batch.assign(sizes.begin(), sizes.end() - 2);
  stack.batch_strides.assign(strides.begin(), strides.end() - 2);
  return stack;
}

std::optional<Sizes> common_refinement(const std::vector<Sizes>& lists) {
  std::set<int64_t> products;  // of the last dims of a list
  for (const Sizes& sizes : lists) {
    int64_t product = 1;
    for (auto size = sizes.rbegin(); size != sizes.rend(); ++size)
      products.insert(product *= *size);
  }
  products.erase(1);
  Sizes refined;
  int64_t before = 1;
  for (const int64_t product : products) {
    if (product % before != 0) return std::nullopt;
    refined.insert(refined.begin(), product / before);
    before = product;
  }
  return refined;
}

void refine(MatrixStack* stack, const Sizes& refined) {
  Sizes strides(refined.size());
  size_t next = refined.size();
  for (size_t d = stack->batch.size(); d-- > 0;) {
    int64_t rest = stack->batch[d], stride = stack->batch_strides[d];
    while (rest > 1) {
      strides[--next] = stride;
      stride *= refined[next];
      rest /= refined[next];
    }
  }
  stack->batch = refined;
  stack->batch_strides = std::move(strides);
}

void merge_batch(const std::vector<MatrixStack*>& stacks) {
  const Sizes sizes = stacks[0]->batch;
  std::vector<Sizes> strides(stacks.size());
  Sizes merged;
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == 1) continue;
    bool one_walk = !merged.empty();
    for (size_t i = 0; i < stacks.size() && one_walk; ++i)
      one_walk = strides[i].back() == stacks[i]->batch_strides[d] * sizes[d];
    if (one_walk) {
      merged.back() *= sizes[d];
      for (size_t i = 0; i < stacks.size(); ++i) strides[i].back() = stacks[i]->batch_strides[d];
      continue;
    }
    merged.push_back(sizes[d]);
    for (size_t i = 0; i < stacks.size(); ++i) strides[i].push_back(stacks[i]->batch_strides[d]);
  }
  for (size_t i = 0; i < stacks.size(); ++i) {
    stacks[i]->batch = merged;
    stacks[i]->batch_strides = std::move(strides[i]);
  }
}

}  // namespace torchweld
