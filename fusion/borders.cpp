#include "fusion/borders.h"

#include <algorithm>

#include "fusion/node_args.h"

namespace torchweld {
namespace {

enum class Border : uint8_t { kNone, kMirror, kLast, kOtherEnd };

Border border_of(const Node& node) {
  std::string mode;
  if (node.op == "aten::pad" && node.args.size() > 2) {
    if (const auto* named = std::get_if<std::string>(&node.args[2].value)) mode = *named;
  }
  if (mode == "reflect" || node.op.starts_with("aten::reflection_pad")) return Border::kMirror;
  if (mode == "replicate" || node.op.starts_with("aten::replication_pad")) return Border::kLast;
  return mode == "circular" ? Border::kOtherEnd : Border::kNone;
}

bool takes(const Graph& graph, const Node& node) {
  const ValueId source = tensor_arg(node, 0);
  const auto* amounts = ints_arg(node, 1);
  if (border_of(node) == Border::kNone || source == kNone || amounts == nullptr) return false;
  const Value& x = graph.value(source);
  return x.elements() > 0 && x.dtype == graph.value(node.outputs[0]).dtype &&
         amounts->size() <= 2 * x.sizes.size() &&
         std::all_of(amounts->begin(), amounts->end(), [](int64_t n) { return n >= 0; });
}

/// The place in the source of one `at` elements from its first, which may lie outside.
int16_t place(Border border, int16_t at, int64_t size, IndexedKernel* kernel) {
  BodyBuilder& b = kernel->body();
  const auto i64 = [&](Prim prim, int16_t x, int16_t y) { return b.emit(prim, DType::kI64, x, y); };
  const int16_t zero = b.constant_int(DType::kI64, 0);
  if (border == Border::kMirror) {
    const int16_t folded = i64(Prim::kMax, at, i64(Prim::kSub, zero, at));
    return i64(Prim::kMin, folded, i64(Prim::kSub, kernel->number(2 * (size - 1)), folded));
  }
  if (border == Border::kLast)
    return i64(Prim::kMin, i64(Prim::kMax, at, zero), kernel->number(size - 1));
  const int16_t extent = kernel->number(size);
  const int16_t before = b.emit(Prim::kLt, DType::kBool, at, zero);
  const int16_t behind = b.emit(Prim::kLe, DType::kBool, extent, at);
  const int16_t wrapped =
      b.emit(Prim::kSelect, DType::kI64, before, i64(Prim::kAdd, at, extent), at);
  return b.emit(Prim::kSelect, DType::kI64, behind, i64(Prim::kSub, at, extent), wrapped);
}

int16_t emit(const Graph& graph, const Node& node, IndexedKernel* kernel) {
  BodyBuilder& b = kernel->body();
  const ValueId source = tensor_arg(node, 0);
  const Value& x = graph.value(source);
  const Arg::Ints& amounts = *ints_arg(node, 1);  // of the last dim first, before and behind it
  std::vector<int64_t> strides = x.strides;
  int16_t offset = -1;
  for (size_t k = 0; 2 * k + 1 < amounts.size(); ++k) {
    if (amounts[2 * k] == 0 && amounts[2 * k + 1] == 0) continue;
    const size_t d = x.sizes.size() - 1 - k;
    strides[d] = 0;
    const int16_t at =
        b.emit(Prim::kSub, DType::kI64, kernel->coord(d), kernel->number(amounts[2 * k]));
    const int16_t moved =
        b.emit(Prim::kMul, DType::kI64, place(border_of(node), at, x.sizes[d], kernel),
               kernel->number(x.strides[d]));
    offset = offset < 0 ? moved : b.emit(Prim::kAdd, DType::kI64, offset, moved);
  }
  return kernel->load(source, strides, offset, -1);
}

}  // namespace

const IndexedRow* find_border(const std::string& op) {
  static const IndexedRow row{takes, emit};
  const bool pads = op == "aten::pad" || op.starts_with("aten::reflection_pad") ||
                    op.starts_with("aten::replication_pad");
  return pads ? &row : nullptr;
}

}  // namespace torchweld
