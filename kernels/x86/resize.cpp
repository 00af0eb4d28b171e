// Images resized by hand: tables for the kernels, and what is shared out.
#include "kernels/x86/resize.h"

#include <algorithm>

#include "kernels/x86/isa.h"
#include "kernels/x86/resize_isa.h"

namespace torchweld::x86 {
namespace {

constexpr int64_t kVector = 16;          // the widest, in floats
constexpr int64_t kBlockFloats = 4096;   // that a block's first sums are about: half of the cache
constexpr int64_t kFewChannels = 13;     // fewer hardly fill a vector
constexpr int64_t kFewestBandRows = 16;  // a band sums columns anew

/// How many entries each place has; 0 where they differ.
int64_t kind_of(const ResizeTaps& taps) {
  const bool alike = std::all_of(taps.counts.begin(), taps.counts.end(),
                                 [&](int32_t count) { return count == taps.most; });
  return alike ? taps.most : 0;
}

/// The table's columns [begin, end) with what they see.
ResizeBlock block_of(const ResizeTaps& taps, int64_t begin, int64_t end) {
  ResizeBlock b{begin, end, taps.from[static_cast<size_t>(begin * taps.most)], 0};
  for (int64_t j = begin; j < end; ++j) {
    const int32_t* const from = taps.from.data() + j * taps.most;
    b.first = std::min<int64_t>(b.first, from[0]);
    b.last = std::max<int64_t>(b.last, from[taps.counts[static_cast<size_t>(j)] - 1] + 1);
  }
  return b;
}

/// Blocks of `step` columns or a multiple.
bool cut(Resize* r, int64_t step, int64_t floats_a_column, int64_t most_columns) {
  const int64_t columns = r->columns.places();
  const auto floats = [&](const ResizeBlock& b) { return (b.last - b.first) * floats_a_column; };
  for (int64_t begin = 0; begin < columns;) {
    ResizeBlock block = block_of(r->columns, begin, std::min(begin + step, columns));
    if (floats(block) > kResizeFloats) return false;
    while (block.end < columns && block.end - begin + step <= most_columns) {
      const int64_t end = std::min(block.end + step, columns);
      ResizeBlock more = block_of(r->columns, block.end, end);
      more = {begin, end, std::min(block.first, more.first), std::max(block.last, more.last)};
      if (floats(more) > kBlockFloats) break;
      block = more;
    }
    r->blocks.push_back(block);
    begin = block.end;
  }
  return true;
}

/// As vectors read them: the last column stands for those past it.
void turn(Resize* r) {
  const ResizeTaps& taps = r->columns;
  const int64_t columns = taps.places();
  r->padded = (columns + kVector - 1) / kVector * kVector;
  r->reach.assign(static_cast<size_t>(r->padded / 8), {INT32_MAX, 0});
  for (int64_t k = 0; k < taps.most; ++k) {
    for (int64_t p = 0; p < r->padded; ++p) {
      const int64_t j = std::min(p, columns - 1);
      const bool counts = k < taps.counts[static_cast<size_t>(j)];
      const auto at = static_cast<size_t>(j * taps.most + k);
      r->from.push_back(counts ? taps.from[at] : -1);
      r->weights.push_back(counts ? taps.weights[at] : 0);
      ResizeReach& reach = r->reach[static_cast<size_t>(p / 8)];
      if (counts) reach = {std::min(reach.low, taps.from[at]), std::max(reach.high, taps.from[at])};
    }
  }
}

/// Few channels side by side are columns, too: of an image of one channel.
void join_channels(Resize* r) {
  const ResizeTaps of_pixels = std::move(r->columns);
  const int64_t channels = r->channels;
  ResizeTaps& all = r->columns = {};
  all.most = of_pixels.most;
  for (int64_t j = 0; j < of_pixels.places(); ++j) {
    for (int64_t c = 0; c < channels; ++c) {
      all.counts.push_back(of_pixels.counts[static_cast<size_t>(j)]);
      for (int64_t k = 0; k < all.most; ++k) {
        const auto at = static_cast<size_t>(j * all.most + k);
        all.from.push_back(static_cast<int32_t>(of_pixels.from[at] * channels + c));
        all.weights.push_back(of_pixels.weights[at]);
      }
    }
  }
  r->in_columns *= channels;
  r->joined = channels;
  r->channels = 1;
  r->channels_innermost = false;
}

/// By how often a row of the source is read, and what the kernels keep.
ResizeOrder order_of(const Resize& r) {
  int64_t sources = 0, last = -1;  // rows of the source that are read, roughly
  for (const int32_t from : r.rows.from) {
    if (from > last) ++sources;
    last = std::max<int64_t>(last, from);
  }
  if (r.rows.most == 1 && sources == r.rows.places()) return ResizeOrder::kColumnsOnly;
  bool near = r.rows.most <= kResizeKept;
  for (int64_t y = 0; y < r.rows.places() && near; ++y) {
    const int32_t* const from = r.rows.from.data() + y * r.rows.most;
    near &= from[r.rows.counts[static_cast<size_t>(y)] - 1] - from[0] < kResizeKept;
  }
  return near && sources <= r.rows.places() ? ResizeOrder::kColumns : ResizeOrder::kRows;
}

int64_t cycles_of_row(const Resize& r) {
  const int64_t columns = r.columns.places() * (r.channels_innermost ? r.channels : 1);
  return 16 + columns * (2 + r.rows.most + r.columns.most) / 8;
}

}  // namespace

int64_t Resize::bands() const {
  constexpr int64_t kEnoughTasks = 16;
  const int64_t most = std::max<int64_t>(1, rows.places() / kFewestBandRows);
  return std::clamp<int64_t>(kEnoughTasks / std::max<int64_t>(1, images * channels), 1, most);
}

int64_t Resize::tasks() const {
  return images * (channels_innermost ? rows.places() : channels * bands());
}

ResizeWork work_of(const Resize& r, const ResizeOperands& operands) {
  ResizeWork w;
  w.operands = &operands;
  w.order = r.order;
  w.channels = r.channels;
  w.in_columns = r.in_columns;
  w.out_columns = r.columns.places();
  w.out_rows = r.rows.places();
  w.bands = r.bands();
  w.x = r.x;
  w.out = r.out;
  w.blocks = r.blocks.data();
  w.block_count = std::ssize(r.blocks);
  w.row_taps = r.rows.most;
  w.column_taps = r.columns.most;
  w.row_kind = r.row_kind;
  w.column_kind = r.column_kind;
  w.row_counts = r.rows.counts.data();
  w.row_from = r.rows.from.data();
  w.row_weights = r.rows.weights.data();
  w.column_counts = r.columns.counts.data();
  w.column_from = r.channels_innermost ? r.columns.from.data() : r.from.data();
  w.column_weights = r.channels_innermost ? r.columns.weights.data() : r.weights.data();
  w.reach = r.reach.data();
  w.padded = r.padded;
  return w;
}

bool lay_out(Resize* call) {
  for (const ResizeTaps* taps : {&call->rows, &call->columns}) {
    if (taps->places() == 0 || *std::min_element(taps->counts.begin(), taps->counts.end()) < 1)
      return false;
  }
  if (call->rows.most > kResizeTaps) return false;
  call->row_kind = kind_of(call->rows);
  call->column_kind = kind_of(call->columns);
  if (call->channels_innermost && call->channels < kFewChannels) join_channels(call);
  if (call->channels_innermost) return cut(call, 1, call->channels, call->columns.places());
  if (!cut(call, kVector, 1, kResizeColumns)) return false;
  turn(call);
  call->order = order_of(*call);
  return true;
}

void run_resize(const Resize& call, const ResizeOperands& operands, const SplitWork& parallel) {
  static const bool wide = host_isa() == Isa::kAvx512;
  const ResizeWork w = work_of(call, operands);
  const auto run = [&](int64_t begin, int64_t end) {
    if (call.channels_innermost) {
      (wide ? resize_pixels_avx512 : resize_pixels_avx2)(w, begin, end);
    } else {
      (wide ? resize_planes_avx512 : resize_planes_avx2)(w, begin, end);
    }
  };
  const int64_t rows = call.channels_innermost ? 1 : call.rows.places() / w.bands + 1;
  share_out(call.tasks(), rows * cycles_of_row(call), parallel, std::ref(run));
}

}  // namespace torchweld::x86
