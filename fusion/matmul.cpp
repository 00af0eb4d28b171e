#include "fusion/matmul.h"

#include <algorithm>
#include <optional>

#include "fusion/epilogue.h"
#include "kernels/geometry.h"

namespace torchweld {
namespace {

/// A stack of row-major matrices. Strides in elements.
struct Matrices {
  int64_t rows = 0, columns = 0, row_stride = 0, column_stride = 0;
  std::vector<int64_t> batch, batch_strides;
};

/// The last two dims as a matrix. A vector is a row or a column.
Matrices matrices(const Value& v, bool vector_is_column) {
  Matrices m;
  const size_t rank = v.sizes.size();
  if (rank == 1) {
    m.rows = vector_is_column ? v.sizes[0] : 1;
    m.columns = vector_is_column ? 1 : v.sizes[0];
    (vector_is_column ? m.row_stride : m.column_stride) = v.strides[0];
    return m;
  }
  m.rows = v.sizes[rank - 2];
  m.columns = v.sizes[rank - 1];
  m.row_stride = v.strides[rank - 2];
  m.column_stride = v.strides[rank - 1];
  m.batch.assign(v.sizes.begin(), v.sizes.end() - 2);
  m.batch_strides.assign(v.strides.begin(), v.strides.end() - 2);
  return m;
}

/// A matrix as the library sees it: its rows are columns there.
struct Side {
  bool transposed = false;
  int64_t ld = 0;
};

/// Column-major rows x columns with these strides, transposed if that is what memory has.
std::optional<Side> side(int64_t rows, int64_t columns, int64_t row_stride, int64_t column_stride) {
  if ((row_stride == 1 || rows == 1) && (column_stride >= rows || columns == 1))
    return Side{false, columns == 1 ? std::max<int64_t>(rows, 1) : column_stride};
  if ((column_stride == 1 || columns == 1) && (row_stride >= columns || rows == 1))
    return Side{true, rows == 1 ? std::max<int64_t>(columns, 1) : row_stride};
  return std::nullopt;
}

/// Which tensors a node multiplies and adds.
struct Operands {
  ValueId x = kNone, w = kNone, added = kNone;
  bool w_is_transposed = false;
  double alpha = 1, beta = 1;
};

double number(const Arg& arg) {
  if (const auto* d = std::get_if<double>(&arg.value)) return *d;
  const auto* i = std::get_if<int64_t>(&arg.value);
  return i == nullptr ? 0 : static_cast<double>(*i);
}

std::optional<Operands> operands_of(const Node& node) {
  const auto id = [&](size_t i) {
    const auto* t = node.args[i].tensor();
    return t == nullptr ? kNone : t->id;
  };
  Operands o;
  if (node.op == "aten::linear") {
    o = {id(0), id(1), id(2), true};
  } else if (node.op == "aten::mm" || node.op == "aten::bmm" || node.op == "aten::matmul") {
    o = {id(0), id(1)};
  } else if (node.op == "aten::addmm" || node.op == "aten::baddbmm") {
    o = {id(1), id(2), id(0), false, number(node.args[4]), number(node.args[3])};
  } else {
    return std::nullopt;
  }
  return o.x == kNone || o.w == kNone ? std::nullopt : std::optional(o);
}

/// Batch dims as one that the library walks and one that calls repeat, with the stride of each
/// operand; 1 where there is no batch.
struct Batch {
  int64_t count = 1, repeats = 1;
  std::vector<int64_t> strides, repeat_strides;
};

std::optional<Batch> batches(const std::vector<int64_t>& sizes,
                             const std::vector<const Matrices*>& operands) {
  std::vector<std::vector<int64_t>> strides;
  for (const Matrices* m : operands) {
    std::vector<int64_t> mine(sizes.size(), 0);
    const size_t skip = sizes.size() - m->batch.size();
    for (size_t d = 0; d < m->batch.size(); ++d)
      mine[skip + d] = m->batch[d] == 1 ? 0 : m->batch_strides[d];
    strides.push_back(std::move(mine));
  }
  const auto layout = coalesce(sizes, strides);
  if (!layout || layout->rank > 2) return std::nullopt;
  Batch batch;
  batch.count = layout->geometry.sizes.back();
  if (layout->rank == 2) batch.repeats = layout->geometry.sizes[0];
  for (const auto& s : layout->geometry.strides) {
    batch.strides.push_back(batch.count == 1 ? 0 : s.back());
    batch.repeat_strides.push_back(batch.repeats == 1 ? 0 : s[0]);
  }
  return batch;
}

/// Batch dims become rows where the other side is one matrix and memory allows it.
void fold_batch_into_rows(Matrices* x, Matrices* out) {
  const auto fold = [](const Matrices& m) -> std::optional<Matrices> {
    Matrices folded = m;
    for (size_t d = m.batch.size(); d-- > 0;) {
      if (m.batch[d] == 1) continue;
      if (folded.rows == 1) folded.row_stride = m.batch_strides[d];
      if (folded.rows != 1 && m.batch_strides[d] != folded.rows * folded.row_stride)
        return std::nullopt;
      folded.rows *= m.batch[d];
    }
    folded.batch.clear();
    folded.batch_strides.clear();
    return folded;
  };
  const auto rows = fold(*x), results = fold(*out);
  if (!rows || !results) return;
  *x = *rows;
  *out = *results;
}

bool set_addend(const Graph& graph, const Operands& o, const Matrices& out, Matmul* m) {
  if (o.added == kNone) return true;
  const Value& v = graph.value(o.added);
  const bool is_row = v.sizes.size() == 1 || (v.sizes.size() == 2 && v.sizes[0] == 1);
  if (is_row && v.sizes.back() == out.columns && v.strides.back() == 1 && o.beta == 1) {
    m->bias_value = o.added;
    m->shape.has_bias = true;
    return true;
  }
  Matrices c = matrices(v, false);
  if (c.rows != out.rows || c.columns != out.columns || c.batch != out.batch ||
      c.column_stride != 1 || c.row_stride < c.columns)
    return false;
  const auto batch = batches(out.batch, {&c});
  if (!batch || batch->repeats != 1 || m->repeats != 1) return false;
  m->c_value = o.added;
  m->shape.beta = o.beta;
  m->shape.ldc = c.row_stride;
  m->shape.batch_c = batch->strides[0];
  return o.beta != 0;
}

bool has_one_dtype(const Graph& graph, const Node& node, const Operands& o) {
  const DType dtype = graph.value(node.outputs[0]).dtype;
  bool same = is_floating(dtype);
  for (const ValueId id : {o.x, o.w, o.added})
    same &= id == kNone || graph.value(id).dtype == dtype;
  return same;
}

}  // namespace

bool make_matmul(const Graph& graph, const Node& node, Matmul* out, std::string* why) {
  const auto o = operands_of(node);
  if (!o || node.outputs.size() != 1 || node.outputs[0] == kNone || !node.pure) return false;
  const Value& result = graph.value(node.outputs[0]);
  *why = "its operands' dtypes differ";
  if (!has_one_dtype(graph, node, *o)) return false;
  *why = "has no elements";
  if (result.elements() == 0 || graph.value(o->x).elements() == 0) return false;
  Matrices x = matrices(graph.value(o->x), false), w = matrices(graph.value(o->w), true);
  if (o->w_is_transposed && graph.value(o->w).sizes.size() == 2) {
    std::swap(w.rows, w.columns);
    std::swap(w.row_stride, w.column_stride);
  }
  Matrices y = x;
  y.columns = w.columns;
  y.batch.assign(result.sizes.begin(), result.sizes.end());
  y.batch_strides = result.strides;
  // A vector on either side leaves no dim in the result.
  const bool has_columns = graph.value(o->w).sizes.size() > 1,
             has_rows = graph.value(o->x).sizes.size() > 1;
  const auto take = [&y](int64_t* stride) {
    *stride = y.batch_strides.back();
    y.batch.pop_back();
    y.batch_strides.pop_back();
  };
  y.row_stride = w.columns;
  y.column_stride = 1;
  if (has_columns) take(&y.column_stride);
  if (has_rows) take(&y.row_stride);
  if (w.batch.empty() && !x.batch.empty() && has_columns) fold_batch_into_rows(&x, &y);
  const auto batch = batches(y.batch, {&w, &x, &y});
  const auto a = side(w.columns, w.rows, w.column_stride, w.row_stride);
  const auto b = side(x.columns, x.rows, x.column_stride, x.row_stride);
  const auto d = side(y.columns, y.rows, y.column_stride, y.row_stride);
  *why = "no leading dimension describes an operand's strides";
  if (!batch || !a || !b || !d || d->transposed) return false;
  cuda::BlasShape& s = out->shape;
  s.dtype = result.dtype;
  s.m = y.columns;
  s.n = y.rows;
  s.k = x.columns;
  s.batch = batch->count;
  s.transpose_a = a->transposed;
  s.transpose_b = b->transposed;
  s.lda = a->ld;
  s.ldb = b->ld;
  s.ldd = s.ldc = d->ld;
  s.batch_a = batch->strides[0];
  s.batch_b = batch->strides[1];
  s.batch_d = s.batch_c = batch->strides[2];
  s.alpha = o->alpha;
  out->repeats = batch->repeats;
  out->repeat_a = batch->repeat_strides[0];
  out->repeat_b = batch->repeat_strides[1];
  out->repeat_out = batch->repeat_strides[2];
  out->a_value = o->w;
  out->b_value = o->x;
  out->out_value = node.outputs[0];
  *why = "what is added has other strides than the library takes";
  return set_addend(graph, *o, y, out);
}

bool make_product(const Graph& graph, const std::vector<NodeId>& nodes, Matmul* out,
                  std::string* why) {
  const auto at = [&](NodeId n) -> const Node& { return graph.nodes[static_cast<size_t>(n)]; };
  return make_matmul(graph, at(nodes[0]), out, why) &&
         std::all_of(nodes.begin() + 1, nodes.end(),
                     [&](NodeId n) { return add_epilogue(graph, at(n), out); });
}

}  // namespace torchweld
