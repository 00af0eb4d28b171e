#include "engine/gate.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/headeronly/version.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <string_view>

#include "engine/agreement.h"
#include "engine/context.h"
#include "fusion/plan_text.h"
#include "kernels/processor.h"
#include "loader/graph_text.h"

namespace torchweld {
namespace {

using Clock = std::chrono::steady_clock;

// A pair of plans is timed for so long, and within these numbers of runs each.
constexpr auto kBudget = std::chrono::milliseconds(20);
constexpr int kFewestRuns = 3, kMostRuns = 20;

// Noise is not to decide: a stretch has to lose by more than this before another plan is tried, and
// the other plan has to win by this.
constexpr double kClearlySlower = 1.15, kClearlyFaster = 0.97;

// A plan whose stretches save more of the call than this isn't given up as a whole.
constexpr double kClearSaving = 0.1;

double us_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

/// The shortest times of a plan and of each of its steps.
class Timed {
 public:
  Timed(const BoundPlan& plan, const std::vector<const at::Tensor*>& leaves)
      : plan_(plan), leaves_(leaves), context_(plan) {
    step_us.assign(plan.plan().steps.size(), std::numeric_limits<double>::infinity());
  }

  void run() {
    Clock::time_point last = Clock::now();
    const Context::AfterStep after = [&](size_t step, const Context& context) {
      context.finish();
      step_us[step] = std::min(step_us[step], us_since(last));
      last = Clock::now();
    };
    context_.run(leaves_, &after);
    context_.clear();
    const Clock::time_point start = Clock::now();
    context_.run(leaves_);
    context_.finish();
    context_.clear();
    total_us = std::min(total_us, us_since(start));
  }

  std::vector<double> step_us;
  double total_us = std::numeric_limits<double>::infinity();

 private:
  const BoundPlan& plan_;
  const std::vector<const at::Tensor*>& leaves_;
  Context context_;
};

/// In turns, so that what else the machine does meets both.
void interleave(Timed* a, Timed* b) {
  a->run();
  b->run();
  const Clock::time_point start = Clock::now();
  for (int i = 0; i < kMostRuns && (i < kFewestRuns || Clock::now() - start < kBudget); ++i) {
    a->run();
    b->run();
  }
}

/// Recorded nodes that belong together, since some step stands for several of them.
class Together {
 public:
  explicit Together(size_t nodes) : parent_(nodes) {
    for (size_t n = 0; n < nodes; ++n) parent_[n] = static_cast<NodeId>(n);
  }

  NodeId root(NodeId n) {
    while (parent_[static_cast<size_t>(n)] != n) n = parent_[static_cast<size_t>(n)];
    return n;
  }

  void join(const std::vector<NodeId>& nodes) {
    for (const NodeId n : nodes) parent_[static_cast<size_t>(root(n))] = root(nodes[0]);
  }

