#include "engine/bound_plan.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>

#include "engine/context.h"
#include "engine/nvtx.h"
#include "loader/graph_text.h"
#include "loader/torchvision_ops.h"

namespace torchweld {
namespace {

/// What float32 products are computed in on this device.
DType products_of(const Runtime& runtime, Precision precision) {
  const DType asked = precision == Precision::kBFloat16  ? DType::kBF16
                      : precision == Precision::kFloat16 ? DType::kF16
                                                         : DType::kF32;
  return runtime.multiplies(asked) ? asked : DType::kF32;
}

}  // namespace

Target target_for(const Runtime& runtime, const Options& options) {
  const bool exact = options.numerics == Numerics::kExact;
  Target target;
  target.rounding = exact ? Rounding::kExact : Rounding::kDefault;
  target.hand_kernels = runtime.has_hand_kernels() && !exact;  // they sum in another order
  target.threads = at::get_num_threads();
  target.fuses = runtime.backend() != nullptr;
  target.rows = target.fuses && runtime.backend()->takes_rows();
  target.float_rows = target.fuses && runtime.backend()->takes_float_rows() && !exact;
  if (cuda::Blas* blas = runtime.blas()) {
    target.blas = true;
    target.blas_workspace_bytes = blas->workspace_bytes();
    target.arena_alignment = 256;  // as LibTorch's tensors on a device: libraries ask for as much
  }
  target.products = products_of(runtime, options.precision);
  target.narrows_small_products = !runtime.has_hand_kernels();
  target.widens_halves = target.hand_kernels;
  target.tf32 = target.blas && options.precision == Precision::kTF32;
  target.packed_convolutions = runtime.has_packed_convolutions() && !exact;
  target.embedding_bag = runtime.embedding_bag() != nullptr || target.hand_kernels;
  target.regions = runtime.regions() != nullptr;
  target.cudnn = runtime.has_cudnn() && !exact;
  target.cudnn_tf32 = target.cudnn && runtime.convolves_in_tf32();
  target.attention = exact ? nullptr : runtime.attention();
  target.can_compile = [backend = runtime.backend()](const KernelSpec& spec,
                                                     const Geometry& geometry, std::string* why) {
    return backend->accepts(spec, geometry, why);
  };
  target.scratch_bytes = [backend = runtime.backend()](const KernelSpec& spec,
                                                       const Geometry& geometry) {
    return backend->scratch_bytes(spec, geometry);
  };
  return target;
}

std::string why_no_precision(const Runtime& runtime, Precision asked) {
  const char* name = asked == Precision::kTF32       ? "TF32"
                     : asked == Precision::kBFloat16 ? "bfloat16"
                                                     : "float16";
  const bool here = asked == Precision::kArchive ||
                    (asked == Precision::kTF32 ? runtime.blas() != nullptr
                                               : products_of(runtime, asked) != DType::kF32);
  return here ? ""
              : fmt::format("products stay float32: this device has no fast {} products", name);
}

BoundPlan::BoundPlan(Recording recording, const Target& target,
                     std::shared_ptr<const Runtime> runtime, SetupResults* setup_results,
                     bool measure_products)
    : recording_(std::move(recording)), runtime_(std::move(runtime)), tf32_(target.tf32) {
  const NvtxRange range("torchweld: build plan");
  recording_.constants.resize(
      recording_.graph.constants.size());  // a copy may hold the results of another plan's setup
  plan_ = torchweld::plan(recording_.graph, target);
  run_setup(setup_results);
  kernels_.resize(plan_.steps.size());
  eager_.resize(plan_.steps.size());
  packed_.resize(plan_.steps.size());
  matmul_calls_.resize(plan_.steps.size());
  winograd_.resize(plan_.steps.size());
  for (size_t i = 0; i < plan_.steps.size(); ++i) {
    const Step& step = plan_.steps[i];
    if (step.kind == Step::Kind::kHostMatmul) {
      if (step.host_matmul.packed) packed_[i] = pack_weight(step, setup_results);
      matmul_calls_[i] = call_of(step.host_matmul, packed_[i]);
    } else if (step.kind == Step::Kind::kSmallConv || step.image_conv.weight != kNone) {
      if (step.image_conv.winograd_pieces > 0)
        winograd_[i] = transform_weight(step.image_conv, setup_results);
      if (winograd_[i].transformed == nullptr) packed_[i] = pack_weight(step, setup_results);
    } else if (step.kind == Step::Kind::kEmbeddingBag && runtime_->embedding_bag() != nullptr) {
      runtime_->embedding_bag()->prepare(step.bag.shape);
    } else if (step.kind == Step::Kind::kRegions) {
      runtime_->regions()->prepare(step.regions.shape);
    } else if (step.kind == Step::Kind::kAttention) {
      runtime_->attention()->prepare(step.attention.shape);
    } else if (step.kind == Step::Kind::kEager) {
      eager_[i].emplace(plan_.graph, plan_.graph.nodes[static_cast<size_t>(step.nodes[0])],
                        recording_.opaques);
    }
  }
  const auto is_eager = [](const Step& step) { return step.kind == Step::Kind::kEager; };
  const auto is_copied = [this](ValueId id) {  // what derives from weights, when it leaves
    return plan_.graph.storage_of(id).kind == Storage::Kind::kConstant;
  };
  own_code_ = std::none_of(plan_.steps.begin(), plan_.steps.end(), is_eager) &&
              std::none_of(plan_.graph.outputs.begin(), plan_.graph.outputs.end(), is_copied);
  compile_kernels();
  bind_recurrences(setup_results);
  prepare_products(measure_products);
}

void BoundPlan::compile_kernels() {
  std::vector<KernelRequest> requests;
  std::vector<size_t> places;
  for (size_t i = 0; i < plan_.steps.size(); ++i) {
    if (!plan_.steps[i].has_kernel()) continue;
    requests.push_back({&plan_.steps[i].spec, &plan_.steps[i].geometry});
    places.push_back(i);
  }
  if (requests.empty()) return;
  auto kernels = runtime_->backend()->compile_all(requests);
  for (size_t i = 0; i < places.size(); ++i) kernels_[places[i]] = std::move(kernels[i]);
}

KernelListing BoundPlan::listing(size_t i) const {
  const Step& step = plan_.steps[i];
  if (kernels_[i] != nullptr) return kernels_[i]->listing();
  switch (step.kind) {
    case Step::Kind::kAttention:
      return runtime_->attention()->listing(step.attention.shape);
    case Step::Kind::kEmbeddingBag:
      if (cuda::EmbeddingBag* bags = runtime_->embedding_bag())
        return bags->listing(step.bag.shape);
      return {};
    case Step::Kind::kRegions:
      return runtime_->regions()->listing(step.regions.shape);
    case Step::Kind::kEager: {
      const Node& node = plan_.graph.nodes[static_cast<size_t>(step.nodes[0])];
      cuda::Suppression* suppression = runtime_->suppression();
      if (node.op != "torchvision::nms" || suppression == nullptr || !has_own_suppression())
        return {};
      const DType boxes = plan_.graph.value(step.reads[0]).dtype;
      return cuda::Suppression::accepts(boxes) ? suppression->listing(boxes) : KernelListing{};
    }
    default:
      return {};
  }
}

/// So that no call chooses an algorithm: of operands that are aligned as LibTorch's own tensors
/// are.
void BoundPlan::prepare_products(bool measure) const {
  for (const Step& step : plan_.steps) {
    if (step.kind != Step::Kind::kMatmul) continue;
    const Matmul& m = step.matmul;
    cuda::BlasRequest request{m.shape, allows_tf32()};
    int64_t bits = request.alignment;
    for (const Location& where : {m.a, m.b, m.c, m.out}) bits |= where.byte_offset;
    if (m.repeats > 1) {
      for (const int64_t apart : {m.repeat_a, m.repeat_b, m.repeat_c, m.repeat_out})
        bits |= apart * size_of(m.shape.dtype);
    }
    request.alignment = static_cast<int>(bits & -bits);
    runtime_->blas()->prepare(request, measure);
  }
}

/// Runs the setup nodes; each result is the next constant.
void BoundPlan::run_setup(SetupResults* results) {
  const auto constant = [this](ValueId id) {
    const auto& ids = plan_.graph.constants;
    return recording_
        .constants[static_cast<size_t>(std::find(ids.begin(), ids.end(), id) - ids.begin())];
  };
  for (const Node& node : plan_.graph.setup) {
    Node call = node;  // by the operands' places, since ids are the plan's own
    call.outputs.clear();
    std::vector<at::Tensor> operands;
    for_each_input(call, [&](ValueId& id) {
      operands.push_back(constant(id));
      id = static_cast<ValueId>(operands.size()) - 1;
    });
    recording_.constants.push_back(results->find_or_make(to_text(plan_.graph, call), operands, [&] {
      torch::jit::Stack stack;
      EagerCall(plan_.graph, node, recording_.opaques).run(&stack, constant);
      // Calls on other streams read it without waiting for this one.
      runtime_->finish(runtime_->site());
      return stack[0].toTensor();
    }));
  }
}

const float* BoundPlan::constant_floats(ValueId id) const {
  const Value& v = plan_.graph.value(id);
  const auto& constants = plan_.graph.constants;
  auto at = std::find(constants.begin(), constants.end(), id);
  if (at == constants.end()) {  // a pass's view of one
    at = std::find_if(constants.begin(), constants.end(), [&](ValueId constant) {
      return plan_.graph.value(constant).storage == v.storage;
    });
  }
  const at::Tensor& tensor = recording_.constants[static_cast<size_t>(at - constants.begin())];
  return static_cast<const float*>(tensor.const_data_ptr()) + v.offset -
         plan_.graph.value(*at).offset;
}

x86::PackedMatrix BoundPlan::pack_weight(const Step& step, SetupResults* results) const {
  const HostMatmul& m = step.host_matmul;
  const SmallConv& c = step.conv;
  if (step.kind == Step::Kind::kHostMatmul)
    return results->find_or_pack(constant_floats(m.weight),
                                 {m.k, m.n, m.weight_k_stride, m.weight_n_stride});
  if (step.kind == Step::Kind::kImageConv)
    return results->find_or_pack(constant_floats(step.image_conv.weight),
                                 step.image_conv.weight_layout);
  return results->find_or_pack(constant_floats(c.weight),
                               {c.shape.taps(), c.shape.out_channels, 1, c.weight_row_stride});
}

x86::WinogradWeights BoundPlan::transform_weight(const ImageConv& conv,
                                                 SetupResults* results) const {
  const float* plain = constant_floats(conv.weight);
  return {results->find_or_transform(plain, conv.weight_layout), plain, conv.weight_layout};
}

void BoundPlan::bind_recurrences(SetupResults* results) {
  recurrences_.resize(plan_.steps.size());
  const auto pack = [&](ValueId id) {  // [n, k]
    if (id == kNone) return x86::PackedMatrix{};
    const Value& v = plan_.graph.value(id);
    return results->find_or_pack(constant_floats(id),
                                 {v.sizes[1], v.sizes[0], v.strides[1], v.strides[0]});
  };
  const auto floats = [&](ValueId id) { return id == kNone ? nullptr : constant_floats(id); };
  for (size_t i = 0; i < plan_.steps.size(); ++i) {
    if (plan_.steps[i].kind != Step::Kind::kRecurrence) continue;
    const RecurrenceCall& call = plan_.steps[i].recurrence;
    std::vector<x86::RecurrentLayer> layers;
    for (const RecurrenceCall::Weights& w : call.weights)
      layers.push_back({pack(w.input), pack(w.hidden), pack(w.projection), floats(w.input_bias),
                        floats(w.hidden_bias)});
    recurrences_[i].emplace(call.shape, std::move(layers), kernels_[i]);
  }
}

x86::MatmulCall BoundPlan::call_of(const HostMatmul& m, const x86::PackedMatrix& packed) const {
  x86::MatmulCall call;
  if (m.packed) {
    call.set(packed);
  } else {
    call.w = constant_floats(m.weight);
    call.w_row_stride = m.weight_n_stride;
    call.k = m.k;
    call.n = call.end = m.n;
  }
  call.m = m.m;
  call.x_row_stride = m.x_row_stride;
  call.summand_row_stride = m.summand_row_stride;
  call.out_row_stride = m.out_row_stride;
  call.clamps = m.clamps;
  call.clamp = m.clamp;
  return call;
}

BoundPlan::~BoundPlan() {
  for (auto& slot : pool_) delete slot.load();
}

std::unique_ptr<Context> BoundPlan::acquire() const {
  for (auto& slot : pool_) {
    if (slot.load(std::memory_order_relaxed) == nullptr) continue;
    if (Context* context = slot.exchange(nullptr, std::memory_order_acquire))
      return std::unique_ptr<Context>(context);
  }
  return std::make_unique<Context>(*this);
}

void BoundPlan::release(std::unique_ptr<Context> context) const {
  for (auto& slot : pool_) {
    Context* empty = nullptr;
    if (slot.compare_exchange_strong(empty, context.get(), std::memory_order_release,
                                     std::memory_order_relaxed)) {
      (void)context.release();
      return;
    }
  }
}

int64_t BoundPlan::constant_bytes() const {
  int64_t bytes = 0;
  for (const at::Tensor& t : recording_.constants) bytes += static_cast<int64_t>(t.nbytes());
  return bytes;
}

}  // namespace torchweld
