// nms, roi_align and roi_pool on the CPU, written from their definitions.
//
// They go into TorchScript's table of operators and not into the dispatcher: there, torchvision's
// own library would find its names taken when it is loaded later, and end the process.
#include "loader/torchvision_ops.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/stack.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/jit/runtime/custom_operator.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <tuple>
#include <vector>

namespace torchweld {
namespace {

using torch::jit::Stack;

void check_cpu(const char* name, const at::Tensor& a, const at::Tensor& b) {
  TORCH_CHECK(a.is_cpu() && b.is_cpu(), "torchvision::", name,
              ": expected tensors on the CPU, got ", a.device(), " and ", b.device(),
              "; load torchvision's own library for other devices");
  TORCH_CHECK(a.scalar_type() == b.scalar_type(), "torchvision::", name,
              ": expected arguments of one element type, got ", a.scalar_type(), " and ",
              b.scalar_type());
}

/// Greedy suppression: boxes by falling score, each drops the later ones that overlap it by more
/// than the threshold.
template <class T>
at::Tensor kept_boxes(const at::Tensor& boxes, const at::Tensor& order, double threshold) {
  const auto box = boxes.accessor<T, 2>();
  const auto by_score = order.accessor<int64_t, 1>();
  const int64_t n = boxes.size(0);
  std::vector<char> dropped(n, 0);
  std::vector<int64_t> kept;
  const auto area = [&](int64_t i) { return (box[i][2] - box[i][0]) * (box[i][3] - box[i][1]); };
  for (int64_t i = 0; i < n; ++i) {
    const int64_t a = by_score[i];
    if (dropped[a]) continue;
    kept.push_back(a);
    for (int64_t j = i + 1; j < n; ++j) {
      const int64_t b = by_score[j];
      if (dropped[b]) continue;
      const T width = std::min(box[a][2], box[b][2]) - std::max(box[a][0], box[b][0]);
      const T height = std::min(box[a][3], box[b][3]) - std::max(box[a][1], box[b][1]);
      const T shared = std::max(T(0), width) * std::max(T(0), height);
      if (shared / (area(a) + area(b) - shared) > threshold) dropped[b] = 1;
    }
  }
  at::Tensor result = at::empty({static_cast<int64_t>(kept.size())}, order.options());
  std::copy(kept.begin(), kept.end(), result.data_ptr<int64_t>());
  return result;
}

at::Tensor nms(const at::Tensor& boxes, const at::Tensor& scores, double threshold) {
  check_cpu("nms", boxes, scores);
  TORCH_CHECK(boxes.dim() == 2 && boxes.size(1) == 4,
              "torchvision::nms: expected boxes of shape [N, 4], got ", boxes.sizes());
  TORCH_CHECK(scores.dim() == 1 && scores.size(0) == boxes.size(0), "torchvision::nms: expected ",
              boxes.size(0), " scores, got ", scores.sizes());
  if (boxes.numel() == 0) return at::empty({0}, boxes.options().dtype(at::kLong));
  const at::Tensor order =
      std::get<1>(scores.sort(/*stable=*/true, /*dim=*/0, /*descending=*/true));
  at::Tensor result;
  AT_DISPATCH_FLOATING_TYPES(boxes.scalar_type(), "torchvision::nms",
                             [&] { result = kept_boxes<scalar_t>(boxes, order, threshold); });
  return result;
}

/// What roi_align and roi_pool share: sizes, and where a region's channel begins.
template <class T>
struct Regions {
  Regions(const at::Tensor& input, const at::Tensor& rois, int64_t pooled_height,
          int64_t pooled_width)
      : data(input.const_data_ptr<T>()),
        roi(rois.const_data_ptr<T>()),
        channels(input.size(1)),
        height(input.size(2)),
        width(input.size(3)),
        out_height(pooled_height),
        out_width(pooled_width) {}

  const T* image(const T* region, int64_t channel) const {
    return data + (static_cast<int64_t>(region[0]) * channels + channel) * height * width;
  }

