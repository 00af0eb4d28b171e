// The executor.
#include "engine/context.h"

#include <algorithm>
#include <map>

#include "engine/nvtx.h"
#include "engine/step_errors.h"
#include "engine/tensors.h"
#include "kernels/x86/image_conv.h"
#include "kernels/x86/reduce.h"
#include "kernels/x86/small_conv.h"
#include "kernels/x86/winograd.h"
#include "loader/dtypes.h"
#include "torchweld/error.h"

namespace torchweld {

Context::Context(const BoundPlan& bound) : bound_(bound), plan_(bound.plan()) {
  const Graph& graph = plan_.graph;
  bases_.resize(graph.storages.size(), nullptr);
  holders_.resize(graph.storages.size());
  values_.resize(graph.values.size());
  pointers_.reserve(kMaxOperands);
  site_ = bound.runtime().site();
  make_arena();
  for (size_t s = 0; s < plan_.buffers.size(); ++s) {
    if (plan_.buffers[s].kind == Buffer::Kind::kOutput)
      output_storages_.push_back(static_cast<StorageId>(s));
  }
  for (size_t i = 0; i < graph.constants.size(); ++i) {
    const at::Tensor& tensor = bound.recording().constants[i];
    const size_t s = static_cast<size_t>(graph.value(graph.constants[i]).storage);
    values_[static_cast<size_t>(graph.constants[i])] = tensor;
    holders_[s] = tensor;
    if (tensor.has_storage()) bases_[s] = static_cast<char*>(tensor.storage().mutable_data());
  }
  wholes_.resize(graph.storages.size(), kNone);
  for (const StorageId s : output_storages_) {
    const int64_t bytes = plan_.buffers[static_cast<size_t>(s)].bytes;
    const auto whole = std::find_if(graph.outputs.begin(), graph.outputs.end(), [&](ValueId id) {
      const Value& v = graph.value(id);
      return v.storage == s && v.offset == 0 && is_dense(v) &&
             v.elements() * size_of(v.dtype) == bytes;
    });
    output_values_.push_back(whole == graph.outputs.end() ? kNone : *whole);
    wholes_[static_cast<size_t>(s)] = output_values_.back();
  }
  list_fleeting();
}

void Context::list_fleeting() {
  for (size_t s = 0; s < plan_.buffers.size(); ++s) {
    const Buffer::Kind kind = plan_.buffers[s].kind;
    if (kind == Buffer::Kind::kOutput || kind == Buffer::Kind::kEager)
      fleeting_storages_.push_back(static_cast<StorageId>(s));
  }
  std::map<StorageId, size_t> released;
  for (size_t i = 0; bound_.runtime().finishes_steps() && i < plan_.releases.size(); ++i) {
    for (const StorageId s : plan_.releases[i]) released.emplace(s, i);
  }
  released_values_.resize(plan_.steps.size());
  for (const Step& step : plan_.steps) {
    if (step.kind != Step::Kind::kEager) continue;
    for (const ValueId id : plan_.graph.nodes[static_cast<size_t>(step.nodes[0])].outputs) {
      if (id == kNone) continue;
      fleeting_values_.push_back(id);
      const auto last = released.find(plan_.graph.value(id).storage);
      if (last != released.end()) released_values_[last->second].push_back(id);
    }
  }
  for (const ValueId id : output_values_) {
    if (id != kNone) fleeting_values_.push_back(id);
  }
}

void Context::run(const std::vector<const at::Tensor*>& leaves, const AfterStep* after_step) {
  bind(leaves);
  allocate_outputs();
  for (size_t i = 0; i < plan_.steps.size(); ++i) {
    {
      const NvtxRange range(plan_.steps[i].name.c_str());
      try {
        run_step(i);
      } catch (const Error& error) {
        rethrow_at_step(plan_, i, error);
      }
    }
    if (after_step != nullptr) (*after_step)(i, *this);
    for (const StorageId s : plan_.releases[i]) holders_[static_cast<size_t>(s)].reset();
    for (const ValueId id : released_values_[i]) values_[static_cast<size_t>(id)].reset();
  }
  bound_.runtime().drain(site_);
}

void Context::bind(const std::vector<const at::Tensor*>& leaves) {
  leaves_ = &leaves;
  take_site();
  const Graph& graph = plan_.graph;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    bases_[static_cast<size_t>(graph.value(graph.inputs[i]).storage)] =
        static_cast<char*>(leaves[i]->mutable_data_ptr());
  }
}

/// Where this call's launches go. An arena belongs to the stream that it was used on last: work of
/// an earlier call may still be under way there, so another stream gets memory of its own.
void Context::take_site() {
  void* const stream = bound_.runtime().stream();
  if (stream == site_.stream) return;
  site_.stream = stream;
  if (arena_.defined()) make_arena();
}

