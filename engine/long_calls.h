// Whether calls that fall into many blocks are better run in one piece.
//
// A loop over values read from tensors (a decoder that looks at each token, say) ends a block at
// every read. Where blocks hold little work, finding their plans costs more than the plans save,
// and where the values differ from call to call they are recorded in vain. So both ways take real
// calls in turns, at growing intervals, and in between the faster one has them all. No call is made
// twice. Decision: docs/architecture.md, "The way of a call".
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <mutex>

namespace torchweld {

/// Which way the next call goes. Any number of threads.
class LongCalls {
 public:
  static constexpr int kBlocks = 8;      ///< a call of at least so many is long
  static constexpr int kTurns = 12;      ///< calls of one comparison, both ways in turns
  static constexpr int kUnsettled = 32;  ///< long calls that needn't be answered by plans alone
  static constexpr double kNever = std::numeric_limits<double>::infinity();

  struct Turn {
    bool whole = false;    ///< in one piece
    bool timed = false;    ///< took() is to be called, unless the call throws
    bool changed = false;  ///< since the call before, by the end of a comparison
  };

  bool begun() const { return begun_.load(std::memory_order_relaxed); }

  /// For the next call.
  Turn next();

  /// A call by plans is over. `settled`: plans answered all of it. The first comparison waits for a
  /// long one, or for kUnsettled others.
  void saw(int blocks, bool settled);

  /// A timed call is over.
  void took(Turn turn, double us);

 private:
  bool compare(int64_t call);

  std::atomic<bool> begun_{false}, whole_{false};
  std::atomic<int> long_calls_{0};
  std::atomic<int64_t> calls_{0}, compare_at_{0};
  std::mutex mutex_;
  double least_us_[2] = {kNever, kNever};  ///< by plans, in one piece
};

}  // namespace torchweld
