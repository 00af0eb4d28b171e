// Verdicts of the measured gate, where a test can read and change them.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/cuda/disk_cache.h"

namespace torchweld::testing {

/// A folder of its own for the verdicts of engines loaded meanwhile.
class VerdictFolder {
 public:
  VerdictFolder() {
    if (const char* value = std::getenv(kVariable)) before_ = value;
    std::string path = (std::filesystem::temp_directory_path() / "torchweld-gate-XXXXXX").string();
    folder_ = mkdtemp(path.data());
    setenv(kVariable, folder_.c_str(), 1);
  }
  ~VerdictFolder() {
    if (before_.empty()) {
      unsetenv(kVariable);
    } else {
      setenv(kVariable, before_.c_str(), 1);
    }
    std::filesystem::remove_all(folder_);
  }
  VerdictFolder(const VerdictFolder&) = delete;
  VerdictFolder& operator=(const VerdictFolder&) = delete;

  std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      all.push_back(entry.path());
    return all;
  }

  /// Rewrites each verdict.
  template <class F>
  void change(const F& f) const {
    const cuda::DiskCache cache(cuda::CacheOptions{.folder = folder_});
    for (const std::filesystem::path& file : files()) {
      const std::string key = file.stem().string();
      cache.keep(key, f(*cache.find(key)));
    }
  }

 private:
  static constexpr const char* kVariable = "TORCHWELD_CACHE";
  std::string before_;
  std::filesystem::path folder_;
};

}  // namespace torchweld::testing