 private:
  std::vector<NodeId> parent_;
};

std::vector<NodeId> recorded_nodes(const Plan& plan, const Step& step) {
  std::vector<NodeId> all;
  for (const NodeId n : step.nodes) {
    const auto& recorded = plan.graph.nodes[static_cast<size_t>(n)].recorded;
    all.insert(all.end(), recorded.begin(), recorded.end());
  }
  return all;
}

std::vector<Stretch> compare(const Plan& plan, const std::vector<double>& planned_us,
                             const Plan& eager, const std::vector<double>& eager_us,
                             const Target& target) {
  Together together(static_cast<size_t>(plan.recorded_nodes));
  for (const Step& step : plan.steps) {
    if (const auto nodes = recorded_nodes(plan, step); !nodes.empty()) together.join(nodes);
  }
  std::map<NodeId, Stretch> stretches;  // by root
  std::set<NodeId> planned;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const auto nodes = recorded_nodes(plan, plan.steps[i]);
    if (nodes.empty()) continue;
    Stretch& s = stretches[together.root(nodes[0])];
    if (s.name.empty()) s.name = plan.steps[i].name;
    s.nodes.insert(nodes.begin(), nodes.end());
    s.steps.push_back(i);
    s.planned_us += planned_us[i];
    if (plan.steps[i].kind != Step::Kind::kEager || nodes.size() > 1)
      planned.insert(together.root(nodes[0]));
  }
  for (size_t i = 0; i < eager.steps.size(); ++i) {
    for (const NodeId n : recorded_nodes(eager, eager.steps[i])) {
      const auto found = stretches.find(together.root(n));
      if (found != stretches.end()) found->second.eager_us += eager_us[i];
    }
  }
  std::vector<Stretch> out;
  for (auto& [root, s] : stretches) {
    const auto whole = target.whole.find(*s.nodes.begin());
    if (whole != target.whole.end()) s.whole = whole->second;
    if ((planned.contains(root) || s.whole != Whole::kNo) && s.eager_us > 0)
      out.push_back(std::move(s));
  }
  return out;
}

/// Of a recording and the plan that the planner makes of it: another planner's is measured anew.
std::string key_of(const Recording& recording, const Plan& planned, const Target& target,
                   const Runtime& runtime) {
  static const std::string machine = processor_name();
  return cuda::DiskCache::key_of(fmt::format(
      "gate 5\n{}\nLibTorch {}\n{}\n{}\n{} threads\nexact {}\n{}\n{}", TORCHWELD_VERSION,
      TORCH_VERSION, runtime.backend()->description(), machine, at::get_num_threads(),
      target.rounding == Rounding::kExact, to_text(recording.graph), to_text(planned)));
}

std::string to_text(const std::vector<Stretch>& stretches) {
  std::string text;
  for (const Stretch& s : stretches) {
    text += fmt::format("{} {} {} {} {}", s.name, s.planned_us, s.eager_us,
                        static_cast<int>(s.whole), s.nodes.size());
    for (const NodeId n : s.nodes) text += fmt::format(" {}", n);
    text += "\n";
  }
  return text;
}

/// nullopt for what to_text() can't have written of this graph.
std::optional<std::vector<Stretch>> parse(const std::string& text, size_t recorded_nodes) {
  std::vector<Stretch> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    Stretch s;
    int whole = 0;
    size_t count = 0;
    if (!(words >> s.name >> s.planned_us >> s.eager_us >> whole >> count)) return std::nullopt;
    if (whole < 0 || whole > static_cast<int>(Whole::kRounding)) return std::nullopt;
    s.whole = static_cast<Whole>(whole);
    for (NodeId n = 0; count > 0 && words >> n; --count) {
      if (n < 0 || static_cast<size_t>(n) >= recorded_nodes) return std::nullopt;
      s.nodes.insert(n);
    }
    if (count > 0) return std::nullopt;
    out.push_back(std::move(s));
  }
  return out;
}

std::map<NodeId, Whole> whole_nodes(const std::vector<Stretch>& stretches) {
  std::map<NodeId, Whole> whole;
  for (const Stretch& s : stretches) {
    if (s.whole == Whole::kNo) continue;
    for (const NodeId n : s.nodes) whole.emplace(n, s.whole);
  }
  return whole;
}

bool transforms_sums(const Plan& plan) {
  return std::any_of(plan.steps.begin(), plan.steps.end(),
                     [](const Step& s) { return s.image_conv.winograd_pieces > 0; });
}

/// Nodes whose kernels have approximations of their own: their last bits differ from LibTorch's
/// more often than those of other operators.
std::map<NodeId, Whole> functions_of(const Graph& recorded) {
  static const std::set<std::string_view> names = {
      "gelu",  "erf",   "sin",   "cos",  "tanh",     "sigmoid", "log", "log2",
      "log1p", "log10", "expm1", "atan", "softplus", "mish",    "elu", "log_sigmoid"};
  std::map<NodeId, Whole> found;
  for (size_t n = 0; n < recorded.nodes.size(); ++n) {
    std::string_view name = recorded.nodes[n].op;
    name.remove_prefix(std::min(name.find("::") + 2, name.size()));
    name = name.substr(0, name.find('.'));
    if (name.ends_with('_')) name.remove_suffix(1);
    if (names.contains(name)) found.emplace(static_cast<NodeId>(n), Whole::kRounding);
  }
  return found;
}

