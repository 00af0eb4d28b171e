#include "fusion/plan_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "loader/graph_text.h"

namespace torchweld {
namespace {

std::string buffer_text(const Buffer& b) {
  switch (b.kind) {
    case Buffer::Kind::kInput:
      return fmt::format("input {}", b.index);
    case Buffer::Kind::kConstant:
      return fmt::format("constant {}", b.index);
    case Buffer::Kind::kArena:
      return fmt::format("arena {}..{}", b.offset, b.offset + b.bytes);
    case Buffer::Kind::kOutput:
      return fmt::format("output of {} bytes", b.bytes);
    case Buffer::Kind::kEager:
      return "eager";
  }
  return "";
}

class Printer {
 public:
  explicit Printer(const Plan& plan) : plan_(plan) {}

  std::string step(size_t index) const {
    const Step& s = plan_.steps[index];
    std::string text = fmt::format("step {}: {}\n", index, heading(s));
    for (const NodeId n : s.nodes) text += fmt::format("  {}\n", node(n));
    if (s.kind == Step::Kind::kHostMatmul) text += host_matmul_operands(s.host_matmul);
    if (s.kind == Step::Kind::kFused || s.has_tail()) text += fused_operands(s);
    if (s.kind == Step::Kind::kRecurrence) text += recurrence_operands(s.recurrence);
    if (s.kind == Step::Kind::kMatmul) text += matmul_operands(s.matmul);
    if (s.kind == Step::Kind::kEmbeddingBag) text += bag_operands(s.bag);
    if (s.kind == Step::Kind::kRegions) text += regions_operands(s.regions);
    if (s.kind == Step::Kind::kAttention) text += attention_operands(s.attention);
    for (const StorageId r : plan_.releases[index]) text += fmt::format("  release {}\n", names(r));
    return text;
  }

  std::string place(ValueId id) const {
    const Value& v = plan_.graph.value(id);
    return fmt::format("%{} in {}", id, location({v.storage, v.offset * size_of(v.dtype)}));
  }

 private:
  static std::string heading(const Step& s) {
    if (s.kind == Step::Kind::kFused)
      return fmt::format("fused {} over [{}]", s.name, fmt::join(s.geometry.sizes, ","));
    if (s.kind != Step::Kind::kEager) return s.name;
    return s.library ? "library " + s.name : fmt::format("eager {}, since {}", s.name, s.reason);
  }

  std::string node(NodeId n) const {
    Node call = plan_.graph.nodes[static_cast<size_t>(n)];
    std::vector<std::string> made;
    for (const ValueId id : call.outputs)
      made.push_back(id == kNone ? "_" : describe(plan_.graph, id));
    call.outputs.clear();
    const std::string left = made.empty() ? "" : fmt::format("{} = ", fmt::join(made, ", "));
    return left + to_text(plan_.graph, call);
  }

  std::string location(const Location& at) const {
    const std::string where = buffer_text(plan_.buffers[static_cast<size_t>(at.buffer)]);
    return at.byte_offset == 0 ? where : fmt::format("{} +{}", where, at.byte_offset);
  }

  std::string fused_operands(const Step& s) const {
    const std::vector<ValueId>& reads = s.kind == Step::Kind::kFused ? s.reads : s.tail_reads;
    std::string text;
    for (size_t i = 0; i < s.operands.size(); ++i) {
      const bool loads = i < reads.size();
      text += fmt::format("  {} %{} in {} {{{}}}\n", loads ? "load " : "store",
                          loads ? reads[i] : s.makes[i - reads.size()], location(s.operands[i]),
                          fmt::join(s.geometry.strides[i], ","));
    }
    return text;
  }

