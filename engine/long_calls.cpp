#include "engine/long_calls.h"

#include <algorithm>
#include <utility>

namespace torchweld {
namespace {

constexpr int64_t kNextComparison = 16;  // times as many calls as before the last one
constexpr double kClearly = 0.9;         // of the other's time: noise moves no call

}  // namespace

LongCalls::Turn LongCalls::next() {
  if (!begun_.load(std::memory_order_relaxed)) return {};
  const int64_t call = calls_.fetch_add(1, std::memory_order_relaxed);
  const int64_t turn = call - compare_at_.load(std::memory_order_relaxed);
  if (turn >= 0 && turn < kTurns) return {turn % 2 == 1, true, false};
  const bool changed = turn >= kTurns && compare(call);
  return {whole_.load(std::memory_order_relaxed), false, changed};
}

void LongCalls::saw(int blocks, bool settled) {
  if (blocks < kBlocks || begun_.load(std::memory_order_relaxed)) return;
  if (long_calls_.fetch_add(1, std::memory_order_relaxed) + 1 >= kUnsettled || settled)
    begun_.store(true, std::memory_order_relaxed);
}

void LongCalls::took(Turn turn, double us) {
  const std::lock_guard lock(mutex_);
  double& least = least_us_[turn.whole ? 1 : 0];
  least = std::min(least, us);
}

/// Ends a comparison. False when another thread did so, or the way stays.
bool LongCalls::compare(int64_t call) {
  const std::lock_guard lock(mutex_);
  if (call - compare_at_ < kTurns) return false;
  const bool before = whole_;
  const double by_plans = std::exchange(least_us_[0], kNever);
  const double in_one_piece = std::exchange(least_us_[1], kNever);
  whole_ = before ? by_plans > in_one_piece * kClearly : in_one_piece < by_plans * kClearly;
  compare_at_ = (call + 1) * kNextComparison;
  return before != whole_;
}

}  // namespace torchweld
