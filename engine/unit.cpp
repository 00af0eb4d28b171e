#include "engine/unit.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "loader/overlap.h"

namespace torchweld {
bool leaves_fit(const Recording& recording, const std::vector<const at::Tensor*>& leaves) {
  for (const auto& [first, second] : recording.same_inputs) {
    if (leaves[static_cast<size_t>(first)]->const_data_ptr() !=
        leaves[static_cast<size_t>(second)]->const_data_ptr())
      return false;
  }
  for (const int written : recording.written_inputs) {
    const auto w = static_cast<size_t>(written);
    for (size_t i = 0; i < leaves.size(); ++i) {
      if (i != w && overlap(*leaves[i], *leaves[w])) return false;
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
    if (p->retired.load(std::memory_order_relaxed) || !r.inputs.match(values, leaves) ||
        !leaves_fit(r, *leaves))
      continue;
    if (!p->used.load(std::memory_order_relaxed)) p->used.store(true, std::memory_order_relaxed);
    return p;
  }
  return nullptr;
}

bool Unit::none_came_back() const {
  if (recorded_.size() < kUnused) return false;
  size_t unused = 0;
  for (auto it = recorded_.rbegin(); it != recorded_.rend() && unused < kUnused; ++it, ++unused) {
    const UnitPlan* const plan = it->second.plan;
    if (plan != nullptr && plan->used.load(std::memory_order_relaxed)) return false;
  }
  return true;
}

/// By the newest recording: "attribute pos is int 9 where it was int 8".
std::string Unit::what_changes(const std::vector<c10::IValue>& values) const {
  constexpr size_t kMostNames = 3;
  const auto differences = recorded_.rbegin()->second.pattern.differences(values);
  std::string text;
  for (size_t i = 0; i < differences.size() && i < kMostNames; ++i) {
    const auto& [index, before, now] = differences[i];
    const size_t unnamed = values.size() - std::min(values.size(), names_.size());
    text += fmt::format("{}{} is {} where it was {}", i == 0 ? "" : ", ",
                        index < unnamed ? "a value at the block's start"
                                        : names_[names_.size() - values.size() + index],
                        now, before);
  }
  if (differences.size() > kMostNames)
    text += fmt::format(", and {} more change", differences.size() - kMostNames);
  return text;
}

/// Whether a recording of these values is under way, or was made and its plan retired.
bool Unit::is_recorded(const std::vector<c10::IValue>& values) const {
  std::vector<const at::Tensor*> leaves;
  return std::any_of(recorded_.begin(), recorded_.end(), [&](const auto& entry) {
    const Recorded& r = entry.second;
    return r.pattern.match(values, &leaves) && (!r.open || r.plan == nullptr || r.plan->retired);
  });
}

std::vector<int> Unit::numbers_to_open(const std::vector<c10::IValue>& values) const {
  int alike = 0;
  std::vector<int> places;
  for (const auto& [ticket, recorded] : recorded_) {
    if (!recorded.pattern.differs_in_numbers(values, &places)) continue;
    alike += recorded.open ? kAlike : 1;
  }
  if (alike < kAlike) return {};
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  return places;
}

Unit::Ticket Unit::begin_recording(const std::vector<c10::IValue>& values, int max_plans,
                                   bool opens) {
  const std::lock_guard lock(mutex_);
  if (!why_.empty()) return {};
  Ticket ticket;
  if (none_came_back()) {
    if (why_not_yet_.empty()) {
      why_not_yet_ = fmt::format(
          "no signature of the last {} came back, so one is recorded only once it does: {}",
          kUnused, what_changes(values));
      if (!std::exchange(complained_, true)) ticket.complaint = why_not_yet_;
    }
    if (!seen_.came_back(hash_of(values))) return ticket;
  } else {
    why_not_yet_.clear();
  }
  std::vector<const at::Tensor*> leaves;
  if (find(values, &leaves) != nullptr) return ticket;  // it was added while the caller looked
  if (is_recorded(values)) return ticket;
  if (plans_ >= max_plans) {
    why_ = fmt::format("more than {} signatures (Options::max_plans)", max_plans);
    return ticket;
  }
  int leaf = 0;
  const auto number = [&](const at::Tensor&) { return leaf++; };
  Recorded recorded{.pattern = Pattern::of(values, number)};
  if (opens) ticket.open = numbers_to_open(values);
  recorded.open = !ticket.open.empty();
  recorded.pattern.open(ticket.open);
  recorded_.emplace(next_ticket_, std::move(recorded));
  ++plans_;
  ticket.number = next_ticket_++;
  return ticket;
}

void Unit::give_up(int ticket, const std::string& why, bool transient) {
  constexpr int kMostFailures = 16;
  const std::lock_guard lock(mutex_);
  --plans_;
  recorded_.erase(ticket);
  if (why.empty()) return;
  last_failure_ = why;
  if (!transient || ++failures_ > kMostFailures) why_ = why;
}

void Unit::add(int ticket, std::unique_ptr<UnitPlan> plan) {
  const std::lock_guard lock(mutex_);
  plan->older = newest_.load(std::memory_order_relaxed);
  recorded_.at(ticket).plan = plan.get();
  newest_.store(plan.release(), std::memory_order_release);
}

void Unit::retire(UnitPlan* plan, const std::string& why) {
  const std::lock_guard lock(mutex_);
  plan->retired.store(true, std::memory_order_relaxed);
  last_failure_ = fmt::format("plan retired: {}", why);
}

std::string Unit::why() const {
  const std::lock_guard lock(mutex_);
  for (const std::string* known : {&why_, &why_not_yet_}) {
    if (!known->empty()) return *known;
  }
  return last_failure_;
}

}  // namespace torchweld
