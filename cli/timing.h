// Times several ways to do the same thing, interleaved, so that whatever else the machine does
// meets all of them.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace torchweld::cli {

/// One way; `call` does the thing once.
struct Contender {
  std::string name;
  std::function<void()> call;
  std::function<void()> after_first;  ///< runs once after the first call, untimed; may be null
};

/// What was measured, in microseconds a call.
struct Timing {
  std::string name;
  double first_us = 0, median_us = 0, min_us = 0;
  int64_t calls = 0;
};

/// Times the contenders: the first call of each, a warm-up, then rounds in which each runs a batch,
/// in rotating order.
///
/// `seconds` is the time for each contender. `progress` is told the share done, 0 to 1; may be
/// null.
std::vector<Timing> time_interleaved(const std::vector<Contender>& contenders, double seconds,
                                     const std::function<void(double)>& progress = nullptr);

}  // namespace torchweld::cli
