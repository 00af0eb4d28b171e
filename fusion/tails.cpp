#include "fusion/tails.h"

#include <algorithm>
#include <optional>

#include "kernels/x86/places.h"

namespace torchweld {
namespace {

/// Rows and columns of what the step makes, if they are one stretch of memory.
std::optional<std::pair<int64_t, int64_t>> dense_rows(const Step& step) {
  if (step.kind == Step::Kind::kImageConv)
    return std::pair(step.image_conv.shape.positions(), step.image_conv.shape.out_channels);
  const HostMatmul& m = step.host_matmul;
  if (step.kind != Step::Kind::kHostMatmul || (m.out_row_stride != m.n && m.m != 1))
    return std::nullopt;
  return std::pair(m.m, m.n);
}

class Joiner {
 public:
  explicit Joiner(Plan* plan) : plan_(*plan) {}

  void run() {
    for (size_t i = 0; i < plan_.steps.size();) {
      const auto follower = follower_of(i);
      if (follower) {
        join(i, *follower);
      } else {
        ++i;
      }
    }
  }

 private:
  const Value& value(ValueId id) const { return plan_.graph.value(id); }
  StorageId storage(ValueId id) const { return value(id).storage; }

  bool touches(const std::vector<ValueId>& ids, StorageId s) const {
    return std::any_of(ids.begin(), ids.end(), [&](ValueId id) { return storage(id) == s; });
  }

  /// The step that can be the tail of step i.
  std::optional<size_t> follower_of(size_t i) const {
    const Step& product = plan_.steps[i];
    const auto rows = dense_rows(product);
    if (!rows || product.has_kernel()) return std::nullopt;
    const ValueId made = product.makes[0];
    const StorageId s = storage(made);
    if (plan_.graph.storage_of(made).kind != Storage::Kind::kLocal ||
        touches(plan_.graph.outputs, s))
      return std::nullopt;
    std::optional<size_t> reader;
    for (size_t k = 0; k < plan_.steps.size(); ++k) {
      const Step& other = plan_.steps[k];
      if (k == i || (!touches(other.reads, s) && !touches(other.makes, s))) continue;
      if (reader || k < i || other.kind != Step::Kind::kFused) return std::nullopt;
      reader = k;
    }
    const bool fits =
        reader && suits(plan_.steps[*reader], made, *rows) && may_wait(product, i, *reader);
    return fits ? reader : std::nullopt;
  }

  /// Whether the kernel walks rows as the product makes them, and reads all of them in place.
  bool suits(const Step& fused, ValueId made, std::pair<int64_t, int64_t> rows) const {
    const KernelSpec& spec = fused.spec;
    if (x86::has_places(spec) || fused.makes.size() != 1 ||
        touches(fused.reads, storage(fused.makes[0])) ||
        value(fused.makes[0]).dtype != DType::kF32 || spec.stores[0].per_row)
      return false;
    const Geometry& g = fused.geometry;
    const auto [m, n] = rows;
    const bool flat = g.sizes.size() == 1 && spec.reduced == 0 && g.elements == m * n;
    const bool by_row = g.sizes.size() == 2 && g.sizes[0] == m && g.sizes[1] == n;
    if (!flat && !by_row) return false;
    const auto along = [&](size_t operand) {
      const std::vector<int64_t>& strides = g.strides[operand];
      return strides.back() == 1 && (flat || strides[0] == n);
    };
    if (!along(spec.loads.size())) return false;
    int reads = 0;
    for (size_t i = 0; i < fused.reads.size(); ++i) {
      if (storage(fused.reads[i]) != storage(made)) continue;
      ++reads;
      if (!along(i) || value(fused.reads[i]).offset != value(made).offset) return false;
    }
    return reads == 1;
  }

  /// Whether nothing between writes what the product reads.
  bool may_wait(const Step& product, size_t from, size_t to) const {
    for (size_t k = from + 1; k < to; ++k) {
      const Step& step = plan_.steps[k];
      for (const ValueId id : product.reads) {
        if (touches(step.makes, storage(id))) return false;
        for (const NodeId n : step.nodes) {
          if (touches(plan_.graph.nodes[static_cast<size_t>(n)].writes, storage(id))) return false;
        }
      }
    }
    return true;
  }

  void join(size_t i, size_t j) {
    Step step = std::move(plan_.steps[i]);
    Step& fused = plan_.steps[j];
    const ValueId made = step.makes[0], out = fused.makes[0];
    step.name += "_then_" + fused.name.substr(fused.name.find('_') + 1);
    step.nodes.insert(step.nodes.end(), fused.nodes.begin(), fused.nodes.end());
    step.makes = {out};
    (step.kind == Step::Kind::kImageConv ? static_cast<HostEpilogue&>(step.image_conv)
                                         : step.host_matmul)
        .out_value = out;
    for (const ValueId id : fused.reads) {
      const bool is_product = storage(id) == storage(made);
      step.tail_reads.push_back(is_product ? out : id);
      if (!is_product && std::find(step.reads.begin(), step.reads.end(), id) == step.reads.end())
        step.reads.push_back(id);
    }
    step.spec = std::move(fused.spec);
    step.geometry = std::move(fused.geometry);
    fused = std::move(step);
    plan_.steps.erase(plan_.steps.begin() + static_cast<std::ptrdiff_t>(i));
  }

  Plan& plan_;
};

}  // namespace

void join_tails(Plan* plan) { Joiner(plan).run(); }

}  // namespace torchweld
