#include "cli/timing.h"

#include <algorithm>
#include <chrono>

namespace torchweld::cli {
namespace {

using Clock = std::chrono::steady_clock;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

double batch_us(const Contender& contender, int64_t calls) {
  const auto start = Clock::now();
  for (int64_t i = 0; i < calls; ++i) contender.call();
  return microseconds_since(start) / static_cast<double>(calls);
}

/// Long enough that the clock's own cost and resolution don't count.
constexpr double kBatchUs = 3000;
constexpr double kWarmUpShare = 0.2;
constexpr int kLeastRounds = 5;

struct Lane {
  int64_t batch = 1;
  std::vector<double> samples;
};

/// Calls until the warm-up's time is over, at least three times: TorchScript optimises in its
/// second and third call.
int64_t warmed_up_batch(const Contender& contender, double seconds) {
  const auto start = Clock::now();
  double least_us = 1e9;
  for (int calls = 0; calls < 3 || microseconds_since(start) < seconds * kWarmUpShare * 1e6;
       ++calls) {
    least_us = std::min(least_us, batch_us(contender, 1));
  }
  return std::max<int64_t>(1, static_cast<int64_t>(kBatchUs / std::max(least_us, 0.01)));
}

}  // namespace

std::vector<Timing> time_interleaved(const std::vector<Contender>& contenders, double seconds,
                                     const std::function<void(double)>& progress) {
  const size_t n = contenders.size();
  std::vector<Timing> timings(n);
  std::vector<Lane> lanes(n);
  for (size_t i = 0; i < n; ++i) {
    timings[i].name = contenders[i].name;
    timings[i].first_us = batch_us(contenders[i], 1);
    if (contenders[i].after_first) contenders[i].after_first();
    lanes[i].batch = warmed_up_batch(contenders[i], seconds);
  }
  const auto start = Clock::now();
  const double budget_us = seconds * 1e6 * static_cast<double>(n);
  for (size_t round = 0; round < kLeastRounds || microseconds_since(start) < budget_us; ++round) {
    for (size_t k = 0; k < n; ++k) {
      const size_t i = (k + round) % n;
      lanes[i].samples.push_back(batch_us(contenders[i], lanes[i].batch));
      timings[i].calls += lanes[i].batch;
    }
    if (progress) progress(std::min(1.0, microseconds_since(start) / budget_us));
  }
  for (size_t i = 0; i < n; ++i) {
    std::vector<double>& samples = lanes[i].samples;
    std::sort(samples.begin(), samples.end());
    timings[i].median_us = samples[samples.size() / 2];
    timings[i].min_us = samples.front();
  }
  return timings;
}

}  // namespace torchweld::cli