void Context::make_arena() {
  const auto in_arena = [](const Buffer& b) { return b.kind == Buffer::Kind::kArena; };
  // Tensors of no elements stand in it as well.
  if (std::none_of(plan_.buffers.begin(), plan_.buffers.end(), in_arena)) return;
  arena_ = bound_.runtime().allocate({plan_.arena_bytes}, {1}, c10::ScalarType::Byte);
  for (size_t s = 0; s < plan_.buffers.size(); ++s) {
    const Buffer& b = plan_.buffers[s];
    if (in_arena(b)) bases_[s] = static_cast<char*>(arena_.mutable_data_ptr()) + b.offset;
  }
}

void Context::allocate_outputs() {
  for (size_t i = 0; i < output_storages_.size(); ++i) {
    const size_t s = static_cast<size_t>(output_storages_[i]);
    if (output_values_[i] != kNone) {
      const Value& v = plan_.graph.value(output_values_[i]);
      at::Tensor& tensor = values_[static_cast<size_t>(output_values_[i])];
      tensor = bound_.runtime().allocate(v.sizes, v.strides, scalar_type_of(v.dtype));
      bases_[s] = static_cast<char*>(tensor.mutable_data_ptr());
    } else {
      holders_[s] = bound_.runtime().allocate({plan_.buffers[s].bytes}, {1}, c10::ScalarType::Byte);
      bases_[s] = static_cast<char*>(holders_[s].mutable_data_ptr());
    }
  }
}

void Context::run_step(size_t index) {
  switch (plan_.steps[index].kind) {
    case Step::Kind::kFused:
      return run_fused(index);
    case Step::Kind::kMatmul:
      return run_matmul(plan_.steps[index]);
    case Step::Kind::kHostMatmul:
      return run_host_matmul(index);
    case Step::Kind::kSmallConv:
      return run_small_conv(index);
    case Step::Kind::kImageConv:
      return run_image_conv(index);
    case Step::Kind::kRecurrence:
      return run_recurrence(index);
    case Step::Kind::kRowSum:
      return run_row_sum(plan_.steps[index].row_sum);
    case Step::Kind::kByIndex:
      return run_by_index(plan_.steps[index]);
    case Step::Kind::kHostRows:
      return run_host_rows(plan_.steps[index].host_rows);
    case Step::Kind::kOrdering:
      return run_ordering(plan_.steps[index]);
    case Step::Kind::kSortedSearch:
      return run_sorted_search(plan_.steps[index].sorted_search);
    case Step::Kind::kBatchedProduct:
      return run_batched_product(plan_.steps[index]);
    case Step::Kind::kWindowPool:
      return run_window_pool(plan_.steps[index].window_pool);
    case Step::Kind::kGridSample:
      return run_grid_sample(plan_.steps[index].grid_sample);
    case Step::Kind::kResize:
      return run_resize(plan_.steps[index].resize);
    case Step::Kind::kEmbeddingBag:
      return run_embedding_bag(plan_.steps[index]);
    case Step::Kind::kRegions:
      return run_regions(plan_.steps[index]);
    case Step::Kind::kAttention:
      return run_attention(plan_.steps[index]);
    case Step::Kind::kEager:
      return run_eager(index);
  }
}

/// What runs over each block of rows that a kernel by hand made; empty where nothing does.
x86::AfterRows Context::tail_of(size_t index) {
  if (!plan_.steps[index].has_tail()) return {};
  point_at_operands(plan_.steps[index]);
  return [this, index](int64_t begin, int64_t end) {  // small enough for std::function's own memory
    const Step& step = plan_.steps[index];
    const bool flat = step.geometry.sizes.size() == 1;
    const int64_t columns = !flat ? 1
                            : step.kind == Step::Kind::kHostMatmul
                                ? step.host_matmul.n
                                : step.image_conv.shape.out_channels;
    bound_.kernel(index)->launch_part(step.geometry, pointers_.data(), begin * columns,
                                      end * columns);
  };
}

void Context::run_fused(size_t index) {
  const Step& step = plan_.steps[index];
  point_at_operands(step);
  site_.scratch = scratch_of(step);
  bound_.kernel(index)->launch(step.geometry, pointers_.data(), site_);
}

void Context::run_matmul(const Step& step) {
  const Matmul& m = step.matmul;
  const auto at = [this, &m](const Location& where, int64_t elements) -> char* {
    return where.buffer == kNone ? nullptr : address(where) + elements * size_of(m.shape.dtype);
  };
  for (int64_t r = 0; r < m.repeats; ++r) {
    const cuda::BlasOperands operands{at(m.a, r * m.repeat_a),     at(m.b, r * m.repeat_b),
                                      at(m.c, r * m.repeat_c),     at(m.bias, 0),
                                      at(m.out, r * m.repeat_out), scratch_of(step)};
    bound_.runtime().blas()->run(m.shape, operands, bound_.allows_tf32(),
                                 static_cast<cuda::Stream>(site_.stream));
  }
}

