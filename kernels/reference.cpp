// The interpreter behind ReferenceBackend.
#include "kernels/reference.h"

#include <cmath>
#include <limits>

#include "kernels/phases.h"
#include "kernels/scalar.h"

namespace torchweld {
namespace {

int64_t product(const std::vector<int64_t>& sizes, size_t begin, size_t end) {
  int64_t n = 1;
  for (size_t d = begin; d < end; ++d) n *= sizes[d];
  return n;
}

/// Steps `at` through dims [begin, end), the last one fastest.
void advance(const std::vector<int64_t>& sizes, size_t begin, size_t end,
             std::vector<int64_t>* at) {
  for (size_t d = end; d-- > begin;) {
    if (++(*at)[d] < sizes[d]) return;
    (*at)[d] = 0;
  }
}

/// A number of a compute type, and back.
double number(DType type, Scalar s) {
  switch (type) {
    case DType::kF32:
      return s.f32;
    case DType::kF64:
      return s.f64;
    case DType::kI64:
      return static_cast<double>(s.i64);
    case DType::kI32:
      return s.i32;
    default:
      return s.b ? 1 : 0;
  }
}

Scalar lowest(DType type) {
  if (is_floating(type)) return scalar_of(type, -std::numeric_limits<double>::infinity());
  Scalar s{};
  if (type == DType::kI64) s.i64 = std::numeric_limits<int64_t>::min();
  if (type == DType::kI32) s.i32 = std::numeric_limits<int32_t>::min();
  return s;
}

Scalar highest(DType type) {
  if (is_floating(type)) return scalar_of(type, std::numeric_limits<double>::infinity());
  Scalar s{};
  if (type == DType::kI64) s.i64 = std::numeric_limits<int64_t>::max();
  if (type == DType::kI32) s.i32 = std::numeric_limits<int32_t>::max();
  if (type == DType::kBool) s.b = true;
  return s;
}

/// A reduction under way. Floating sums and products are kept in float64, so that the oracle is
/// better than what it judges.
class Reduction {
 public:
  Reduction(Prim prim, DType type) : prim_(prim), type_(type) {
    exact_ = prim == Prim::kProduct ? 1 : 0;
    whole_ = prim == Prim::kProduct ? 1 : 0;
    best_ = takes_largest() ? lowest(type) : highest(type);
  }

  void add(Scalar value, int64_t place) {
    if (prim_ == Prim::kSum || prim_ == Prim::kRunningSum || prim_ == Prim::kProduct) {
      const double x = number(type_, value);
      exact_ = prim_ == Prim::kProduct ? exact_ * x : exact_ + x;
      if (!is_floating(type_)) {
        const auto w = static_cast<uint64_t>(type_ == DType::kI64   ? value.i64
                                             : type_ == DType::kI32 ? value.i32
                                                                    : value.b);
        whole_ = prim_ == Prim::kProduct ? whole_ * w : whole_ + w;
      }
    } else if (place == 0 || is_better(value)) {
      best_ = value;
      place_ = place;
    }
  }

  Scalar result() const {
    if (prim_ == Prim::kArgLargest || prim_ == Prim::kArgSmallest) {
      Scalar s{};
      s.i64 = place_;
      return s;
    }
    if (prim_ == Prim::kLargest || prim_ == Prim::kSmallest) return best_;
    if (is_floating(type_)) return scalar_of(type_, exact_);
    Scalar s{};
    if (type_ == DType::kI64) s.i64 = static_cast<int64_t>(whole_);
    if (type_ == DType::kI32) s.i32 = static_cast<int32_t>(whole_);
    return s;
  }

 private:
  bool takes_largest() const { return prim_ == Prim::kLargest || prim_ == Prim::kArgLargest; }

  bool is_better(Scalar value) const {
    if (type_ == DType::kI64)
      return takes_largest() ? value.i64 > best_.i64 : value.i64 < best_.i64;
    const double x = number(type_, value), best = number(type_, best_);
    if (std::isnan(best)) return false;
    return std::isnan(x) || (takes_largest() ? x > best : x < best);
  }

  Prim prim_;
  DType type_;
  double exact_ = 0;
  uint64_t whole_ = 0;
  Scalar best_{};
  int64_t place_ = 0;
};

class ReferenceKernel final : public Kernel {
 public:
  explicit ReferenceKernel(const KernelSpec& spec) : spec_(spec), phases_(phases_of(spec)) {}

  void launch(const Geometry& geometry, void* const* pointers, const LaunchSite&) const override {
    Run run{geometry,
            pointers,
            std::vector<int64_t>(geometry.sizes.size(), 0),
            std::vector<Scalar>(spec_.body.size()),
            {}};
    const size_t kept = geometry.sizes.size() - static_cast<size_t>(spec_.reduced);
    const int64_t rows = product(geometry.sizes, 0, kept);
    // Of a row of one element what that gives is the row's, too.
    const bool of_one = product(geometry.sizes, kept, geometry.sizes.size()) == 1;
    for (int64_t r = 0; r < rows; ++r) {
      for (int phase = 0; phase < phases_.count; ++phase) pass(phase, &run);
      for (size_t i = 0; i < spec_.body.size(); ++i) {
        if (phases_.per_row[i] || (of_one && !is_reduction(spec_.body[i].prim))) evaluate(i, &run);
      }
      for (size_t i = 0; i < spec_.stores.size(); ++i) {
        if (spec_.stores[i].per_row) store(i, &run);
      }
      advance(geometry.sizes, 0, kept, &run.at);
    }
  }

