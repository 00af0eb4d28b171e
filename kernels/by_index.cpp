#include "kernels/by_index.h"

#include <algorithm>

#include "kernels/by_index_lines.h"

namespace torchweld {
namespace {

using namespace by_index;

constexpr int64_t kGrainBytes = 1 << 16;  // below it a second thread costs more than it does

/// Whether an index changes along this dim.
bool is_named(const Shape& s, size_t d) {
  return std::any_of(s.index.begin(), s.index.begin() + s.indices,
                     [d](const Index& index) { return index.strides[d] != 0; });
}

bool is_one_stretch(const Shape& s) {
  const auto last = static_cast<size_t>(s.rank - 1);
  return s.sizes[last] == 1 || (s.table_strides[last] == 1 && s.operand_strides[last] == 1);
}

template <class Op>
void run(const Shape& s, const ByIndexPointers& at) {
  const auto last = static_cast<size_t>(s.rank - 1);
  if (is_named(s, last)) return NamedLine<Op>{s}.walk(0, at);
  walk_lines(s, at, Line<Op>{s.sizes[last], s.table_strides[last], s.operand_strides[last]});
}

template <bool kReads>
void copy_stretches(const Shape& s, const ByIndexPointers& at) {
  const int64_t bytes = s.sizes[static_cast<size_t>(s.rank - 1)] * size_of(s.dtype);
  switch (bytes) {  // a call of memcpy takes as long as such a line
    case 4:
      return walk_lines(s, at, Stretch<kReads, 4>{});
    case 8:
      return walk_lines(s, at, Stretch<kReads, 8>{});
    case 16:
      return walk_lines(s, at, Stretch<kReads, 16>{});
    case 32:
      return walk_lines(s, at, Stretch<kReads, 32>{});
    case 64:
      return walk_lines(s, at, Stretch<kReads, 64>{});
    case 128:
      return walk_lines(s, at, Stretch<kReads, 128>{});
    default:
      return walk_lines(s, at, Stretch<kReads, 0>{bytes});
  }
}

template <template <class> class Op>
void copy(const Shape& s, const ByIndexPointers& at) {
  if (is_one_stretch(s) && !is_named(s, static_cast<size_t>(s.rank - 1)))
    return copy_stretches<std::is_same_v<Op<int>, Read<int>>>(s, at);
  switch (size_of(s.dtype)) {
    case 1:
      return run<Op<uint8_t>>(s, at);
    case 2:
      return run<Op<uint16_t>>(s, at);
    case 4:
      return run<Op<uint32_t>>(s, at);
    default:
      return run<Op<uint64_t>>(s, at);
  }
}

template <template <class> class Op, class OnBools>
void combine(const Shape& s, const ByIndexPointers& at) {
  switch (s.dtype) {
    case DType::kF32:
      return run<Op<float>>(s, at);
    case DType::kF64:
      return run<Op<double>>(s, at);
    case DType::kI64:
      return run<Op<int64_t>>(s, at);
    case DType::kI32:
      return run<Op<int32_t>>(s, at);
    case DType::kI16:
      return run<Op<int16_t>>(s, at);
    case DType::kI8:
      return run<Op<int8_t>>(s, at);
    case DType::kU8:
      return run<Op<uint8_t>>(s, at);
    default:
      return run<OnBools>(s, at);
  }
}

void run_all(const Shape& s, const ByIndexPointers& at) {
  switch (s.how) {
    case ByIndex::kRead:
      return copy<Read>(s, at);
    case ByIndex::kWrite:
      return copy<Write>(s, at);
    case ByIndex::kAdd:
      return combine<Add, Or>(s, at);
    case ByIndex::kMultiply:
      return combine<Multiply, And>(s, at);
    case ByIndex::kMax:
      return combine<Max, Or>(s, at);
    case ByIndex::kMin:
      return combine<Min, And>(s, at);
    case ByIndex::kMasked:
      return;  // write_masked
  }
}

// ---- The indices, before anything else

/// One index over the dims along which it changes.
struct Check {
  const Shape& shape;
  const Index& index;

  std::optional<int64_t> first_bad(int dim, const char* values) const {
    while (dim < shape.rank && index.strides[static_cast<size_t>(dim)] == 0) ++dim;
    if (dim == shape.rank) return is_bad(value_at(index, values, 0));
    const auto d = static_cast<size_t>(dim);
    int next = dim + 1;
    while (next < shape.rank && index.strides[static_cast<size_t>(next)] == 0) ++next;
    const int64_t step = index.strides[d] * (index.narrow ? 4 : 8);
    if (next == shape.rank)
      return index.narrow ? of_line<int32_t>(d, values) : of_line<int64_t>(d, values);
    for (int64_t i = 0; i < shape.sizes[d]; ++i, values += step) {
      if (const auto bad = first_bad(next, values)) return bad;
    }
    return std::nullopt;
  }

 private:
  std::optional<int64_t> is_bad(int64_t value) const {
    return value >= lowest() && value < index.extent ? std::nullopt : std::optional(value);
  }

  int64_t lowest() const { return index.wraps ? -index.extent : 0; }