  const T *data, *roi;
  int64_t channels, height, width, out_height, out_width;
};

/// Bilinear sample; zero more than one pixel outside.
template <class T>
T sample(const T* image, int64_t height, int64_t width, T y, T x) {
  if (y < T(-1) || y > T(height) || x < T(-1) || x > T(width)) return T(0);
  y = std::max(y, T(0));
  x = std::max(x, T(0));
  int64_t top = static_cast<int64_t>(y), left = static_cast<int64_t>(x);
  const int64_t bottom = std::min(top + 1, height - 1), right = std::min(left + 1, width - 1);
  if (top >= height - 1) y = T(top = height - 1);
  if (left >= width - 1) x = T(left = width - 1);
  const T down = y - T(top), across = x - T(left), up = T(1) - down, back = T(1) - across;
  return up * back * image[top * width + left] + up * across * image[top * width + right] +
         down * back * image[bottom * width + left] + down * across * image[bottom * width + right];
}

struct AlignOptions {
  double scale;
  int64_t sampling_ratio;
  bool aligned;
};

template <class T>
void align_region(const Regions<T>& r, int64_t index, const AlignOptions& options, T* out) {
  const T* region = r.roi + index * 5;
  const T scale = static_cast<T>(options.scale),
          offset = static_cast<T>(options.aligned ? 0.5 : 0.0);
  const T left = region[1] * scale - offset, top = region[2] * scale - offset;
  T width = region[3] * scale - offset - left, height = region[4] * scale - offset - top;
  if (!options.aligned) {
    width = std::max(width, T(1));
    height = std::max(height, T(1));
  }
  const T bin_height = height / T(r.out_height), bin_width = width / T(r.out_width);
  const bool fixed = options.sampling_ratio > 0;
  const int64_t rows = fixed ? options.sampling_ratio
                             : static_cast<int64_t>(std::ceil(static_cast<float>(bin_height)));
  const int64_t columns = fixed ? options.sampling_ratio
                                : static_cast<int64_t>(std::ceil(static_cast<float>(bin_width)));
  const T count = T(std::max<int64_t>(rows * columns, 1));
  for (int64_t channel = 0; channel < r.channels; ++channel) {
    const T* image = r.image(region, channel);
    for (int64_t row = 0; row < r.out_height; ++row) {
      for (int64_t column = 0; column < r.out_width; ++column) {
        T sum = T(0);
        for (int64_t i = 0; i < rows; ++i) {
          const T y = top + T(row) * bin_height + (T(i) + T(0.5f)) * bin_height / T(rows);
          for (int64_t j = 0; j < columns; ++j) {
            const T x = left + T(column) * bin_width + (T(j) + T(0.5f)) * bin_width / T(columns);
            sum += sample(image, r.height, r.width, y, x);
          }
        }
        *out++ = sum / count;
      }
    }
  }
}

void check_regions(const char* name, const at::Tensor& input, const at::Tensor& rois) {
  check_cpu(name, input, rois);
  TORCH_CHECK(input.dim() == 4, "torchvision::", name,
              ": expected an input of shape [N, C, H, W], got ", input.sizes());
  TORCH_CHECK(rois.dim() == 2 && rois.size(1) == 5, "torchvision::", name,
              ": expected regions of shape [K, 5], got ", rois.sizes());
}

void check_batch_indices(const char* name, const at::Tensor& input, const at::Tensor& rois) {
  if (rois.size(0) == 0) return;
  const at::Tensor index = rois.select(1, 0);
  TORCH_CHECK(index.min().item<double>() >= 0 && index.max().item<double>() < input.size(0),
              "torchvision::", name, ": a region's image index is outside the batch of ",
              input.size(0));
}

at::Tensor roi_align(const at::Tensor& input, const at::Tensor& rois, int64_t height, int64_t width,
                     const AlignOptions& options) {
  check_regions("roi_align", input, rois);
  check_batch_indices("roi_align", input, rois);
  at::Tensor result = at::zeros({rois.size(0), input.size(1), height, width}, input.options());
  if (result.numel() == 0) return result;
  const at::Tensor x = input.contiguous(), regions = rois.contiguous();
  AT_DISPATCH_FLOATING_TYPES_AND_HALF(input.scalar_type(), "torchvision::roi_align", [&] {
    const Regions<scalar_t> r(x, regions, height, width);
    scalar_t* out = result.mutable_data_ptr<scalar_t>();
    const int64_t each = input.size(1) * height * width;
    at::parallel_for(0, rois.size(0), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) align_region(r, i, options, out + i * each);
    });
  });
  return result;
}

/// One output cell of roi_pool covers [begin, end) of the image.
struct Span {
  int64_t begin, end;
};

template <class T>
Span pool_span(int64_t cell, T bin, int64_t start, int64_t limit) {
  const int64_t begin = static_cast<int64_t>(std::floor(static_cast<T>(T(cell) * bin))) + start;
  const int64_t end = static_cast<int64_t>(std::ceil(static_cast<T>(T(cell + 1) * bin))) + start;
  return {std::clamp<int64_t>(begin, 0, limit), std::clamp<int64_t>(end, 0, limit)};
}