/// Whether LibTorch's steps alone win over a plan in a round of their own.
bool wins_again(const BoundPlan& eager, const BoundPlan& planned,
                const std::vector<const at::Tensor*>& leaves) {
  Timed eager_times(eager, leaves), planned_times(planned, leaves);
  interleave(&planned_times, &eager_times);
  return eager_times.total_us < kClearlyFaster * planned_times.total_us;
}

}  // namespace

bool saves_clearly(const std::vector<Stretch>& stretches, double call_us) {
  double saved_us = 0;
  for (const Stretch& s : stretches)
    saved_us += s.whole == Whole::kNo ? s.eager_us - s.planned_us : 0;
  return saved_us > kClearSaving * call_us;
}

std::map<NodeId, Whole> all_nodes(const Graph& recorded, Whole why) {
  std::map<NodeId, Whole> all;
  for (size_t n = 0; n < recorded.nodes.size(); ++n) all.emplace(static_cast<NodeId>(n), why);
  return all;
}

bool may_be_repeated(const Recording& recording) {
  const auto& nodes = recording.graph.nodes;
  return recording.written_inputs.empty() &&
         std::none_of(nodes.begin(), nodes.end(), [](const Node& n) { return n.draws; });
}

Gate::Gate(std::shared_ptr<const Runtime> runtime, SetupResults* setup_results)
    : runtime_(std::move(runtime)), setup_results_(setup_results) {}

std::unique_ptr<BoundPlan> Gate::make(const Recording& recording, const Target& target,
                                      std::map<NodeId, Whole> whole) const {
  Target with = target;
  with.whole.merge(whole);
  return std::make_unique<BoundPlan>(recording, with, runtime_, setup_results_);
}

std::unique_ptr<BoundPlan> Gate::choose(const Recording& recording,
                                        const std::vector<c10::IValue>& values,
                                        const Target& asked) const {
  Leaves leaves;
  if (!may_be_repeated(recording) || !recording.inputs.match(values, &leaves))
    return make(recording, asked, {});
  auto eager = make(recording, asked, all_nodes(recording.graph));
  std::optional<Agreement> agreement;
  if (has_tight_tolerances(recording.graph, asked)) agreement.emplace(*eager, leaves);
  Target target = asked;
  target.reassociates = agreement && target.rounding != Rounding::kExact;
  auto planned = make(recording, target, {});
  const auto agrees = [&] { return !agreement || agreement->holds(*planned); };
  bool agree = agrees();
  if (!agree && transforms_sums(planned->plan())) {
    target.reassociates = false;
    planned = make(recording, target, {});
    agree = agrees();
  }
  if (!agree) {
    const Target before = target;
    target.whole = functions_of(recording.graph);
    planned = make(recording, target, {});
    if (!agrees()) planned = make(recording, target = before, {});
  }
  const std::string key = key_of(recording, planned->plan(), target, *runtime_);
  if (const auto kept = cache_.find(key)) {
    if (auto stretches = parse(*kept, recording.graph.nodes.size())) {
      auto whole = whole_nodes(*stretches);
      auto plan = whole.empty() ? std::move(planned) : make(recording, target, std::move(whole));
      // Other weights of the same model may ask for more.
      if (!agreement || agreement->holds(*plan)) {
        plan->set_measured(std::move(*stretches));
        return plan;
      }
      if (planned == nullptr) planned = make(recording, target, {});
    }
  }
  auto plan = measure(recording, leaves, target, std::move(planned), std::move(eager),
                      agreement ? &*agreement : nullptr);
  cache_.keep(key, to_text(plan->measured()));
  return plan;
}

