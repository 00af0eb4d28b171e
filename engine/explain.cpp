// A traced call as plain data.
#include "engine/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "kernels/cuda/skeleton_headers.h"
#include "loader/graph_text.h"

namespace torchweld {
namespace {

using Clock = std::chrono::steady_clock;

/// Times every step of every block that a call runs.
class TimingTrace : public CallTrace {
 public:
  struct Block {
    const Unit* unit = nullptr;
    const UnitPlan* plan = nullptr;
    std::vector<std::vector<double>> step_us;  // by step, one a repetition
  };

  void begin_call() { next_ = 0; }

  void enter(const Unit* unit, const UnitPlan* plan,
             const std::vector<const at::Tensor*>&) override {
    add(unit, plan, plan->plan->plan().steps.size());
    last_ = Clock::now();
  }

  void enter_interpreted(const Unit* unit) override { add(unit, nullptr, 0); }

  const Context::AfterStep* after_step() override { return &after_step_; }

  const std::vector<Block>& blocks() const { return blocks_; }

 private:
  void add(const Unit* unit, const UnitPlan* plan, size_t steps) {
    if (next_ == blocks_.size()) blocks_.push_back({});
    Block& b = blocks_[next_++];
    if (b.plan != plan || b.unit != unit) b = {unit, plan, std::vector<std::vector<double>>(steps)};
  }

