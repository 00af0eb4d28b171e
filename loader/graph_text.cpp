// Printing of graphs. Parsing: graph_parse.cpp.
#include "loader/graph_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <set>

namespace torchweld {
namespace {

std::string quoted(const std::string& s) {
  std::string out = "\"";
  for (const char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string float_text(double v) {
  std::string s = fmt::format("{}", v);
  return s.find_first_of(".einf") == std::string::npos ? s + ".0" : s;
}

std::string id_text(ValueId id) { return id == kNone ? "undefined" : fmt::format("%{}", id); }

struct ArgPrinter {
  std::string operator()(std::monostate) const { return "none"; }
  std::string operator()(const Arg::Tensor& t) const { return id_text(t.id); }
  std::string operator()(const Arg::TensorList& list) const {
    if (list.ids.empty()) return "tensors[]";
    std::vector<std::string> ids;
    for (const ValueId id : list.ids) ids.push_back(id_text(id));
    return fmt::format("[{}]", fmt::join(ids, ", "));
  }
  std::string operator()(int64_t v) const { return fmt::format("{}", v); }
  std::string operator()(double v) const { return float_text(v); }
  std::string operator()(bool v) const { return v ? "true" : "false"; }
  std::string operator()(const std::string& s) const { return quoted(s); }
  std::string operator()(const Arg::Ints& v) const {
    return fmt::format("[{}]", fmt::join(v, ", "));
  }
  std::string operator()(const Arg::Floats& v) const {
    std::vector<std::string> items;
    for (const double d : v) items.push_back(float_text(d));
    return fmt::format("floats[{}]", fmt::join(items, ", "));
  }
  std::string operator()(const Arg::Bools& v) const {
    std::vector<std::string> items;
    for (const bool b : v) items.push_back(b ? "true" : "false");
    return fmt::format("bools[{}]", fmt::join(items, ", "));
  }
  std::string operator()(const Arg::Device& d) const { return "device:" + d.name; }
  std::string operator()(const Arg::Opaque& o) const { return fmt::format("opaque({})", o.index); }
};

/// Remembers which value introduced each storage, so that later values can refer to it.
class Printer {
 public:
  explicit Printer(const Graph& graph) : graph_(graph) {}

  std::string definition(ValueId id) {
    const Value& v = graph_.value(id);
    std::string text = describe(graph_, id);
    const auto [base, is_first] = first_.try_emplace(v.storage, id);
    if (!is_first) text += fmt::format(" @%{}", base->second);
    const int64_t offset = v.offset - (is_first ? 0 : graph_.value(base->second).offset);
    if (offset != 0) text += fmt::format("{:+}", offset);
    if (v.has_scalar)
      text += fmt::format(" is {}", is_floating(v.dtype)
                                        ? float_text(v.scalar)
                                        : fmt::format("{}", static_cast<int64_t>(v.scalar)));
    return text;
  }

  std::string line(const Node& node) {
    std::vector<std::string> outs;
    for (const ValueId id : node.outputs)
      outs.push_back(id == kNone ? "_" : known_.insert(id).second ? definition(id) : id_text(id));
    std::string text = outs.empty() ? "" : fmt::format("{} = ", fmt::join(outs, ", "));
    return text + call_text(node);
  }

  static std::string call_text(const Node& node) {
    std::vector<std::string> args, writes;
    for (const Arg& arg : node.args) args.push_back(std::visit(ArgPrinter{}, arg.value));
    for (const ValueId id : node.writes) writes.push_back(id_text(id));
    std::string text = writes.empty() ? "" : fmt::format("{} <- ", fmt::join(writes, ", "));
    text += fmt::format("{}({})", node.op, fmt::join(args, ", "));
    if (node.draws) text += " draws";
    if (node.reads_host) text += " reads_host";
    if (!node.source.empty()) text += "  # " + node.source;
    return text;
  }

  void declare(ValueId id) { known_.insert(id); }

 private:
  const Graph& graph_;
  std::map<StorageId, ValueId> first_;
  std::set<ValueId> known_;
};

const char* ending_text(Ending::Kind kind) {
  switch (kind) {
    case Ending::Kind::kReturn:
      return "return";
    case Ending::Kind::kHostRead:
      return "continue_on_value";
    case Ending::Kind::kDynamicShape:
      return "continue_on_shape";
    case Ending::Kind::kJoin:
      return "continue_joined";
  }
  return "";
}

}  // namespace

std::string describe(const Graph& graph, ValueId value) {
  const Value& v = graph.value(value);
  std::string text = fmt::format("%{}: {}[{}]", value, name_of(v.dtype), fmt::join(v.sizes, ","));
  if (v.strides != contiguous_strides(v.sizes))
    text += fmt::format("{{{}}}", fmt::join(v.strides, ","));
  if (v.opaque) text += " opaque";
  return text;
}

std::string to_text(const Graph&, const Node& node) {
  std::vector<std::string> outs;
  for (const ValueId id : node.outputs) outs.push_back(id == kNone ? "_" : id_text(id));
  const std::string left = outs.empty() ? "" : fmt::format("{} = ", fmt::join(outs, ", "));
  return left + Printer::call_text(node);
}

std::string to_text(const Graph& graph) {
  Printer printer(graph);
  std::vector<std::string> inputs, outputs;
  for (const ValueId id : graph.inputs) {
    printer.declare(id);
    inputs.push_back(printer.definition(id));
  }
  std::string text = fmt::format("graph({}):\n", fmt::join(inputs, ", "));
  for (size_t i = 0; i + graph.setup.size() < graph.constants.size(); ++i) {
    const ValueId id = graph.constants[i];
    printer.declare(id);
    text += fmt::format("  {} = {}({})\n", printer.definition(id),
                        graph.storage_of(id).derived ? "derived" : "constant", i);
  }
  for (const Node& node : graph.setup) text += fmt::format("  setup {}\n", printer.line(node));
  for (const Node& node : graph.nodes) text += fmt::format("  {}\n", printer.line(node));
  for (const ValueId id : graph.outputs) outputs.push_back(id_text(id));
  text += fmt::format("  {}{}{}", ending_text(graph.ending.kind), outputs.empty() ? "" : " ",
                      fmt::join(outputs, ", "));
  if (!graph.ending.source.empty()) text += "  # " + graph.ending.source;
  return text + "\n";
}

}  // namespace torchweld
