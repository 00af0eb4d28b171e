// The sizes of a convolution or pooling over images or volumes, as its kernels take them.
#pragma once

#include <cstdint>

namespace torchweld::x86 {

enum class ImageOp : uint8_t {
  kConvolution,  ///< each filter sees all channels, or those of its group
  kDepthwise,    ///< one filter a channel
  kMaxPool,      ///< over the taps that lie within the image
  kAveragePool,  ///< over these too, unless `counts_padding`
  kFewFilters,   ///< few that see all channels, which are contiguous (few_filters.h)
  kPlanes,       ///< few that see few planes, whose rows are contiguous, a step of 1 along them
  kTransposed,   ///< each pixel adds a multiple of each filter, stride apart, to the result
};

/// In which order a sum's products are added. Those of packed weights can be split as LibTorch's
/// libraries split them, so that they round alike: a deep model amplifies the last bits.
struct SummationOrder {
  enum class Split : uint8_t {
    kMkl,     ///< as MKL splits so many products, where the row is one stretch or has offsets
    kPieces,  ///< each piece is summed by itself
    kNone,
  };
  /// Elements of each stretch of a row that come before the next ones of the first stretch; 0: all.
  /// Of a filter that is deep: of all of the row.
  int64_t piece = 0;
  Split split = Split::kMkl;
  bool from_bias = false;  ///< the first sum starts from the bias; otherwise it is added then
  /// As MKL does on AMD processors with few positions of a convolution: products are rounded before
  /// they are added, one by one, to the bias. Of rows of one stretch.
  bool rounds_products = false;
};

/// Over three spatial dimensions: an image has depth 1, a signal height 1 too.
struct ConvShape {
  ImageOp op = ImageOp::kConvolution;
  int64_t batch = 0, in_channels = 0, in_depth = 1, in_height = 1, in_width = 0;
  int64_t out_channels = 0, out_depth = 1, out_height = 1, out_width = 0;
  int64_t kernel_depth = 1, kernel_height = 1, kernel_width = 0;
  int64_t stride_depth = 1, pad_depth = 0, dilation_depth = 1;
  int64_t stride_height = 1, stride_width = 1, pad_height = 0, pad_width = 0, dilation_height = 1,
          dilation_width = 1;
  int64_t x_batch_stride = 0, x_channel_stride = 0, x_depth_stride = 0, x_height_stride = 0,
          x_width_stride = 0;   ///< elements
  bool counts_padding = false;  ///< divide by the number of all taps
  int64_t groups = 1;           ///< kConvolution
  SummationOrder order;         ///< kConvolution

  int64_t slices() const { return batch * out_depth; }  ///< of the result, each an image
  int64_t positions() const { return slices() * out_height * out_width; }
  int64_t pixels() const { return kernel_depth * kernel_height * kernel_width; }
  int64_t taps() const {
    const bool by_channel =
        op == ImageOp::kDepthwise || op == ImageOp::kMaxPool || op == ImageOp::kAveragePool;
    return (by_channel ? 1 : in_channels / groups) * pixels();
  }
};

}  // namespace torchweld::x86
