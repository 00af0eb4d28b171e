// What runs: steps over buffers, made from one graph. Plain data; the engine binds it to memory and
// kernels.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/attention.h"
#include "kernels/by_index.h"
#include "kernels/cuda/blas.h"
#include "kernels/embedding_bag.h"
#include "kernels/kernel.h"
#include "kernels/regions.h"
#include "kernels/spec.h"
#include "kernels/x86/batched_product.h"
#include "kernels/x86/conv_shape.h"
#include "kernels/x86/grid_sample.h"
#include "kernels/x86/host_rows.h"
#include "kernels/x86/matmul.h"
#include "kernels/x86/ordering.h"
#include "kernels/x86/recurrence.h"
#include "kernels/x86/resize.h"
#include "kernels/x86/sorted_search.h"
#include "kernels/x86/windows.h"
#include "loader/graph.h"

namespace torchweld {

/// Memory behind one storage of the graph.
struct Buffer {
  enum class Kind : uint8_t {
    kInput,     ///< the caller's tensor number `index`
    kConstant,  ///< constant number `index`
    kArena,     ///< `offset` bytes into the call's arena
    kOutput,    ///< allocated for each call, since it leaves the block
    kEager,     ///< whatever an eager step allocates
  };
  Kind kind = Kind::kArena;
  int index = kNone;
  int64_t bytes = 0, offset = 0;
};

/// Where a value's first element lies.
struct Location {
  StorageId buffer = kNone;  ///< buffers are numbered as the graph's storages
  int64_t byte_offset = 0;
};

/// What a hand-written kernel of the host does with its sums: out = clamp(sums + summand).
struct HostEpilogue {
  ValueId summand_value = kNone, out_value = kNone;
  Location summand, out;  ///< buffer is kNone for a summand that isn't there
  bool clamps = false;
  x86::Clamp clamp;
};

/// A matmul with constant weights by hand, float32: sums x[m,k] * w[k,n] + bias[n].
struct HostMatmul : HostEpilogue {
  int64_t m = 0, k = 0, n = 0;
  ValueId x_value = kNone, bias_value = kNone;
  Location x, bias;  ///< buffer is kNone for a bias that isn't there
  int64_t x_row_stride = 0, summand_row_stride = 0, out_row_stride = 0;
  ValueId weight = kNone;  ///< a constant
  int64_t weight_k_stride = 0, weight_n_stride = 0;
  bool packed = true;  ///< otherwise the kernel reads the weight's rows as they are
};

/// A convolution of images with their channels innermost and constant weights by hand, float32.
struct ImageConv : HostEpilogue {
  x86::ConvShape shape;
  ValueId x_value = kNone, scale_value = kNone, bias_value = kNone;
  Location x, scale, bias;          ///< buffer is kNone for what isn't there
  ValueId weight = kNone;           ///< a constant
  x86::MatrixLayout weight_layout;  ///< as a matrix [taps, out_channels]
  int64_t winograd_pieces = 0;      ///< of kernels/x86/winograd.h; 0: image_conv's sums
};

/// A product by the device's own library.
struct Matmul {
  cuda::BlasShape shape;
  ValueId a_value = kNone, b_value = kNone, c_value = kNone, bias_value = kNone, out_value = kNone;
  Location a, b, c, bias, out;  ///< buffer is kNone for an operand that isn't there
  int64_t repeats = 1;  ///< calls, for batches that no single stride walks; these elements apart:
  int64_t repeat_a = 0, repeat_b = 0, repeat_c = 0, repeat_out = 0;
};

/// Bags of rows of a table by the device's own kernel.
struct EmbeddingBagCall {
  EmbeddingBagShape shape;
  ValueId table_value = kNone, indices_value = kNone, offsets_value = kNone;
  ValueId weights_value = kNone, out_value = kNone;
  Location table, indices, offsets, weights, out;  ///< weights.buffer is kNone where all are 1
};

/// Regions of images by the device's own kernel.
struct RegionsCall {
  RegionShape shape;
  ValueId images_value = kNone, regions_value = kNone, out_value = kNone, places_value = kNone;
  Location images, regions, out, places;  ///< places.buffer is kNone where there are none
};

/// Attention by the device's own kernel.
struct AttentionCall {
  AttentionShape shape;
  ValueId q_value = kNone, k_value = kNone, v_value = kNone, mask_value = kNone, out_value = kNone;
  Location q, k, v, mask, out;  ///< mask.buffer is kNone when there is none
  int64_t repeats = 1;          ///< launches, for batches of three dims; these elements apart:
  int64_t repeat_q = 0, repeat_k = 0, repeat_v = 0, repeat_mask = 0, repeat_out = 0;
};

/// A convolution with few output positions and constant weights, float32.
struct SmallConv {
  x86::ConvShape shape;
  ValueId weight = kNone;  ///< a constant [out_channels, taps]
  int64_t weight_row_stride = 0;
  bool has_bias = false;
  Location x, bias, out;
};

/// Recurrent layers with constant weights, float32.
struct RecurrenceCall {
  struct Weights {
    ValueId input = kNone, hidden = kNone, input_bias = kNone, hidden_bias = kNone,
            projection = kNone;  ///< constants; kNone where there is none
  };
  x86::RecurrenceShape shape;
  std::vector<Weights> weights;  ///< by layer, then by direction
  ValueId x_value = kNone, h_value = kNone, c_value = kNone;
  ValueId y_value = kNone, h_out_value = kNone, c_out_value = kNone;
  ValueId batch_sizes_value = kNone;  ///< of packed sequences
  /// Their buffer is kNone for what isn't there: c, sizes of batches.
  Location x, h, c, y, h_out, c_out, batch_sizes;
};

/// out[r] = sum of x[r, :] / divisor, float32, x dense.
struct RowSum {
  static constexpr int64_t kMostElements = 1 << 16;  ///< larger sums are worth LibTorch's threads
  int64_t rows = 0, columns = 0;
  float divisor = 1;
  Location x, out;
};

/// Reads and writes of a table at places that tensors name, on the host.
struct ByIndexCall {
  ByIndexShape shape;
  std::array<char, 8> number{};  ///< an element: the operand, where operand_value is kNone
  int64_t zeroed_bytes = 0;      ///< of the table, before it is written
  ValueId table_value = kNone, operand_value = kNone, out_value = kNone;
  std::vector<ValueId> index_values;
  Location table, operand;
  std::array<Location, ByIndexShape::kMostIndices> index;
};

/// Rows of integers, truth, places of extremes, running sums: see kernels/x86/host_rows.h.
struct HostRowsCall {
  x86::HostRows rows;
  ValueId x_value = kNone, value_value = kNone, place_value = kNone;  ///< kNone: not wanted
  Location x, values, places;
};

/// Rows in order, or what comes first in them: see kernels/x86/ordering.h.
struct OrderingCall {
  x86::Ordering rows;
  ValueId x_value = kNone, value_value = kNone, place_value = kNone;  ///< kNone: not wanted
  Location x, values, places;
};

/// A product of two matrices made in the call: see kernels/x86/batched_product.h.
struct BatchedProductCall {
  x86::BatchedProduct product;
  ValueId a_value = kNone, b_value = kNone, out_value = kNone;
  Location a, b, out;
};

/// Places of values in sorted rows: see kernels/x86/sorted_search.h.
struct SortedSearchCall {
  x86::SortedSearch search;
  ValueId bounds_value = kNone, values_value = kNone, places_value = kNone;
  Location bounds, values, places;
};

/// Poolings of images and volumes as they lie, float32: see kernels/x86/windows.h.
struct WindowPoolCall {
  x86::WindowPool pool;
  ValueId x_value = kNone, out_value = kNone, place_value = kNone;  ///< kNone: not wanted
  Location x, out, places;
};

/// Resized images and volumes: see kernels/x86/resize.h.
struct ResizeCall : HostEpilogue {
  x86::Resize resize;
  x86::ResizeFilter filter = x86::ResizeFilter::kNearest;
  ValueId x_value = kNone;
  Location x;
};

/// Images read at a grid's places: see kernels/x86/grid_sample.h.
struct GridSampleCall {
  x86::GridSample sample;
  ValueId x_value = kNone, grid_value = kNone, out_value = kNone;
  Location x, grid, out;
};

/// One element of a plan.
struct Step {
  enum class Kind : uint8_t {
    kFused,
    kMatmul,
    kHostMatmul,
    kSmallConv,
    kImageConv,
    kRecurrence,
    kRowSum,
    kByIndex,
    kHostRows,
    kOrdering,
    kSortedSearch,
    kBatchedProduct,
    kWindowPool,
    kGridSample,
    kResize,
    kEmbeddingBag,
    kRegions,
    kAttention,
    kEager
  };
  Kind kind = Kind::kEager;
  std::string name;
  std::string
      reason;  ///< kEager: why; empty when a tuned library is the right place for the operator
  bool library = false;  ///< kEager: a matmul, convolution or the like, which LibTorch hands to a
                         ///< tuned library
  std::vector<NodeId> nodes;  ///< members, in execution order
  std::vector<ValueId> reads, makes;
  KernelSpec spec;                  ///< kFused; of a tail; kRecurrence: of the gates
  Geometry geometry;                ///< as spec
  std::vector<Location> operands;   ///< as spec: loads, then stores
  std::vector<ValueId> tail_reads;  ///< kHostMatmul, kImageConv: what a tail loads (fusion/tails.h)
  Matmul matmul;                    ///< kMatmul
  HostMatmul host_matmul;           ///< kHostMatmul
  SmallConv conv;                   ///< kSmallConv
  ImageConv image_conv;             ///< kImageConv
  RecurrenceCall recurrence;        ///< kRecurrence
  RowSum row_sum;                   ///< kRowSum
  ByIndexCall by_index;             ///< kByIndex
  HostRowsCall host_rows;           ///< kHostRows
  OrderingCall ordering;            ///< kOrdering
  SortedSearchCall sorted_search;   ///< kSortedSearch
  BatchedProductCall batched;       ///< kBatchedProduct
  WindowPoolCall window_pool;       ///< kWindowPool
  GridSampleCall grid_sample;       ///< kGridSample
  ResizeCall resize;                ///< kResize
  EmbeddingBagCall bag;             ///< kEmbeddingBag
  RegionsCall regions;              ///< kRegions
  AttentionCall attention;          ///< kAttention
  ValueId scratch = kNone;          ///< memory that only this step uses
  Location scratch_at;              ///< its place; buffer is kNone when there is none

  bool has_kernel() const { return !spec.stores.empty(); }
  bool has_tail() const { return !tail_reads.empty(); }
};

/// A plan and the graph that its ids refer to.
struct Plan {
  Graph graph;                  ///< after the passes
  std::vector<Buffer> buffers;  ///< by StorageId
  std::vector<Step> steps;
  std::vector<std::vector<StorageId>>
      releases;                 ///< by step: eager buffers that nothing reads afterwards
  int64_t arena_bytes = 0;      ///< for the intermediates
  int64_t live_bytes = 0;       ///< of those alive at once, at most: no layout takes less
  int64_t unplanned_bytes = 0;  ///< their sum
  int recorded_nodes = 0;
  ValueId recorded_values =
      0;  ///< values before this one are the recording's, after functionalise()
};

}  // namespace torchweld
