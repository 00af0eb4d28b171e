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
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool busy_ = false, stop_ = false;
  std::thread thread_;  // started by the first job: an engine that plans nothing has no thread
};

}  // namespace torchweld
