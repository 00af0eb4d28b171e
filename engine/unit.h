// One block of a method and its plans, one a signature. A call is a chain of units.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/bound_plan.h"
#include "engine/returning_signatures.h"
#include "loader/machine.h"

namespace torchweld {

/// A plan in its unit's list, and the unit where the call goes on.
struct UnitPlan {
  UnitPlan(std::unique_ptr<BoundPlan> bound, class Unit* after)
      : plan(std::move(bound)), next(after) {}
  const std::unique_ptr<BoundPlan> plan;
  class Unit* const next;            ///< null when the method returns
  std::atomic<bool> retired{false};  ///< its shapes turned out to depend on data
  std::atomic<bool> used{false};     ///< it has answered a call
  UnitPlan* older = nullptr;
};

/// Readers never lock: plans are pushed to the front of a list and stay until the engine goes.
class Unit {
 public:
  /// `names`: of the last values of a call, the state; for messages.
  explicit Unit(std::optional<Place> place, std::vector<std::string> names = {})
      : place_(std::move(place)), names_(std::move(names)) {}
  ~Unit();

  /// Null at the method's start.
  const Place* place() const { return place_ ? &*place_ : nullptr; }

  /// The plan for these values, its tensors in `leaves`; null when there is none.
  UnitPlan* find(const std::vector<c10::IValue>& values,
                 std::vector<const at::Tensor*>* leaves) const;

  static constexpr int kNoTicket = -1;

  /// What begin_recording grants.
  struct Ticket {
    int number = kNoTicket;
    std::vector<int>
        open;  ///< numbers that differ from signature to signature: not to be constants
    std::string complaint;  ///< said once: what new signatures are no longer recorded for
  };

  /// A ticket when a recording of these values should be made now: nobody else makes one, the unit
  /// has room, and signatures come back here, or this one did. When there will be none for good,
  /// or none at a first sight, why() tells. `opens`: whether numbers may be left open.
  Ticket begin_recording(const std::vector<c10::IValue>& values, int max_plans, bool opens);

  /// A recording begun was given up. `transient`: try again at the next call, a bounded number of
  /// times. No reason: the call failed, which says nothing of the next one.
  void give_up(int ticket, const std::string& why, bool transient);

  void add(int ticket, std::unique_ptr<UnitPlan> plan);

  /// `plan` is not found any more. `why`: what turned out otherwise than recorded.
  void retire(UnitPlan* plan, const std::string& why);

  /// Why calls are interpreted here: for good, until signatures come back, or what became of the
  /// last recording that is not used. Empty when nothing is known to be in the way.
  std::string why() const;

 private:
  struct Recorded {
    Pattern pattern;
    bool open = false;               // it stands for other numbers too, unless its guards say no
    const UnitPlan* plan = nullptr;  // once it is made
  };

  /// New signatures in a row whose plans nobody used: from then on one has to come twice.
  static constexpr size_t kUnused = 8;

  /// Signatures that differ in the same numbers, before those are left open.
  static constexpr int kAlike = 2;

  bool none_came_back() const;
  bool is_recorded(const std::vector<c10::IValue>& values) const;
  std::vector<int> numbers_to_open(const std::vector<c10::IValue>& values) const;
  std::string what_changes(const std::vector<c10::IValue>& values) const;

  std::optional<Place> place_;
  std::vector<std::string> names_;
  std::atomic<UnitPlan*> newest_{nullptr};
  mutable std::mutex mutex_;
  std::map<int, Recorded>
      recorded_;  // by ticket; those that became plans stay, so that a retired one isn't made again
  ReturningSignatures seen_;
  int next_ticket_ = 0;
  std::string why_, why_not_yet_, last_failure_;
  bool complained_ = false;
  int plans_ = 0, failures_ = 0;
};

/// Whether the leaves of a call fit what a recording assumed of identity and overlap.
bool leaves_fit(const Recording& recording, const std::vector<const at::Tensor*>& leaves);

}  // namespace torchweld
