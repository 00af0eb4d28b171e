#include "loader/torchvision_ops.h"

#include <ATen/Parallel.h>
#include <ATen/core/stack.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <tuple>

#include "loader/deformable_conv.h"
#include "loader/dtypes.h"
#include "loader/register_operator.h"

namespace torchweld {
namespace {

using torch::jit::Stack;

class HostKernels final : public DetectionKernels {
 public:
  bool accepts(const RegionShape&, std::string*) const override { return true; }
  bool wants_scratch() const override { return false; }
  void run(const RegionShape& shape, const RegionPointers& pointers) const override {
    run_regions(shape, pointers, [](int64_t count, int64_t grain, const auto& work) {
      at::parallel_for(0, count, grain, work);
    });
  }
  void run(const SuppressionShape& shape, const SuppressionPointers& pointers) const override {
    run_suppression(shape, pointers);
  }
};

class KnownKernels {
 public:
  void set(c10::Device device, std::shared_ptr<const DetectionKernels> kernels) {
    const std::scoped_lock lock(mutex_);
    of_[device] = std::move(kernels);
  }
  std::shared_ptr<const DetectionKernels> find(c10::Device device) {
    static const auto host = std::make_shared<const HostKernels>();
    if (device.is_cpu()) return host;
    const std::scoped_lock lock(mutex_);
    const auto found = of_.find(device);
    return found == of_.end() ? nullptr : found->second;
  }

