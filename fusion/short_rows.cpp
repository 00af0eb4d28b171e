#include "fusion/short_rows.h"

#include <algorithm>
#include <optional>

#include "kernels/geometry.h"
#include "kernels/phases.h"

namespace torchweld {
namespace {

constexpr int64_t kMostElements = 4;

/// Whether rows are sums of few elements that lie apart, which alone leave the kernel, and some
/// operand lies across the dim that vectors would lie along.
bool suits(const KernelSpec& spec, const Geometry& geometry) {
  if (spec.reduced != 1 || spec.rank < 2 || geometry.sizes.back() < 2 ||
      geometry.sizes.back() > kMostElements)
    return false;
  const bool plain = std::all_of(spec.body.begin(), spec.body.end(), [](const Inst& inst) {
    return inst.prim != Prim::kCoord && (inst.prim != Prim::kLoad || inst.args[0] < 0) &&
           (!needs_row(inst.prim) || inst.prim == Prim::kSum);
  });
  const bool leaves_rows =
      std::all_of(spec.stores.begin(), spec.stores.end(), [](const StoreSpec& store) {
        return store.per_row && store.offset < 0 && store.predicate < 0;
      });
  const auto row = static_cast<size_t>(spec.rank - 1), lane = row - 1;
  bool apart = true, across = false;
  for (const OperandSpec& load : spec.loads) {
    apart &= load.strides[row] != StrideClass::kOne;
    across |= load.strides[lane] == StrideClass::kAny;
  }
  for (const StoreSpec& store : spec.stores)
    across |= store.operand.strides[lane] == StrideClass::kAny;
  return plain && leaves_rows && apart && across;
}

class Unrolled {
 public:
  Unrolled(Graph* graph, const Step& step)
      : graph_(*graph),
        step_(step),
        elements_(step.geometry.sizes.back()),
        phases_(phases_of(step.spec)) {}

  std::optional<Step> step() {
    if (!read()) return std::nullopt;
    for (size_t i = 0; i < step_.spec.body.size(); ++i) copies_.push_back(add(i));
    Step out = step_;
    out.spec.body = std::move(body_);
    std::vector<std::vector<int64_t>> strides = strides_;
    for (size_t i = 0; i < out.spec.stores.size(); ++i) {
      StoreSpec& store = out.spec.stores[i];
      store.value = copies_[static_cast<size_t>(store.value)].back();
      store.per_row = false;
      strides.push_back(without_row(step_.geometry.strides[step_.spec.loads.size() + i]));
    }
    const auto layout = coalesce(without_row(step_.geometry.sizes), strides,
                                 static_cast<int>(out.spec.stores.size()));
    if (!layout || strides.size() > static_cast<size_t>(kMaxOperands)) return std::nullopt;
    out.spec.rank = layout->rank;
    out.spec.reduced = 0;
    out.spec.loads.clear();
    for (size_t i = 0; i < reads_.size(); ++i)
      out.spec.loads.push_back({graph_.value(reads_[i]).dtype, layout->classes[i]});
    for (size_t i = 0; i < out.spec.stores.size(); ++i)
      out.spec.stores[i].operand.strides = layout->classes[reads_.size() + i];
    out.geometry.sizes = layout->geometry.sizes;
    out.geometry.strides = layout->geometry.strides;
    out.geometry.elements = layout->geometry.elements;
    out.reads = reads_;
    return out;
  }

 private:
  static std::vector<int64_t> without_row(std::vector<int64_t> dims) {
    dims.pop_back();
    return dims;
  }

  /// The operands' views at each position of a row. False where no dim of theirs is the row's.
  bool read() {
    for (size_t i = 0; i < step_.spec.loads.size(); ++i) {
      const int64_t stride = step_.geometry.strides[i].back();
      first_view_.push_back(static_cast<int16_t>(reads_.size()));
      if (stride == 0) {
        push(step_.reads[i], i);
        continue;
      }
      const Value v = graph_.value(step_.reads[i]);
      size_t d = 0;
      while (d < v.sizes.size() && (v.sizes[d] != elements_ || v.strides[d] != stride)) ++d;
      if (d == v.sizes.size()) return false;
      for (int64_t k = 0; k < elements_; ++k) {
        Value view = v;
        view.offset += k * stride;
        view.sizes.erase(view.sizes.begin() + static_cast<std::ptrdiff_t>(d));
        view.strides.erase(view.strides.begin() + static_cast<std::ptrdiff_t>(d));
        view.has_scalar = false;
        push(graph_.add(std::move(view)), i);
      }
    }
    return true;
  }

  void push(ValueId id, size_t operand) {
    reads_.push_back(id);
    strides_.push_back(without_row(step_.geometry.strides[operand]));
  }

  /// The instruction once, or once for each element; a sum as additions.
  std::vector<int16_t> add(size_t i) {
    const Inst& inst = step_.spec.body[i];
    std::vector<int16_t> made;
    if (inst.prim == Prim::kSum) {
      int16_t sum = push({.prim = Prim::kConst, .type = inst.type});
      for (const int16_t x : each(inst.args[0]))
        sum = push({.prim = Prim::kAdd, .type = inst.type, .args = {sum, x, -1}});
      return {sum};
    }
    const bool is_load = inst.prim == Prim::kLoad;
    const bool once =
        phases_.per_row[i] ||
        (is_load && step_.geometry.strides[static_cast<size_t>(inst.operand)].back() == 0);
    for (int64_t k = 0; k < (once ? 1 : elements_); ++k) {
      Inst copy = inst;
      for (int16_t& arg : copy.args) {
        if (arg >= 0) arg = at(arg, k);
      }
      if (is_load)
        copy.operand = static_cast<int16_t>(first_view_[static_cast<size_t>(inst.operand)] + k);
      made.push_back(push(copy));
    }
    return made;
  }

  int16_t push(Inst inst) {
    body_.push_back(inst);
    return static_cast<int16_t>(body_.size() - 1);
  }

  int16_t at(int16_t value, int64_t element) const {
    const std::vector<int16_t>& copies = copies_[static_cast<size_t>(value)];
    return copies.size() == 1 ? copies[0] : copies[static_cast<size_t>(element)];
  }

  std::vector<int16_t> each(int16_t value) const {
    std::vector<int16_t> all;
    for (int64_t k = 0; k < elements_; ++k) all.push_back(at(value, k));
    return all;
  }

  Graph& graph_;
  const Step& step_;
  int64_t elements_;
  Phases phases_;
  std::vector<ValueId> reads_;
  std::vector<std::vector<int64_t>> strides_;  // of what is read
  std::vector<int16_t> first_view_;            // by operand
  std::vector<Inst> body_;
  std::vector<std::vector<int16_t>> copies_;  // by instruction: one, or one for each element
};

}  // namespace

void unroll_short_rows(Graph* graph, const Target& target, Step* step) {
  if (!target.hand_kernels || !suits(step->spec, step->geometry)) return;
  auto unrolled = Unrolled(graph, *step).step();
  std::string why;
  if (!unrolled ||
      (target.can_compile && !target.can_compile(unrolled->spec, unrolled->geometry, &why)))
    return;
  *step = std::move(*unrolled);
}

}  // namespace torchweld