template <class T>
void pool_region(const Regions<T>& r, int64_t index, T scale, T* out, int* where) {
  const T* region = r.roi + index * 5;
  const auto pixel = [&](int i) {
    return static_cast<int64_t>(std::round(static_cast<T>(region[i] * scale)));
  };
  const int64_t left = pixel(1), top = pixel(2);
  const T bin_height = T(std::max<int64_t>(pixel(4) - top + 1, 1)) / T(r.out_height);
  const T bin_width = T(std::max<int64_t>(pixel(3) - left + 1, 1)) / T(r.out_width);
  for (int64_t channel = 0; channel < r.channels; ++channel) {
    const T* image = r.image(region, channel);
    for (int64_t row = 0; row < r.out_height; ++row) {
      const Span rows = pool_span(row, bin_height, top, r.height);
      for (int64_t column = 0; column < r.out_width; ++column) {
        const Span columns = pool_span(column, bin_width, left, r.width);
        const bool is_empty = rows.end <= rows.begin || columns.end <= columns.begin;
        T best = is_empty ? T(0) : static_cast<T>(-std::numeric_limits<float>::max());
        int64_t best_at = -1;
        for (int64_t y = rows.begin; y < rows.end; ++y) {
          for (int64_t x = columns.begin; x < columns.end; ++x) {
            if (image[y * r.width + x] > best) best = image[best_at = y * r.width + x];
          }
        }
        *out++ = best;
        *where++ = static_cast<int>(best_at);
      }
    }
  }
}

std::tuple<at::Tensor, at::Tensor> roi_pool(const at::Tensor& input, const at::Tensor& rois,
                                            double scale, int64_t height, int64_t width) {
  check_regions("roi_pool", input, rois);
  check_batch_indices("roi_pool", input, rois);
  at::Tensor result = at::zeros({rois.size(0), input.size(1), height, width}, input.options());
  at::Tensor where = at::zeros_like(result, input.options().dtype(at::kInt));
  if (result.numel() == 0) return {result, where};
  const at::Tensor x = input.contiguous(), regions = rois.contiguous();
  AT_DISPATCH_FLOATING_TYPES_AND_HALF(input.scalar_type(), "torchvision::roi_pool", [&] {
    const Regions<scalar_t> r(x, regions, height, width);
    const int64_t each = input.size(1) * height * width;
    for (int64_t i = 0; i < rois.size(0); ++i) {
      pool_region(r, i, static_cast<scalar_t>(scale),
                  result.mutable_data_ptr<scalar_t>() + i * each,
                  where.mutable_data_ptr<int>() + i * each);
    }
  });
  return {result, where};
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
  const AlignOptions options{argument(2).toDouble(), argument(5).toInt(), argument(6).toBool()};
  at::Tensor result = roi_align(argument(0).toTensor(), argument(1).toTensor(), argument(3).toInt(),
                                argument(4).toInt(), options);
  torch::jit::drop(stack, 7);
  torch::jit::push(stack, std::move(result));
}

void call_roi_pool(Stack& stack) {
  const auto argument = [&](size_t i) { return torch::jit::peek(stack, i, 5); };
  auto [result, where] = roi_pool(argument(0).toTensor(), argument(1).toTensor(),
                                  argument(2).toDouble(), argument(3).toInt(), argument(4).toInt());
  torch::jit::drop(stack, 5);
  torch::jit::push(stack, std::move(result), std::move(where));
}

void register_if_missing(const char* name, const char* schema, void (*call)(Stack&)) {
  if (!torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(name)).empty()) return;
  torch::jit::registerOperator(torch::jit::Operator(schema, torch::jit::Operation(call),
                                                    c10::AliasAnalysisKind::FROM_SCHEMA));
}

}  // namespace

void register_torchvision_operators() {
  static std::once_flag once;
  std::call_once(once, [] {
    register_if_missing(
        "torchvision::nms",
        "torchvision::nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor", call_nms);
    register_if_missing(
        "torchvision::roi_align",
        "torchvision::roi_align(Tensor input, Tensor rois, float spatial_scale, int pooled_height, "
        "int pooled_width, int sampling_ratio, bool aligned) -> Tensor",
        call_roi_align);
    register_if_missing(
        "torchvision::roi_pool",
        "torchvision::roi_pool(Tensor input, Tensor rois, float spatial_scale, int pooled_height, "
        "int pooled_width) -> (Tensor, Tensor)",
        call_roi_pool);
  });
}

}  // namespace torchweld