  const std::string& name() const override { return spec_.name; }
  int64_t code_bytes() const override { return 0; }
  double compile_us() const override { return 0; }

 private:
  struct Run {
    const Geometry& geometry;
    void* const* pointers;
    std::vector<int64_t> at;
    std::vector<Scalar> values;
    std::vector<Reduction> reductions;  // by instruction; of no meaning for others
  };

  /// One walk over the elements of a row.
  void pass(int phase, Run* run) const {
    run->reductions.clear();
    for (const Inst& inst : spec_.body)
      run->reductions.emplace_back(inst.prim,
                                   needs_row(inst.prim) ? type_of(inst.args[0]) : inst.type);
    const size_t kept = run->at.size() - static_cast<size_t>(spec_.reduced);
    const int64_t elements = product(run->geometry.sizes, kept, run->at.size());
    for (int64_t e = 0; e < elements; ++e) {
      for (size_t i = 0; i < spec_.body.size(); ++i) {
        const Inst& inst = spec_.body[i];
        const int begins = phases_.ready[i] - (is_reduction(inst.prim) ? 1 : 0);
        if (begins > phase) continue;
        if (!needs_row(inst.prim)) {
          evaluate(i, run);
        } else if (!is_reduction(inst.prim) || begins == phase) {
          run->reductions[i].add(arg(inst, 0, *run), e);
          if (!is_reduction(inst.prim)) run->values[i] = run->reductions[i].result();
        }
      }
      if (phase + 1 == phases_.count) {
        for (size_t i = 0; i < spec_.stores.size(); ++i) {
          if (!spec_.stores[i].per_row) store(i, run);
        }
      }
      advance(run->geometry.sizes, kept, run->at.size(), &run->at);
    }
    for (size_t i = 0; i < spec_.body.size(); ++i) {
      if (is_reduction(spec_.body[i].prim) && phases_.ready[i] == phase + 1)
        run->values[i] = run->reductions[i].result();
    }
  }

  DType type_of(int16_t value) const { return spec_.body[static_cast<size_t>(value)].type; }

  static Scalar arg(const Inst& inst, size_t i, const Run& run) {
    return inst.args[i] < 0 ? Scalar{} : run.values[static_cast<size_t>(inst.args[i])];
  }

  static char* address(const Run& run, size_t operand, DType dtype, int64_t offset) {
    for (size_t d = 0; d < run.at.size(); ++d)
      offset += run.at[d] * run.geometry.strides[operand][d];
    return static_cast<char*>(run.pointers[operand]) + offset * size_of(dtype);
  }

  void evaluate(size_t i, Run* run) const {
    const Inst& inst = spec_.body[i];
    Scalar& value = run->values[i];
    if (inst.prim == Prim::kCoord) {
      value.i64 = run->at[static_cast<size_t>(inst.imm_int)];
    } else if (inst.prim == Prim::kParam) {
      value.i64 = run->geometry.params[static_cast<size_t>(inst.imm_int)];
    } else if (inst.prim == Prim::kLoad) {
      const size_t operand = static_cast<size_t>(inst.operand);
      const DType dtype = spec_.loads[operand].dtype;
      const bool reads = inst.args[1] < 0 || arg(inst, 1, *run).b;
      const int64_t offset = inst.args[0] < 0 ? 0 : arg(inst, 0, *run).i64;
      value = reads ? load_scalar(dtype, address(*run, operand, dtype, offset)) : Scalar{};
    } else if (!needs_row(inst.prim)) {
      const int arity = arity_of(inst.prim);
      const DType arg_type = arity == 0 ? inst.type : type_of(inst.args[arity > 1 ? 1 : 0]);
      value =
          eval_scalar(inst, arg_type, arg(inst, 0, *run), arg(inst, 1, *run), arg(inst, 2, *run));
    }
  }

  void store(size_t i, Run* run) const {
    const StoreSpec& store = spec_.stores[i];
    const DType dtype = store.operand.dtype;
    const auto value_of = [&](int16_t v) { return run->values[static_cast<size_t>(v)]; };
    if (store.predicate >= 0 && !value_of(store.predicate).b) return;
    const int64_t offset = store.offset < 0 ? 0 : value_of(store.offset).i64;
    char* const to = address(*run, spec_.loads.size() + i, dtype, offset);
    Inst cast;
    cast.prim = Prim::kCast;
    cast.type = compute_type(dtype);
    const DType from = type_of(store.value);
    Scalar value = value_of(store.value);
    if (from != cast.type) value = eval_scalar(cast, from, value, {}, {});
    if (store.accumulates) {
      Inst add;
      add.prim = Prim::kAdd;
      add.type = cast.type;
      value = eval_scalar(add, cast.type, load_scalar(dtype, to), value, {});
    }
    store_scalar(dtype, value, to);
  }

  KernelSpec spec_;
  Phases phases_;
};

}  // namespace

std::shared_ptr<const Kernel> ReferenceBackend::compile(const KernelSpec& spec, const Geometry&,
                                                        std::string*) {
  return std::make_shared<ReferenceKernel>(spec);
}

}  // namespace torchweld