void Context::run_attention(const Step& step) {
  const AttentionCall& a = step.attention;
  site_.scratch = scratch_of(step);
  const auto at = [this](const Location& where, DType dtype, int64_t elements) -> char* {
    return where.buffer == kNone ? nullptr : address(where) + elements * size_of(dtype);
  };
  const AttentionShape& s = a.shape;
  for (int64_t r = 0; r < a.repeats; ++r) {
    const AttentionPointers pointers{
        at(a.q, s.dtype, r * a.repeat_q), at(a.k, s.dtype, r * a.repeat_k),
        at(a.v, s.dtype, r * a.repeat_v), at(a.mask, s.mask, r * a.repeat_mask),
        at(a.out, s.dtype, r * a.repeat_out)};
    bound_.runtime().attention()->launch(s, pointers, site_);
  }
}

void Context::run_host_matmul(size_t index) {
  const HostMatmul& m = plan_.steps[index].host_matmul;
  x86::MatmulCall call = bound_.matmul_call(index);
  call.x = floats(m.x);
  call.bias = floats(m.bias);
  call.summand = floats(m.summand);
  call.out = floats(m.out);
  x86::matmul(call, site_.parallel, tail_of(index));
}

void Context::run_small_conv(size_t index) {
  const SmallConv& c = plan_.steps[index].conv;
  x86::small_conv(c.shape, floats(c.x), bound_.packed(index), floats(c.bias), floats(c.out),
                  reinterpret_cast<float*>(scratch_of(plan_.steps[index])));
}

void Context::run_image_conv(size_t index) {
  const ImageConv& c = plan_.steps[index].image_conv;
  const x86::PackedMatrix& packed = bound_.packed(index);
  x86::ImageConvCall call;
  call.shape = c.shape;
  call.x = floats(c.x);
  call.w = packed.data.get();
  call.panel = packed.panel;
  call.scale = floats(c.scale);
  call.bias = floats(c.bias);
  call.summand = floats(c.summand);
  call.clamps = c.clamps;
  call.clamp = c.clamp;
  call.out = floats(c.out);
  call.scratch = reinterpret_cast<float*>(scratch_of(plan_.steps[index]));
  const x86::WinogradWeights& tiled = bound_.winograd(index);
  if (tiled.transformed == nullptr) return x86::image_conv(call, site_.parallel, tail_of(index));
  x86::winograd(call, tiled, c.winograd_pieces, site_.parallel, tail_of(index));
}

void Context::run_row_sum(const RowSum& s) {
  float* const out = floats(s.out);
  x86::sum_rows(floats(s.x), s.rows, s.columns, s.columns, out);
  if (s.divisor == 1) return;
  for (int64_t r = 0; r < s.rows; ++r) out[r] /= s.divisor;
}

at::Tensor Context::holder(StorageId storage) const {
  const Buffer& b = plan_.buffers[static_cast<size_t>(storage)];
  if (b.kind == Buffer::Kind::kArena) return arena_;
  if (b.kind == Buffer::Kind::kInput) return *(*leaves_)[static_cast<size_t>(b.index)];
  const ValueId whole = wholes_[static_cast<size_t>(storage)];
  return whole == kNone ? holders_[static_cast<size_t>(storage)]
                        : values_[static_cast<size_t>(whole)];
}

at::Tensor Context::tensor_of(ValueId id) const {
  const at::Tensor& known = values_[static_cast<size_t>(id)];
  if (known.defined()) return known;
  const Graph& graph = plan_.graph;
  const Value& v = graph.value(id);
  const Buffer& b = plan_.buffers[static_cast<size_t>(v.storage)];
  if (b.kind == Buffer::Kind::kInput && graph.inputs[static_cast<size_t>(b.index)] == id)
    return *(*leaves_)[static_cast<size_t>(b.index)];
  const at::Tensor base = holder(v.storage);
  if (v.elements() == 0) return view_over(base, v, 0);  // a tensor of none has no address
  const auto* start = static_cast<const char*>(base.storage().data());
  return view_over(base, v, bases_[static_cast<size_t>(v.storage)] - start);
}

const std::vector<at::Tensor>& Context::outputs() {
  const Graph& graph = plan_.graph;
  outputs_.clear();
  for (const ValueId id : graph.outputs) {
    const bool derived =
        graph.storage_of(id).kind == Storage::Kind::kConstant && graph.storage_of(id).derived;
    outputs_.push_back(derived ? own_copy(tensor_of(id)) : tensor_of(id));
  }
  return outputs_;
}

at::Tensor Context::take_only_output() {
  const std::vector<ValueId>& outputs = plan_.graph.outputs;
  if (outputs.size() != 1 || output_values_.size() != 1 || output_values_[0] != outputs[0])
    return {};
  return std::move(values_[static_cast<size_t>(outputs[0])]);
}

void Context::clear() {
  for (const StorageId s : fleeting_storages_) holders_[static_cast<size_t>(s)].reset();
  for (const ValueId v : fleeting_values_) values_[static_cast<size_t>(v)].reset();
  outputs_.clear();
  read_.clear();
  leaves_ = nullptr;
}

}  // namespace torchweld
