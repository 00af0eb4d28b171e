#include "cli/progress.h"

#include <unistd.h>

#include <cstdio>

namespace torchweld::cli {

void Progress::say(const std::string& line) const {
  if (!isatty(STDERR_FILENO)) return;
  // Carriage return, and erase what an earlier, longer line left.
  std::fprintf(stderr, "\r\033[K%s ...", line.c_str());
  std::fflush(stderr);
}

Progress::~Progress() {
  if (isatty(STDERR_FILENO)) std::fputs("\r\033[K", stderr);
}

}  // namespace torchweld::cli