/// Marks the fewest of the stretches, those first that are farthest from LibTorch by themselves,
/// for which LibTorch's own steps have to run for the plan's results to be LibTorch's.
void Gate::leave_what_rounds(const Recording& recording, const Target& target,
                             const BoundPlan& planned, const Agreement& agreement,
                             std::vector<Stretch>* stretches) const {
  const std::vector<double> by_step = agreement.step_distances(planned);
  const auto by = [&](const Stretch* s) {
    double largest = 0;
    for (const size_t step : s->steps) largest = std::max(largest, by_step[step]);
    return largest;
  };
  std::vector<Stretch*> order;
  for (Stretch& s : *stretches) order.push_back(&s);
  std::stable_sort(order.begin(), order.end(),
                   [&](const Stretch* a, const Stretch* b) { return by(a) > by(b); });
  const auto leave = [&](size_t count) {
    for (size_t i = 0; i < order.size(); ++i)
      order[i]->whole = i < count ? Whole::kRounding : Whole::kNo;
  };
  const auto is_enough = [&](size_t count) {
    leave(count);
    return agreement.holds(*make(recording, target, whole_nodes(*stretches)));
  };
  size_t too_few = 0, enough = 1;
  for (; enough < order.size() && !is_enough(enough); enough *= 2) too_few = enough;
  enough = std::min(enough, order.size());
  while (enough - too_few > 1) {
    const size_t middle = too_few + (enough - too_few) / 2;
    (is_enough(middle) ? enough : too_few) = middle;
  }
  leave(enough);
}

std::unique_ptr<BoundPlan> Gate::measure(const Recording& recording, const Leaves& leaves,
                                         const Target& target, std::unique_ptr<BoundPlan> planned,
                                         std::unique_ptr<BoundPlan> eager,
                                         const Agreement* agreement) const {
  Timed planned_times(*planned, leaves), eager_times(*eager, leaves);
  interleave(&planned_times, &eager_times);
  std::vector<Stretch> stretches =
      compare(planned->plan(), planned_times.step_us, eager->plan(), eager_times.step_us, target);
  double best_us = planned_times.total_us;
  const bool mends = agreement != nullptr && !agreement->holds(*planned);
  if (mends) {
    leave_what_rounds(recording, target, *planned, *agreement, &stretches);
    planned = make(recording, target, whole_nodes(stretches));
    if (!agreement->holds(*planned)) {  // it is in no stretch
      for (Stretch& s : stretches) s.whole = Whole::kRounding;
      eager->set_measured(std::move(stretches));
      return eager;
    }
    Timed mended_times(*planned, leaves);
    interleave(&mended_times, &eager_times);
    best_us = mended_times.total_us;
  }
  std::vector<Stretch> faster = stretches;
  bool any = false;
  for (Stretch& s : faster) {
    if (s.whole != Whole::kNo || s.planned_us <= kClearlySlower * s.eager_us) continue;
    s.whole = Whole::kFaster;
    any = true;
  }
  if (any) {
    auto mixed = make(recording, target, whole_nodes(faster));
    Timed mixed_times(*mixed, leaves), again(*planned, leaves);
    interleave(&mixed_times, &again);
    if (mixed_times.total_us < kClearlyFaster * again.total_us &&
        (agreement == nullptr || agreement->holds(*mixed))) {
      planned = std::move(mixed);
      best_us = mixed_times.total_us;
      stretches = std::move(faster);
    }
  }
  // Beside steps that stay LibTorch's, stretches take longer than they did when they were timed.
  const bool saves = !mends && saves_clearly(stretches, eager_times.total_us);
  if (eager_times.total_us < kClearlyFaster * best_us && !saves &&
      wins_again(*eager, *planned, leaves)) {
    for (Stretch& s : stretches) {
      if (s.whole == Whole::kNo) s.whole = Whole::kFaster;
    }
    auto whole = whole_nodes(stretches);
    whole.merge(all_nodes(recording.graph));
    planned = make(recording, target, std::move(whole));
  }
  planned->set_measured(std::move(stretches));
  return planned;
}

}  // namespace torchweld
