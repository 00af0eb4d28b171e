// Finds the first step whose values differ from LibTorch's: the plan runs beside a plan of the same
// recording in which every node is an eager step.
#include <ATen/ops/abs.h>
#include <ATen/ops/isclose.h>
#include <ATen/ops/max.h>
#include <ATen/ops/nan_to_num.h>
#include <ATen/ops/sub.h>

#include <algorithm>
#include <map>

#include "engine/agreement.h"
#include "engine/explain.h"
#include "engine/gate.h"
#include "loader/tolerance.h"

namespace torchweld {
namespace {

class ComparingTrace : public CallTrace {
 public:
  ComparingTrace(const EngineState& engine, double rtol, double atol)
      : engine_(engine), rtol_(rtol), atol_(atol) {}

  void enter(const Unit*, const UnitPlan* plan,
             const std::vector<const at::Tensor*>& leaves) override {
    ++block_;
    plan_ = plan->plan.get();
    expected_.clear();
    if (found || !may_be_repeated(plan_->recording())) return;
    Target target = engine_.target();
    target.whole = all_nodes(plan_->recording().graph);
    SetupResults setup_results;
    const BoundPlan eager(plan_->recording(), target, engine_.shared_runtime(), &setup_results);
    expected_ = values_of(eager, leaves);
  }

  void enter_interpreted(const Unit*) override { ++block_; }

  const Context::AfterStep* after_step() override { return &compare_; }

  std::optional<Divergence> found;

 private:
  void compare(size_t index, const Context& context) {
    context.finish();  // what the host reads below has to be there
    const Step& step = plan_->plan().steps[index];
    for (const ValueId id : step.makes) {
      const auto expected = expected_.find(recorded_value(plan_->plan(), id));
      if (found || expected == expected_.end()) continue;
      const at::Tensor actual = context.tensor_of(id);
      const auto [rtol, atol] = default_tolerance(actual.scalar_type());
      if (at::isclose(actual, expected->second, rtol_ < 0 ? rtol : rtol_, atol_ < 0 ? atol : atol_,
                      true)
              .all()
              .item<bool>())
        continue;
      found = describe(step, id, index, actual, expected->second);
    }
  }

  Divergence describe(const Step& step, ValueId id, size_t index, const at::Tensor& actual,
                      const at::Tensor& expected) const {
    Divergence d;
    d.block = block_;
    d.step = static_cast<int>(index);
    d.name = step.name;
    d.largest_error =
        at::nan_to_num(at::abs(at::sub(actual.to(c10::kDouble), expected.to(c10::kDouble))))
            .max()
            .item<double>();
    for (const NodeId n : step.nodes) {
      const Node& node = plan_->plan().graph.nodes[static_cast<size_t>(n)];
      if (std::find(node.outputs.begin(), node.outputs.end(), id) == node.outputs.end()) continue;
      d.op = node.op;
      d.source = node.source;
    }
    return d;
  }

  const EngineState& engine_;
  double rtol_, atol_;
  int block_ = -1;
  const BoundPlan* plan_ = nullptr;
  std::map<ValueId, at::Tensor> expected_;
  const Context::AfterStep compare_ = [this](size_t step, const Context& context) {
    compare(step, context);
  };
};

}  // namespace

std::optional<Divergence> diverges(EngineState* engine, const std::vector<c10::IValue>& inputs,
                                   double rtol, double atol) {
  engine->prepare(inputs);
  ComparingTrace trace(*engine, rtol, atol);
  CallState state = engine->fresh_state();
  engine->call(engine->copy_of(inputs), &state, Planning::kBlocking, &trace);
  return trace.found;
}

}  // namespace torchweld
