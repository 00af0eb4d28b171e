// Compiled kernels on disk, by content: a process compiles what no process on this machine did.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace torchweld::cuda {

struct CacheOptions {
  /// Empty: $TORCHWELD_CACHE, else $XDG_CACHE_HOME/torchweld/kernels, else
  /// ~/.cache/torchweld/kernels.
  std::filesystem::path folder = {};
  bool on_disk = true;
  bool line_numbers = false;  ///< kernels name their source lines, for debuggers and checkers
  int64_t limit_bytes = int64_t{512} << 20;  ///< of the folder; the least recently used go first
};

/// A folder of compiled kernels and measured choices, shared by any number of processes.
///
/// Files    one an entry, named by its key; written beside and renamed, so readers see whole ones.
/// Errors   none: what can't be read, or isn't what its checksum says, is deleted and made
/// again; a folder that can't be written stays as it is.
class DiskCache {
 public:
  explicit DiskCache(const CacheOptions& options);

  /// Names what `text` was made of: sources, options, compiler, architecture.
  static std::string key_of(std::string_view text);

  std::optional<std::string> find(const std::string& key) const;
  void keep(const std::string& key, std::string_view payload) const;

  /// Empty when nothing is kept on disk.
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path path_of(const std::string& key) const;
  void trim() const;

  std::filesystem::path folder_;
  int64_t limit_bytes_;
  mutable std::atomic<int64_t> kept_bytes_;  // since the folder was trimmed; at first: trim soon
};

}  // namespace torchweld::cuda
