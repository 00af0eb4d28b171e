#include "engine/plan_thread.h"

namespace torchweld {

PlanThread::~PlanThread() {
  {
    const std::lock_guard lock(mutex_);
    jobs_.clear();
  }
  if (thread_.joinable()) thread_.join();
}

void PlanThread::post(std::function<void()> job) {
  const std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  if (runs_) return;
  if (thread_.joinable()) thread_.join();  // it has left its loop
  thread_ = std::thread([this] { loop(); });
  runs_ = true;
}

void PlanThread::wait() {
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return !runs_; });
}

void PlanThread::loop() {
  std::unique_lock lock(mutex_);
  while (!jobs_.empty()) {
    const std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
  runs_ = false;
  done_.notify_all();
}

}  // namespace torchweld
