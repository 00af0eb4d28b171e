// The engine's thread that makes plans off the request path.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace torchweld {

/// Runs jobs one after the other, in order. Jobs must not throw. The destructor drops jobs that
/// haven't begun.
///
/// The thread ends when no job is left. OpenMP keeps a team for each thread that ran anything in
/// parallel; with more threads in all teams than processors its workers sleep at once between two
/// loops instead of waiting for the next, and waking them takes tens of microseconds.
class PlanThread {
 public:
  PlanThread() = default;
  ~PlanThread();
  PlanThread(const PlanThread&) = delete;
  PlanThread& operator=(const PlanThread&) = delete;

  void post(std::function<void()> job);

  /// Returns when all jobs posted so far are done.
  void wait();

 private:
  void loop();

  std::mutex mutex_;
  std::condition_variable done_;
  std::deque<std::function<void()>> jobs_;
  bool runs_ = false;  // until it has found no job
  std::thread thread_;
};

}  // namespace torchweld