  std::vector<Block> blocks_;
  size_t next_ = 0;
  Clock::time_point last_;
  const Context::AfterStep after_step_ = [this](size_t step, const Context& context) {
    context.finish();
    const auto now = Clock::now();
    blocks_[next_ - 1].step_us[step].push_back(
        std::chrono::duration<double, std::micro>(now - last_).count());
    last_ = Clock::now();
  };
};

double median(std::vector<double> v) {
  if (v.empty()) return 0;
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

StepKind kind_of(const Step& step) {
  if (step.kind == Step::Kind::kFused) return StepKind::kFused;
  return step.kind != Step::Kind::kEager || step.library ? StepKind::kLibrary : StepKind::kEager;
}

ExplainedStep explain_step(const Plan& plan, const Step& step, std::map<StorageId, int>* writers,
                           int index) {
  ExplainedStep out;
  out.kind = kind_of(step);
  out.name = step.name;
  out.reason = step.reason;
  for (const NodeId n : step.nodes) {
    const Node& node = plan.graph.nodes[static_cast<size_t>(n)];
    out.nodes.push_back({node.op, node.source, to_text(plan.graph, node)});
  }
  for (const ValueId id : step.reads) {
    out.inputs.push_back(describe(plan.graph, id));
    const auto writer = writers->find(plan.graph.value(id).storage);
    const bool known = writer == writers->end() ||
                       std::find(out.depends_on.begin(), out.depends_on.end(), writer->second) !=
                           out.depends_on.end();
    if (!known) out.depends_on.push_back(writer->second);
  }
  for (const ValueId id : step.makes) {
    out.outputs.push_back(describe(plan.graph, id));
    (*writers)[plan.graph.value(id).storage] = index;
  }
  if (step.has_kernel()) out.kernel = to_text(step.spec);
  return out;
}

ExplainedCode code_of(KernelListing listing) {
  return {std::move(listing.source), std::move(listing.assembly), listing.registers,
          listing.shared_bytes,      listing.local_bytes,         listing.spill_bytes};
}

std::string ending_of(const Recording& recording) {
  if (!recording.next) return "returns";
  const std::string& source = recording.graph.ending.source;
  return fmt::format("goes on after {}{}{}", recording.ended_by, source.empty() ? "" : " at ",
                     source);
}

/// Whether the block ends because the host wants to know what tensors hold, or how long a result
/// is; the ends of branches and of long stretches wait for nothing.
bool reads_data(const Recording& recording) {
  const Ending::Kind kind = recording.graph.ending.kind;
  return recording.next && (kind == Ending::Kind::kHostRead || kind == Ending::Kind::kDynamicShape);
}

ExplainedBlock explain_block(const TimingTrace::Block& traced, const std::string& title) {
  ExplainedBlock out;
  out.title = title;
  if (traced.plan == nullptr) {
    out.reason = traced.unit->why().empty() ? "no plan yet" : traced.unit->why();
    return out;
  }
  const BoundPlan& bound = *traced.plan->plan;
  const Plan& plan = bound.plan();
  out.ending = ending_of(bound.recording());
  out.graph = to_text(bound.recording().graph);
  out.recorded_nodes = plan.recorded_nodes;
  out.arena_bytes = plan.arena_bytes;
  out.live_bytes = plan.live_bytes;
  out.unplanned_bytes = plan.unplanned_bytes;
  out.constant_bytes = bound.constant_bytes();
  for (const ValueId id : plan.graph.inputs) out.inputs.push_back(describe(plan.graph, id));
  for (const ValueId id : plan.graph.outputs) out.outputs.push_back(describe(plan.graph, id));
  for (const Stretch& s : bound.measured())
    out.measured.push_back(
        {s.name, s.planned_us, s.eager_us, s.whole != Whole::kNo, s.whole == Whole::kRounding});
  std::map<StorageId, int> writers;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    out.steps.push_back(explain_step(plan, plan.steps[i], &writers, static_cast<int>(i)));
    out.steps.back().median_us = median(traced.step_us[i]);
    out.steps.back().code = code_of(bound.listing(i));
  }
  return out;
}

void add_totals(const ExplainedBlock& block, Explanation* out) {
  for (const ExplainedStep& step : block.steps) {
    if (!step.code.source.empty() && out->headers.empty()) {
      for (const cuda::Header& header : cuda::skeleton_headers())
        out->headers.emplace(header.name, header.text);
    }
    Coverage& c = step.kind == StepKind::kFused     ? out->fused
                  : step.kind == StepKind::kLibrary ? out->library
                                                    : out->eager;
    c.nodes += static_cast<int>(step.nodes.size());
    c.us += step.median_us;
  }
}

}  // namespace

const char* name_of(Precision precision) {
  switch (precision) {
    case Precision::kArchive:
      return "as the archive says";
    case Precision::kTF32:
      return "products of float32 in TF32";
    case Precision::kBFloat16:
      return "products of float32 in bfloat16";
    case Precision::kFloat16:
      return "products of float32 in float16";
  }
  return "unknown";
}

const char* name_of(StepKind kind) {
  switch (kind) {
    case StepKind::kFused:
      return "fused";
    case StepKind::kLibrary:
      return "library";
    case StepKind::kEager:
      return "eager";
  }
  return "unknown";
}

Explanation explain(EngineState* engine, const std::vector<c10::IValue>& inputs) {
  constexpr int kRepetitions = 7;
  engine->prepare(inputs);
  TimingTrace trace;
  CallState state = engine->fresh_state();
  for (int i = 0; i < kRepetitions; ++i) {
    trace.begin_call();
    engine->call(engine->copy_of(inputs), &state, Planning::kBlocking, &trace);
  }
  Explanation out;
  out.archive = engine->module().name;
  out.method = engine->module().method;
  out.device = engine->options().device.str();
  const Backend* backend = engine->runtime().backend();
  out.backend = backend == nullptr ? "none" : backend->description();
  out.precision = why_no_precision(engine->runtime(), engine->options().precision);
  if (out.precision.empty()) out.precision = name_of(engine->options().precision);
  std::string title = out.method;
  for (const TimingTrace::Block& traced : trace.blocks()) {
    out.blocks.push_back(explain_block(traced, title));
    add_totals(out.blocks.back(), &out);
    if (traced.plan != nullptr && reads_data(traced.plan->plan->recording()))
      out.host_reads.push_back(out.blocks.back().ending);
    title =
        traced.plan == nullptr ? "interpreted" : "after " + traced.plan->plan->recording().ended_by;
  }
  if (!engine->module().why_whole.empty()) {
    ExplainedBlock whole;
    whole.title = out.method;
    whole.reason = "LibTorch's interpreter runs the method whole: " + engine->module().why_whole;
    out.blocks = {whole};
  }
  return out;
}

}  // namespace torchweld