  std::string matmul_operands(const Matmul& m) const {
    std::string text = fmt::format("  {}{}\n", cuda::describe(m.shape),
                                   m.repeats == 1 ? "" : fmt::format(", {} times", m.repeats));
    text += fmt::format("  a %{} in {}, b %{} in {}", m.a_value, location(m.a), m.b_value,
                        location(m.b));
    if (m.c.buffer != kNone) text += fmt::format(", c %{} in {}", m.c_value, location(m.c));
    if (m.bias.buffer != kNone)
      text += fmt::format(", bias %{} in {}", m.bias_value, location(m.bias));
    return text + fmt::format("\n  out %{} in {}\n", m.out_value, location(m.out));
  }

  std::string bag_operands(const EmbeddingBagCall& b) const {
    std::string text = fmt::format("  table in {}, indices in {}, offsets in {}", location(b.table),
                                   location(b.indices), location(b.offsets));
    if (b.weights.buffer != kNone) text += fmt::format(", weights in {}", location(b.weights));
    return text + fmt::format("\n  out in {}\n", location(b.out));
  }

  std::string regions_operands(const RegionsCall& r) const {
    std::string text = fmt::format("  images in {}, regions in {}\n  out in {}", location(r.images),
                                   location(r.regions), location(r.out));
    if (r.places.buffer != kNone) text += fmt::format(", places in {}", location(r.places));
    return text + "\n";
  }

  std::string attention_operands(const AttentionCall& a) const {
    std::string text = a.repeats == 1 ? "" : fmt::format("  {} times\n", a.repeats);
    text += fmt::format("  q in {}, k in {}, v in {}", location(a.q), location(a.k), location(a.v));
    if (a.mask.buffer != kNone) text += fmt::format(", mask in {}", location(a.mask));
    return text + fmt::format("\n  out in {}\n", location(a.out));
  }

  std::string host_matmul_operands(const HostMatmul& m) const {
    std::string text = fmt::format("  x in {} {{{},1}}\n", location(m.x), m.x_row_stride);
    text += fmt::format("  weight %{} {{{},{}}}{}\n", m.weight, m.weight_k_stride,
                        m.weight_n_stride, m.packed ? "" : " as it is");
    if (m.bias.buffer != kNone) text += fmt::format("  bias in {}\n", location(m.bias));
    if (m.summand.buffer != kNone)
      text += fmt::format("  plus {} {{{},1}}\n", location(m.summand), m.summand_row_stride);
    return text + fmt::format("  out in {} {{{},1}}\n", location(m.out), m.out_row_stride);
  }

  std::string recurrence_operands(const RecurrenceCall& r) const {
    std::string text = fmt::format("  x in {}, h in {}", location(r.x), location(r.h));
    if (r.c.buffer != kNone) text += fmt::format(", c in {}", location(r.c));
    if (r.batch_sizes.buffer != kNone)
      text += fmt::format(", sizes of batches in {}", location(r.batch_sizes));
    text += fmt::format("\n  y in {}, h in {}", location(r.y), location(r.h_out));
    if (r.c_out.buffer != kNone) text += fmt::format(", c in {}", location(r.c_out));
    return text + "\n";
  }

  /// The values of one storage.
  std::string names(StorageId s) const {
    std::vector<std::string> ids;
    for (size_t v = 0; v < plan_.graph.values.size(); ++v) {
      if (plan_.graph.values[v].storage == s) ids.push_back(fmt::format("%{}", v));
    }
    return fmt::format("{}", fmt::join(ids, ", "));
  }

  const Plan& plan_;
};

}  // namespace

std::string to_text(const Plan& plan) {
  const Printer printer(plan);
  std::string text;
  for (size_t i = 0; i < plan.steps.size(); ++i) text += printer.step(i);
  std::vector<std::string> outputs;
  for (const ValueId id : plan.graph.outputs)
    outputs.push_back(id == kNone ? "undefined" : printer.place(id));
  return text + fmt::format("return {}\narena {} of {} bytes\n", fmt::join(outputs, ", "),
                            plan.arena_bytes, plan.unplanned_bytes);
}

}  // namespace torchweld