  template <class T>
  std::optional<int64_t> of_line(size_t d, const char* bytes) const {
    const auto* values = reinterpret_cast<const T*>(bytes);
    const int64_t count = shape.sizes[d], stride = index.strides[d];
    const auto low = static_cast<uint64_t>(lowest());
    const auto high = static_cast<uint64_t>(index.extent - 1);
    // The sign of a difference: what wraps around is too low or too high anyway.
    const auto outside = [low, high](int64_t value) {
      const auto v = static_cast<uint64_t>(value);
      return (v - low) | (high - v);
    };
    uint64_t signs = 0;
    if (stride == 1) {
      for (int64_t i = 0; i < count; ++i) signs |= outside(values[i]);
    } else {
      for (int64_t i = 0; i < count; ++i) signs |= outside(values[i * stride]);
    }
    for (int64_t i = 0; static_cast<int64_t>(signs) < 0; ++i) {
      if (const auto value = is_bad(values[i * stride])) return value;
    }
    return std::nullopt;
  }
};

// ---- Threads

/// A dim whose parts different threads may walk: parts of a read write different elements, and of a
/// write as well where no index has a say. -1: none.
int shared_dim(const Shape& s) {
  for (int dim = 0; dim < s.rank; ++dim) {
    const auto d = static_cast<size_t>(dim);
    const bool apart = s.how == ByIndex::kRead || (!is_named(s, d) && s.table_strides[d] != 0);
    if (apart && s.sizes[d] > 1) return dim;
  }
  return -1;
}

void run_part(Shape s, ByIndexPointers at, size_t d, int64_t begin, int64_t end) {
  const int64_t bytes = size_of(s.dtype);
  s.sizes[d] = end - begin;
  at.table += begin * s.table_strides[d] * bytes;
  at.operand += begin * s.operand_strides[d] * bytes;
  for (size_t k = 0; k < static_cast<size_t>(s.indices); ++k)
    at.index[k] = static_cast<const char*>(at.index[k]) +
                  begin * s.index[k].strides[d] * (s.index[k].narrow ? 4 : 8);
  run_all(s, at);
}

/// Whether dims d and d + 1 are one dim of memory, everywhere.
bool joins(const Shape& s, size_t d) {
  const auto follows = [&](const Shape::Dims& strides) {
    return strides[d] == strides[d + 1] * s.sizes[d + 1];
  };
  return follows(s.table_strides) && follows(s.operand_strides) &&
         std::all_of(s.index.begin(), s.index.begin() + s.indices,
                     [&](const Index& index) { return follows(index.strides); });
}

}  // namespace

int64_t ByIndexShape::elements() const {
  int64_t n = 1;
  for (int d = 0; d < rank; ++d) n *= sizes[static_cast<size_t>(d)];
  return n;
}

void simplify(ByIndexShape* shape) {
  Shape& s = *shape;
  const auto for_strides = [&s](const auto& f) {
    f(&s.table_strides);
    f(&s.operand_strides);
    for (Index& index : s.index) f(&index.strides);
  };
  const auto drop = [&](size_t dim) {
    const auto without = [dim](Shape::Dims* dims) {
      std::copy(dims->begin() + static_cast<std::ptrdiff_t>(dim) + 1, dims->end(),
                dims->begin() + static_cast<std::ptrdiff_t>(dim));
      dims->back() = 0;
    };
    without(&s.sizes);
    for_strides(without);
    --s.rank;
  };
  for (size_t d = static_cast<size_t>(s.rank); d-- > 0;) {
    if (s.sizes[d] == 1) {
      drop(d);
    } else if (d + 1 < static_cast<size_t>(s.rank) && joins(s, d)) {
      s.sizes[d + 1] *= s.sizes[d];
      drop(d);
    }
  }
  const bool named = s.rank > 0 && is_named(s, static_cast<size_t>(s.rank - 1));
  if (s.rank > 0 && (!named || (s.indices == 1 && !s.index[0].narrow))) return;
  const auto last = static_cast<size_t>(s.rank++);
  s.sizes[last] = 1;
  for_strides([last](Shape::Dims* strides) { (*strides)[last] = 0; });
}

bool takes_by_index(ByIndex how, DType dtype) {
  const bool copies = how == ByIndex::kRead || how == ByIndex::kWrite || how == ByIndex::kMasked;
  return dtype != DType::kOther && (copies || !is_half(dtype));
}

std::optional<NoPlace> run_by_index(const ByIndexShape& s, const ByIndexPointers& at,
                                    const ParallelFor& parallel) {
  const int64_t elements = s.elements();
  if (elements == 0) return std::nullopt;
  if (s.how == ByIndex::kMasked) return write_masked(s, at);
  for (int k = 0; k < s.indices; ++k) {
    const auto i = static_cast<size_t>(k);
    if (const auto bad = Check{s, s.index[i]}.first_bad(0, static_cast<const char*>(at.index[i])))
      return NoPlace{k, *bad};
  }
  const int64_t bytes = elements * size_of(s.dtype);
  const int dim = bytes <= kGrainBytes || parallel == nullptr ? -1 : shared_dim(s);
  if (dim < 0) {
    run_all(s, at);
    return std::nullopt;
  }
  const auto d = static_cast<size_t>(dim);
  const int64_t grain = std::max<int64_t>(1, kGrainBytes / (bytes / s.sizes[d]));
  parallel(s.sizes[d], grain, [&](int64_t begin, int64_t end) { run_part(s, at, d, begin, end); });
  return std::nullopt;
}

}  // namespace torchweld
