#include "kernels/x86/ordering.h"

#include <cstring>

#include "kernels/x86/ordered_row.h"

namespace torchweld::x86 {
namespace {

/// The places of rows in memory, one after the other.
class Rows {
 public:
  Rows(const Ordering& call, int64_t row) : call_(call) {
    for (size_t d = call.kept; d-- > 0; row /= call.sizes[d]) {
      at_[d] = row % call.sizes[d];
      move(d, at_[d]);
    }
  }

  void next() {
    for (size_t d = call_.kept; d-- > 0;) {
      move(d, 1);
      if (++at_[d] < call_.sizes[d]) return;
      move(d, -at_[d]);
      at_[d] = 0;
    }
  }

  const Ordering::Strides& offset() const { return offset_; }

 private:
  void move(size_t d, int64_t count) {
    offset_.x += count * call_.strides[d].x;
    offset_.values += count * call_.strides[d].values;
    offset_.places += count * call_.strides[d].places;
  }

  const Ordering& call_;
  Ordering::Strides offset_;
  int64_t at_[Ordering::kMostDims] = {};
};

template <class E, class U>
void copy_values(const Ordering& call, const E* ordered, const char* x, char* values) {
  const auto* from = reinterpret_cast<const U*>(x);
  auto* to = reinterpret_cast<U*>(values);
  for (int64_t i = 0; i < call.made; ++i)
    to[i * call.along.values] = from[static_cast<int64_t>(ordered[i].place) * call.along.x];
}

/// As LibTorch leaves them, which has them in float32 in between.
void make_nans_equal(const Ordering& call, char* values) {
  auto* to = reinterpret_cast<uint16_t*>(values);
  for (int64_t i = 0; i < call.made; ++i) {
    uint16_t& value = to[i * call.along.values];
    if ((value & 0x7fff) > 0x7f80) value = 0x7fc0;
  }
}

template <class E>
void write_values(const Ordering& call, const E* ordered, const char* x, char* values) {
  switch (size_of(call.dtype)) {
    case 1:
      return copy_values<E, uint8_t>(call, ordered, x, values);
    case 2:
      copy_values<E, uint16_t>(call, ordered, x, values);
      if (call.dtype == DType::kBF16 && call.op == OrderingOp::kTop) make_nans_equal(call, values);
      return;
    case 4:
      return copy_values<E, uint32_t>(call, ordered, x, values);
    default:
      return copy_values<E, uint64_t>(call, ordered, x, values);
  }
}

template <class E>
void order_rows(const Ordering& call, const char* x, char* values, int64_t* places, char* scratch,
                int64_t begin, int64_t end) {
  const int64_t bytes = size_of(call.dtype);
  OrderedRow<E> order(call, scratch);
  Rows rows(call, begin);
  for (int64_t row = begin; row < end; ++row, rows.next()) {
    const char* at = x + rows.offset().x * bytes;
    const E* ordered = order.of(at);
    if (values != nullptr) write_values(call, ordered, at, values + rows.offset().values * bytes);
    if (places == nullptr) continue;
    int64_t* to = places + rows.offset().places;
    for (int64_t i = 0; i < call.made; ++i)
      to[i * call.along.places] = static_cast<int64_t>(ordered[i].place);
  }
}

int64_t bytes_of_part(const Ordering& call) {
  const bool narrow = has_narrow_keys(call.dtype);
  const int64_t bytes =
      most_keyed(call) * static_cast<int64_t>(narrow ? sizeof(NarrowKeyed) : sizeof(WideKeyed));
  return (bytes + 63) / 64 * 64;
}

}  // namespace

int64_t Ordering::rows() const {
  int64_t n = 1;
  for (size_t d = 0; d < kept; ++d) n *= sizes[d];
  return n;
}

int64_t Ordering::parts() const {
  constexpr int64_t kMostParts = 16;
  // Fewer elements are done before a thread has woken up.
  const int64_t least = op == OrderingOp::kSort ? 1 << 12 : 1 << 14;
  return std::clamp<int64_t>(rows() * columns / least, 1,
                             std::clamp<int64_t>(rows(), 1, kMostParts));
}

int64_t Ordering::scratch_bytes() const { return parts() * bytes_of_part(*this); }

void run_ordering(const Ordering& call, const void* x, void* values, int64_t* places, char* scratch,
                  const ParallelFor& parallel) {
  const int64_t rows = call.rows(), parts = call.parts(), bytes = bytes_of_part(call);
  if (rows == 0 || call.made == 0) return;
  const auto run = has_narrow_keys(call.dtype) ? order_rows<NarrowKeyed> : order_rows<WideKeyed>;
  const auto work = [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p)
      run(call, static_cast<const char*>(x), static_cast<char*>(values), places,
          scratch + p * bytes, rows * p / parts, rows * (p + 1) / parts);
  };
  if (!parallel || parts == 1) return work(0, parts);
  // By reference, since a std::function of its own would allocate.
  parallel(parts, 1, std::ref(work));
}

}  // namespace torchweld::x86
