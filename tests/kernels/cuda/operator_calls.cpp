#include "tests/kernels/cuda/operator_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "kernels/cuda/embedding_bag.h"
#include "kernels/cuda/regions.h"
#include "kernels/cuda/suppression.h"
#include "tests/kernels/cuda/bytes.h"
#include "tests/kernels/cuda/case.h"

namespace torchweld {
namespace {

/// The operands of one call in a device's memory.
class Operands {
 public:
  explicit Operands(cuda::Device* device) : device_(device) {}
  /// Releasing waits for what is queued. After a report that would fail again: the memory is left
  /// to the device.
  ~Operands() {
    if (std::uncaught_exceptions() > 0) return;
    for (void* m : memory_) device_->release(m);
  }
  Operands(const Operands&) = delete;
  Operands& operator=(const Operands&) = delete;

  template <class T>
  void* place(const std::vector<T>& values) {
    void* const to = empty(values.size() * sizeof(T));
    device_->copy(to, values.data(), static_cast<int64_t>(values.size() * sizeof(T)), nullptr);
    device_->synchronize(cuda::Stream{});
    return to;
  }
  void* empty(size_t bytes) {
    memory_.push_back(device_->allocate(static_cast<int64_t>(bytes)));
    return memory_.back();
  }
  std::vector<uint8_t> read(const void* from, size_t bytes) {
    std::vector<uint8_t> result(bytes);
    device_->copy(result.data(), from, static_cast<int64_t>(bytes), nullptr);
    device_->synchronize(cuda::Stream{});
    return result;
  }