 private:
  struct Before {
    bool operator()(c10::Device a, c10::Device b) const {
      return std::pair(a.type(), a.index()) < std::pair(b.type(), b.index());
    }
  };
  std::mutex mutex_;
  std::map<c10::Device, std::shared_ptr<const DetectionKernels>, Before> of_;
};

std::atomic<bool> own_suppression = false;

KnownKernels& known_kernels() {
  static KnownKernels kernels;
  return kernels;
}

/// Of the operands' one device; they have one dtype, too.
std::shared_ptr<const DetectionKernels> kernels_for(const char* name, const at::Tensor& a,
                                                    const at::Tensor& b) {
  TORCH_CHECK(a.device() == b.device(), "torchvision::", name,
              ": expected tensors on one device, got ", a.device(), " and ", b.device());
  TORCH_CHECK(a.scalar_type() == b.scalar_type(), "torchvision::", name,
              ": expected arguments of one element type, got ", a.scalar_type(), " and ",
              b.scalar_type());
  auto kernels = known_kernels().find(a.device());
  TORCH_CHECK(kernels != nullptr, "torchvision::", name, ": no kernels for ", a.device(),
              "; load torchvision's own library for it");
  return kernels;
}

/// What torchvision has on the device: halves of boxes on CUDA alone.
void check_dtype(const char* name, const at::Tensor& x, bool halves) {
  const at::ScalarType type = x.scalar_type();
  TORCH_CHECK(type == at::kFloat || type == at::kDouble || (halves && type == at::kHalf),
              "torchvision::", name, ": not implemented for ", type);
}

at::Tensor nms(const at::Tensor& boxes, const at::Tensor& scores, double threshold) {
  const auto kernels = kernels_for("nms", boxes, scores);
  check_dtype("nms", boxes, !boxes.is_cpu());
  TORCH_CHECK(boxes.dim() == 2 && boxes.size(1) == 4,
              "torchvision::nms: expected boxes of shape [N, 4], got ", boxes.sizes());
  TORCH_CHECK(scores.dim() == 1 && scores.size(0) == boxes.size(0), "torchvision::nms: expected ",
              boxes.size(0), " scores, got ", scores.sizes());
  return suppress(boxes, scores, threshold, *kernels);
}

struct Options {
  RegionMode mode = RegionMode::kAlign;
  double scale = 1;
  int64_t height = 0, width = 0, sampling = 0;
  bool aligned = false;
};

RegionShape shape_of(const at::Tensor& images, const at::Tensor& regions, const Options& options) {
  RegionShape s;
  s.dtype = dtype_of(images.scalar_type());
  s.mode = options.mode;
  s.images = images.size(0);
  s.channels = images.size(1);
  s.height = images.size(2);
  s.width = images.size(3);
  std::copy(images.strides().begin(), images.strides().end(), s.image_strides.begin());
  s.regions = regions.size(0);
  std::copy(regions.strides().begin(), regions.strides().end(), s.region_strides.begin());
  s.out_height = options.height;
  s.out_width = options.width;
  s.scale = options.scale;
  s.sampling = options.sampling;
  s.aligned = options.aligned;
  return s;
}

/// On the host alone: a device would have to be waited for.
void check_image_indices(const char* name, const at::Tensor& images, const at::Tensor& regions) {
  if (!images.is_cpu() || regions.size(0) == 0) return;
  const at::Tensor index = regions.select(1, 0);
  TORCH_CHECK(index.min().item<double>() >= 0 && index.max().item<double>() < images.size(0),
              "torchvision::", name, ": a region's image index is outside the batch of ",
              images.size(0));
}

/// The cells, and the places of their maxima or their channels where there are any.
std::tuple<at::Tensor, at::Tensor> cells_of(const char* name, const at::Tensor& images,
                                            const at::Tensor& regions, const Options& options) {
  const auto kernels = kernels_for(name, images, regions);
  check_dtype(name, images, true);
  TORCH_CHECK(images.dim() == 4, "torchvision::", name,
              ": expected an input of shape [N, C, H, W], got ", images.sizes());
  TORCH_CHECK(regions.dim() == 2 && regions.size(1) == 5, "torchvision::", name,
              ": expected regions of shape [K, 5], got ", regions.sizes());
  check_image_indices(name, images, regions);
  const RegionShape shape = shape_of(images, regions, options);
  TORCH_CHECK(options.height > 0 && options.width > 0, "torchvision::", name,
              ": expected at least a cell, got ", options.height, " x ", options.width);
  TORCH_CHECK(!shape.sensitive() || shape.cells() == shape.channels, "torchvision::", name, ": ",
              shape.channels, " channels are no multiple of ", options.height, " x ", options.width,
              " cells");
  std::string why;
  TORCH_CHECK(kernels->accepts(shape, &why), "torchvision::", name, ": ", why);
  const c10::SmallVector<int64_t, 4> sizes = {shape.regions, shape.out_channels(), options.height,
                                              options.width};
  at::Tensor cells = at::empty(sizes, images.options()), places;
  RegionPointers pointers{images.const_data_ptr(), regions.const_data_ptr(),
                          cells.mutable_data_ptr()};
  if (options.mode != RegionMode::kAlign) {
    places = at::empty(sizes, images.options().dtype(at::kInt));
    pointers.places = places.mutable_data_ptr<int32_t>();
  }
  if (cells.numel() > 0) kernels->run(shape, pointers);
  return {cells, places};
}

void call_nms(Stack& stack) {
  at::Tensor result =
      nms(torch::jit::peek(stack, 0, 3).toTensor(), torch::jit::peek(stack, 1, 3).toTensor(),
          torch::jit::peek(stack, 2, 3).toDouble());
  torch::jit::drop(stack, 3);
  torch::jit::push(stack, std::move(result));
}

void call_roi_align(Stack& stack) {
  const auto argument = [&](size_t i) { return torch::jit::peek(stack, i, 7); };
  const Options options{RegionMode::kAlign,  argument(2).toDouble(), argument(3).toInt(),
                        argument(4).toInt(), argument(5).toInt(),    argument(6).toBool()};
  auto [cells, _] = cells_of("roi_align", argument(0).toTensor(), argument(1).toTensor(), options);
  torch::jit::drop(stack, 7);
  torch::jit::push(stack, std::move(cells));
}

/// Of those with two results.
void call_pool(Stack& stack, const char* name, RegionMode mode, size_t arguments) {
  const auto argument = [&](size_t i) { return torch::jit::peek(stack, i, arguments); };
  const Options options{mode, argument(2).toDouble(), argument(3).toInt(), argument(4).toInt(),
                        mode == RegionMode::kSensitiveAlign ? argument(5).toInt() : 0};
  auto [cells, places] = cells_of(name, argument(0).toTensor(), argument(1).toTensor(), options);
  torch::jit::drop(stack, arguments);
  torch::jit::push(stack, std::move(cells), std::move(places));
}

void call_roi_pool(Stack& stack) { call_pool(stack, "roi_pool", RegionMode::kPool, 5); }

void call_ps_roi_align(Stack& stack) {
  call_pool(stack, "ps_roi_align", RegionMode::kSensitiveAlign, 6);
}

void call_ps_roi_pool(Stack& stack) {
  call_pool(stack, "ps_roi_pool", RegionMode::kSensitivePool, 5);
}

}  // namespace

at::Tensor suppress(const at::Tensor& boxes, const at::Tensor& scores, double threshold,
                    const DetectionKernels& kernels) {
  if (boxes.size(0) == 0) return at::empty({0}, boxes.options().dtype(at::kLong));
  const at::Tensor order =
      std::get<1>(scores.sort(/*stable=*/true, /*dim=*/0, /*descending=*/true));
  const at::Tensor sorted = boxes.index_select(0, order);
  const SuppressionShape shape{dtype_of(boxes.scalar_type()), boxes.size(0), threshold};
  at::Tensor kept = at::empty({shape.count}, boxes.options().dtype(at::kBool)), scratch;
  SuppressionPointers pointers{sorted.const_data_ptr(), nullptr, kept.mutable_data_ptr<bool>()};
  if (kernels.wants_scratch()) {
    scratch = at::empty({shape.scratch_words()}, boxes.options().dtype(at::kLong));
    scratch.narrow(0, shape.scratch_words() - shape.words(), shape.words()).zero_();
    pointers.scratch = static_cast<uint64_t*>(scratch.mutable_data_ptr());
  }
  kernels.run(shape, pointers);
  return order.masked_select(kept);
}

void set_detection_kernels(c10::Device device, std::shared_ptr<const DetectionKernels> kernels) {
  known_kernels().set(device, std::move(kernels));
}

bool has_own_suppression() { return own_suppression; }

void register_torchvision_operators() {
  static std::once_flag once;
  std::call_once(once, [] {
    own_suppression = register_if_missing(
        "torchvision::nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor", call_nms);
    register_if_missing(
        "torchvision::roi_align(Tensor input, Tensor rois, float spatial_scale, int pooled_height, "
        "int pooled_width, int sampling_ratio, bool aligned) -> Tensor",
        call_roi_align);
    register_if_missing(
        "torchvision::roi_pool(Tensor input, Tensor rois, float spatial_scale, int pooled_height, "
        "int pooled_width) -> (Tensor, Tensor)",
        call_roi_pool);
    register_if_missing(
        "torchvision::ps_roi_align(Tensor input, Tensor rois, float spatial_scale, int "
        "pooled_height, int pooled_width, int sampling_ratio) -> (Tensor, Tensor)",
        call_ps_roi_align);
    register_if_missing(
        "torchvision::ps_roi_pool(Tensor input, Tensor rois, float spatial_scale, int "
        "pooled_height, int pooled_width) -> (Tensor, Tensor)",
        call_ps_roi_pool);
    register_deform_conv2d();
  });
}

}  // namespace torchweld
