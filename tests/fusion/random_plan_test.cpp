// Plans of random graphs give what the graphs give, and no two live buffers share memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "kernels/reference.h"
#include "tests/fusion/random_graph.h"
#include "tests/fusion/text_of.h"
#include "tests/fusion/walk.h"

namespace torchweld::testing {
namespace {

/// Row-major walk over a value's elements; `f` gets each one's place from the value's first.
template <class F>
void for_each_place(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides,
                    const F& f) {
  int64_t count = 1;
  for (const int64_t s : sizes) count *= s;
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i, place = 0;
    for (size_t d = sizes.size(); d-- > 0; rest /= sizes[d]) place += rest % sizes[d] * strides[d];
    f(place);
  }
}

std::vector<int64_t> broadcast_strides(const Value& v, const std::vector<int64_t>& to) {
  std::vector<int64_t> strides(to.size(), 0);
  const size_t skip = to.size() - v.sizes.size();
  for (size_t d = 0; d < v.sizes.size(); ++d)
    strides[skip + d] = v.sizes[d] == 1 ? 0 : v.strides[d];
  return strides;
}

int64_t initial(int64_t index, size_t place) {
  return index * 1000 + static_cast<int64_t>(place * 7919 % 23) - 11;
}

/// Elements in row-major order, over a shape that the value broadcasts to.
std::vector<int64_t> elements(const Value& v, const int64_t* storage,
                              const std::vector<int64_t>& shape) {
  std::vector<int64_t> out;
  for_each_place(shape, broadcast_strides(v, shape),
                 [&](int64_t p) { out.push_back(storage[v.offset + p]); });
  return out;
}

int64_t wrapped(uint64_t v) { return static_cast<int64_t>(v); }

int64_t apply(const std::string& op, int64_t a, int64_t b, int64_t alpha) {
  const auto x = static_cast<uint64_t>(a), y = static_cast<uint64_t>(b),
             s = static_cast<uint64_t>(alpha);
  if (op == "neg") return wrapped(0 - x);
  if (op == "relu") return std::max<int64_t>(a, 0);
  if (op == "clone") return a;
  if (op == "copy") return b;
  if (op == "add") return wrapped(x + y * s);
  if (op == "sub") return wrapped(x - y * s);
  if (op == "mul") return wrapped(x * y);
  throw std::logic_error("no such operator here: " + op);
}

/// One node on memory: `at(storage)` is a storage's first element.
template <class At>
void run_node(const Graph& graph, const Node& node, const At& at) {
  const ValueId target = node.writes.empty() ? node.outputs[0] : node.writes[0];
  const Value& out = graph.value(target);
  std::string op = node.op.substr(6, node.op.find('.') - 6);
  if (op.back() == '_') op.pop_back();
  const auto operand = [&](size_t i) -> std::vector<int64_t> {
    if (i >= node.args.size()) return {};
    if (const auto* number = std::get_if<int64_t>(&node.args[i].value)) return {*number};
    const auto* tensor = node.args[i].tensor();
    if (tensor == nullptr) return {};
    const Value& v = graph.value(tensor->id);
    return elements(v, at(v.storage), out.sizes);
  };
  const std::vector<int64_t> a = operand(0), b = operand(1), alpha = operand(2);
  size_t i = 0;
  int64_t sum[4] = {};
  for_each_place(out.sizes, out.strides, [&](int64_t place) {
    const int64_t y = b.empty() ? 0 : b[b.size() == 1 ? 0 : i],
                  scale = alpha.empty() ? 1 : alpha[0];
    int64_t& running =
        sum[out.sizes.size() == 2 && out.sizes[1] == 4 ? i % 4 : 0];  // along the first dimension
    if (op == "cumsum") running += a[i];
    at(out.storage)[out.offset + place] = op == "cumsum" ? running : apply(op, a[i], y, scale);
    ++i;
  });
}

bool is_view(const Graph& graph, const Node& node) {
  bool view = false;
  for_each_input(node, [&](ValueId id) {
    view |= graph.value(id).storage == graph.value(node.outputs[0]).storage;
  });
  return view;
}

std::vector<int64_t> fresh(const Graph& graph, StorageId s) {
  const Storage& storage = graph.storages[static_cast<size_t>(s)];
  std::vector<int64_t> memory(static_cast<size_t>(storage.bytes / 8), -424242);
  for (size_t i = 0; i < memory.size() && storage.kind == Storage::Kind::kInput; ++i)
    memory[i] = initial(storage.index, i);
  return memory;
}

template <class At>
Outcome outcome(const Graph& graph, const At& at) {
  Outcome out;
  for (const ValueId id : graph.outputs)
    out.outputs.push_back(
        elements(graph.value(id), at(graph.value(id).storage), graph.value(id).sizes));
  for (const ValueId id : graph.inputs)
    out.inputs.push_back(
        elements(graph.value(id), at(graph.value(id).storage), graph.value(id).sizes));
  return out;
}

}  // namespace