 private:
  cuda::Device* device_;
  std::vector<void*> memory_;
};

RegionShape region_shape(RegionMode mode, DType dtype, int64_t count, bool dense) {
  RegionShape s;
  s.dtype = dtype;
  s.mode = mode;
  s.images = 2;
  s.channels = 4;
  s.height = 16;
  s.width = 24;
  s.image_strides = {4 * 16 * 24, 16 * 24, 24, 1};
  if (!dense) s.image_strides = {4 * 16 * 24, 1, 24 * 4, 4};
  s.regions = count;
  s.region_strides = {5, 1};
  if (!dense) s.region_strides = {1, count};
  s.out_height = 3;
  s.out_width = 5;
  s.sampling = 2;
  return s;
}

/// [regions, 5], laid out by the shape's strides.
std::vector<double> corners_of(const RegionShape& s) {
  std::vector<double> all(static_cast<size_t>(5 * s.regions));
  for (int64_t r = 0; r < s.regions; ++r) {
    const auto left = static_cast<double>(r * 7 % 22 - 2);
    const auto top = static_cast<double>(r * 5 % 14 - 1);
    const double region[] = {static_cast<double>(r % 2), left, top, left + 6.5, top + 4.25};
    for (int64_t which = 0; which < 5; ++which)
      all[static_cast<size_t>(r * s.region_strides[0] + which * s.region_strides[1])] =
          region[which];
  }
  return all;
}

std::vector<uint8_t> run_region_call(const RegionShape& s,
                                     const std::shared_ptr<cuda::Compiler>& compiler) {
  Operands operands(&compiler->device());
  const auto cells = static_cast<size_t>(s.regions * s.cells());
  const size_t bytes = cells * static_cast<size_t>(size_of(s.dtype));
  RegionPointers pointers;
  pointers.images =
      operands.place(case_values(s.dtype, s.images * s.channels * s.height * s.width, 2, false));
  pointers.regions = operands.place(bytes_of(s.dtype, corners_of(s)));
  pointers.out = operands.empty(bytes);
  const bool pools = s.mode == RegionMode::kPool;
  if (pools) pointers.places = static_cast<int32_t*>(operands.empty(cells * sizeof(int32_t)));
  cuda::Regions kernels(compiler);  // the queue holds its functions
  kernels.launch(s, pointers, nullptr);
  std::vector<uint8_t> result = operands.read(pointers.out, bytes);
  if (!pools) return result;
  const std::vector<uint8_t> places = operands.read(pointers.places, cells * sizeof(int32_t));
  result.insert(result.end(), places.begin(), places.end());
  return result;
}

/// A grid of boxes, each overlapping those beside it, which are 59 places before and after it: in
/// the same word of a mask or in the next.
std::vector<double> boxes_of(int64_t count) {
  std::vector<double> all;
  for (int64_t i = 0; i < count; ++i) {
    const auto left = static_cast<double>(i * 61 % 20 * 2);
    const auto top = static_cast<double>(i * 61 / 20 % 20 * 3);
    all.insert(all.end(), {left, top, left + 4, top + 4});
  }
  return all;
}

std::vector<uint8_t> run_suppression_call(const SuppressionShape& s,
                                          const std::shared_ptr<cuda::Compiler>& compiler) {
  cuda::Device& device = compiler->device();
  Operands operands(&device);
  SuppressionPointers pointers;
  pointers.boxes = operands.place(bytes_of(s.dtype, boxes_of(s.count)));
  const auto words = static_cast<size_t>(s.scratch_words());
  pointers.scratch = static_cast<uint64_t*>(operands.empty(words * sizeof(uint64_t)));
  device.fill(pointers.scratch + s.scratch_words() - s.words(), 0, s.words() * 8, nullptr);
  pointers.kept = static_cast<bool*>(operands.empty(static_cast<size_t>(s.count)));
  cuda::Suppression kernels(compiler);  // the queue holds its functions
  kernels.launch(s, pointers, nullptr);
  return operands.read(pointers.kept, static_cast<size_t>(s.count));
}

constexpr int64_t kTableRows = 50, kColumns = 128;

EmbeddingBagShape bag_shape(BagMode mode, DType dtype, int64_t bags, bool odd) {
  EmbeddingBagShape s;
  s.dtype = dtype;
  s.mode = mode;
  s.rows = kTableRows;
  s.columns = kColumns;
  s.row_stride = odd ? kColumns + 16 : kColumns;
  s.bags = bags;
  s.index_count = 2 * bags;
  return s;
}

std::vector<uint8_t> run_bag_call(const EmbeddingBagShape& s, bool odd,
                                  const std::shared_ptr<cuda::Compiler>& compiler) {
  Operands operands(&compiler->device());
  std::vector<int64_t> indices, offsets;
  for (int64_t i = 0; i < s.index_count; ++i)
    indices.push_back(odd && i % 5 == 3 ? s.rows : i * 29 % s.rows);
  for (int64_t i = 0; i < s.bags; ++i) offsets.push_back(2 * i - (i % 4 == 3 ? 2 : 0));
  if (odd) offsets.back() = s.index_count + 9;  // ends the bag before it, and is empty itself
  const auto bytes = static_cast<size_t>(s.bags * s.columns * size_of(s.dtype));
  EmbeddingBagPointers pointers;
  pointers.table =
      operands.place(case_values(s.dtype, (s.rows - 1) * s.row_stride + s.columns, 2, false));
  pointers.indices = operands.place(indices);
  pointers.offsets = operands.place(offsets);
  pointers.out = operands.empty(bytes);
  cuda::EmbeddingBag kernels(compiler);  // the queue holds its functions
  kernels.launch(s, pointers, nullptr);
  return operands.read(pointers.out, bytes);
}

}  // namespace

OperatorCall region_call(RegionMode mode, DType dtype, int64_t count, bool dense) {
  const RegionShape shape = region_shape(mode, dtype, count, dense);
  return {fmt::format("roi_{}_{}", mode == RegionMode::kAlign ? "align" : "pool", name_of(dtype)),
          cuda::Regions::source_of(shape),
          [shape](const auto& compiler) { return run_region_call(shape, compiler); }};
}

OperatorCall suppression_call(DType dtype, int64_t count, int64_t strip) {
  const SuppressionShape shape{dtype, count, 0.3, strip};
  return {fmt::format("nms_{}", name_of(dtype)), cuda::Suppression::source_of(dtype),
          [shape](const auto& compiler) { return run_suppression_call(shape, compiler); }};
}

OperatorCall embedding_bag_call(BagMode mode, DType dtype, int64_t bags, bool odd) {
  const EmbeddingBagShape shape = bag_shape(mode, dtype, bags, odd);
  const char* const name = mode == BagMode::kSum ? "sum" : mode == BagMode::kMean ? "mean" : "max";
  return {fmt::format("embedding_bag_{}_{}", name, name_of(dtype)),
          cuda::EmbeddingBag::source_of(shape),
          [shape, odd](const auto& compiler) { return run_bag_call(shape, odd, compiler); }};
}

}  // namespace torchweld
