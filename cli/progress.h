// A line on the terminal while something takes long; nothing when standard error is not a terminal.
#pragma once

#include <string>

namespace torchweld::cli {

/// Shows the line while it lives and wipes it at the end.
class Progress {
 public:
  explicit Progress(const std::string& line) { say(line); }
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Replaces the line.
  void say(const std::string& line) const;
};

}  // namespace torchweld::cli