Outcome walk(const Graph& graph) {
  Memory memory;
  for (StorageId s = 0; s < static_cast<StorageId>(graph.storages.size()); ++s)
    memory.push_back(fresh(graph, s));
  const auto at = [&](StorageId s) { return memory[static_cast<size_t>(s)].data(); };
  for (const Node& node : graph.nodes) {
    if (!node.writes.empty() || !is_view(graph, node)) run_node(graph, node, at);
  }
  return outcome(graph, at);
}

Outcome walk(const Plan& plan) {
  Memory memory;
  std::vector<int64_t> arena(static_cast<size_t>(plan.arena_bytes / 8), -777);
  for (StorageId s = 0; s < static_cast<StorageId>(plan.graph.storages.size()); ++s)
    memory.push_back(fresh(plan.graph, s));
  const auto at = [&](StorageId s) {
    const Buffer& b = plan.buffers[static_cast<size_t>(s)];
    return b.kind == Buffer::Kind::kArena ? arena.data() + b.offset / 8
                                          : memory[static_cast<size_t>(s)].data();
  };
  ReferenceBackend backend;
  for (const Step& step : plan.steps) {
    if (step.kind != Step::Kind::kFused) {
      for (const NodeId n : step.nodes)
        run_node(plan.graph, plan.graph.nodes[static_cast<size_t>(n)], at);
      continue;
    }
    std::string why;
    const auto kernel = backend.compile(step.spec, step.geometry, &why);
    if (kernel == nullptr) throw std::logic_error(why);
    std::vector<void*> pointers;
    for (const Location& place : step.operands)
      pointers.push_back(at(place.buffer) + place.byte_offset / 8);
    kernel->launch(step.geometry, pointers.data(), {});
  }
  return outcome(plan.graph, at);
}

namespace {

/// The steps between which a buffer's contents matter.
struct Span {
  int first = -1, last = -1;
};

bool touches(const Graph& graph, const Step& step, StorageId s) {
  bool found = std::any_of(step.operands.begin(), step.operands.end(),
                           [&](const Location& place) { return place.buffer == s; });
  if (step.kind == Step::Kind::kFused)
    return found;  // members that are no operands stay in registers
  for (const NodeId n : step.nodes) {
    const Node& node = graph.nodes[static_cast<size_t>(n)];
    for_each_input(node, [&](ValueId id) { found |= graph.value(id).storage == s; });
    for (const ValueId id : node.outputs) found |= id != kNone && graph.value(id).storage == s;
  }
  return found;
}

Span span_of(const Plan& plan, StorageId s) {
  Span span;
  for (int i = 0; i < static_cast<int>(plan.steps.size()); ++i) {
    if (!touches(plan.graph, plan.steps[static_cast<size_t>(i)], s)) continue;
    if (span.first < 0) span.first = i;
    span.last = i;
  }
  return span;
}

void expect_no_overlap(const Plan& plan) {
  EXPECT_GE(plan.arena_bytes, plan.live_bytes);
  EXPECT_LE(plan.arena_bytes, plan.unplanned_bytes);
  const auto count = static_cast<StorageId>(plan.buffers.size());
  const auto buffer = [&](StorageId s) -> const Buffer& {
    return plan.buffers[static_cast<size_t>(s)];
  };
  for (StorageId a = 0; a < count; ++a) {
    if (buffer(a).kind != Buffer::Kind::kArena) continue;
    const Span of_a = span_of(plan, a);
    if (of_a.first < 0) continue;
    EXPECT_EQ(buffer(a).offset % 64, 0);
    EXPECT_LE(buffer(a).offset + buffer(a).bytes, plan.arena_bytes);
    for (StorageId b = a + 1; b < count; ++b) {
      const Span of_b = span_of(plan, b);
      if (buffer(b).kind != Buffer::Kind::kArena || of_b.first < 0) continue;
      if (of_a.last < of_b.first || of_b.last < of_a.first) continue;
      const bool apart = buffer(a).offset + buffer(a).bytes <= buffer(b).offset ||
                         buffer(b).offset + buffer(b).bytes <= buffer(a).offset;
      EXPECT_TRUE(apart) << "storages " << a << " and " << b;
    }
  }
}

class RandomPlans : public ::testing::TestWithParam<int> {};

TEST_P(RandomPlans, GiveWhatTheirGraphsGive) {
  for (int i = 0; i < 200; ++i) {
    const RandomGraph random(static_cast<uint32_t>(GetParam() * 100000 + i), GetParam());
    const Graph graph = parse_graph(random.text());
    Target with_rows = target();
    with_rows.rows = true;  // writes join the kernels that make what they write
    for (const Target& on : {target(Rounding::kDefault), target(Rounding::kExact), with_rows}) {
      const Plan made = plan(graph, on);
      expect_no_overlap(made);
      EXPECT_EQ(walk(graph), walk(made)) << random.text() << to_text(made);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Nodes, RandomPlans, ::testing::Values(3, 6, 12, 25, 60, 150));

}  // namespace
}  // namespace torchweld::testing
