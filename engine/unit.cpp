#include "engine/unit.h"

#include <fmt/format.h>

#include <algorithm>

namespace torchweld {
namespace {

std::pair<const char*, const char*> range_of(const at::Tensor& t) {
  const auto* begin = static_cast<const char*>(t.const_data_ptr());
  int64_t last = 0;
  for (int64_t d = 0; d < t.dim(); ++d) last += (t.size(d) - 1) * t.stride(d);
  return {begin,
          t.numel() == 0 ? begin : begin + (last + 1) * static_cast<int64_t>(t.element_size())};
}

bool overlap(const at::Tensor& a, const at::Tensor& b) {
  const auto [a0, a1] = range_of(a);
  const auto [b0, b1] = range_of(b);
  return a0 < b1 && b0 < a1;
}

}  // namespace

bool leaves_fit(const Recording& recording, const std::vector<const at::Tensor*>& leaves) {
  for (const auto& [first, second] : recording.same_inputs) {
    if (leaves[static_cast<size_t>(first)]->const_data_ptr() !=
        leaves[static_cast<size_t>(second)]->const_data_ptr())
      return false;
  }
  if (!recording.writes_inputs) return true;
  for (size_t i = 0; i < leaves.size(); ++i) {
    for (size_t k = i + 1; k < leaves.size(); ++k) {
      if (overlap(*leaves[i], *leaves[k])) return false;
    }
  }
  return true;
}

Unit::~Unit() {
  for (UnitPlan* p = newest_.load(); p != nullptr;) {
    UnitPlan* older = p->older;
    delete p;
    p = older;
  }
}

UnitPlan* Unit::find(const std::vector<c10::IValue>& values,
                     std::vector<const at::Tensor*>* leaves) const {
  for (UnitPlan* p = newest_.load(std::memory_order_acquire); p != nullptr; p = p->older) {
    const Recording& r = p->plan->recording();
    if (!p->retired.load(std::memory_order_relaxed) && r.inputs.match(values, leaves) &&
        leaves_fit(r, *leaves))
      return p;
  }
  return nullptr;
}

int Unit::begin_recording(const std::vector<c10::IValue>& values, int max_plans) {
  const std::lock_guard lock(mutex_);
  if (!why_.empty()) return kNoTicket;
  std::vector<const at::Tensor*> leaves;
  if (find(values, &leaves) != nullptr) return kNoTicket;  // it was added while the caller looked
  const auto same = [&](const auto& entry) { return entry.second.match(values, &leaves); };
  if (std::any_of(pending_.begin(), pending_.end(), same)) return kNoTicket;
  if (plans_ >= max_plans) {
    why_ = fmt::format("more than {} signatures (Options::max_plans)", max_plans);
    return kNoTicket;
  }
  int leaf = 0;
  pending_.emplace(next_ticket_, Pattern::of(values, [&](const at::Tensor&) { return leaf++; }));
  ++plans_;
  return next_ticket_++;
}

void Unit::give_up(int ticket, const std::string& why, bool transient) {
  constexpr int kMostFailures = 16;
  const std::lock_guard lock(mutex_);
  --plans_;
  pending_.erase(ticket);
  if (why.empty()) return;
  if (!transient || ++failures_ > kMostFailures) why_ = why;
}

void Unit::add(std::unique_ptr<UnitPlan> plan) {
  const std::lock_guard lock(mutex_);
  plan->older = newest_.load(std::memory_order_relaxed);
  newest_.store(plan.release(), std::memory_order_release);
}

std::string Unit::why() const {
  const std::lock_guard lock(mutex_);
  return why_;
}

}  // namespace torchweld
