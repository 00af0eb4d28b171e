#include "kernels/cuda/disk_cache.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <vector>

namespace torchweld::cuda {
namespace {

namespace fs = std::filesystem;

constexpr char kMagic[8] = {'T', 'W', 'C', 'A', 'C', 'H', '0', '2'};
constexpr std::string_view kExtension = ".entry";
constexpr std::string_view kUnfinished = ".unfinished";

/// FNV-1a; two seeds make a key of 128 bits, and one checks an entry.
uint64_t hash_of(std::string_view text, uint64_t seed) {
  uint64_t hash = 0xcbf29ce484222325ull ^ seed;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return hash ^ hash >> 29;
}

fs::path default_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? fs::path() : fs::path(value);
  };
  if (fs::path own = variable("TORCHWELD_CACHE"); !own.empty()) return own;
  if (fs::path cache = variable("XDG_CACHE_HOME"); !cache.empty())
    return cache / "torchweld/kernels";
  if (fs::path home = variable("HOME"); !home.empty()) return home / ".cache/torchweld/kernels";
  return {};
}

/// Magic, checksum, payload; the length is the file's own.
std::optional<std::string> payload_of(std::string_view file) {
  constexpr size_t kHead = sizeof(kMagic) + sizeof(uint64_t);
  if (file.size() < kHead || std::memcmp(file.data(), kMagic, sizeof(kMagic)) != 0)
    return std::nullopt;
  uint64_t checksum = 0;
  std::memcpy(&checksum, file.data() + sizeof(kMagic), sizeof(checksum));
  const std::string_view payload = file.substr(kHead);
  if (hash_of(payload, 0) != checksum) return std::nullopt;
  return std::string(payload);
}

}  // namespace

DiskCache::DiskCache(const CacheOptions& options)
    : limit_bytes_(options.limit_bytes), kept_bytes_(options.limit_bytes) {
  if (!options.on_disk) return;
  folder_ = options.folder.empty() ? default_folder() : options.folder;
}

std::string DiskCache::key_of(std::string_view text) {
  return fmt::format("{:016x}{:016x}", hash_of(text, 0), hash_of(text, 0x9e3779b97f4a7c15ull));
}

fs::path DiskCache::path_of(const std::string& key) const {
  return folder_ / (key + std::string(kExtension));
}

std::optional<std::string> DiskCache::find(const std::string& key) const {
  if (folder_.empty()) return std::nullopt;
  const fs::path path = path_of(key);
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::optional<std::string> payload = payload_of(bytes);
  std::error_code ignored;
  if (payload) {
    fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);  // when it was last used
  } else {
    fs::remove(path, ignored);
  }
  return payload;
}

void DiskCache::keep(const std::string& key, std::string_view payload) const {
  if (folder_.empty()) return;
  static std::atomic<int64_t> counter{0};
  std::error_code failed;
  fs::create_directories(folder_, failed);
  const fs::path beside =
      folder_ / fmt::format("{}-{}-{}{}", key, getpid(), counter++, kUnfinished);
  {
    const uint64_t checksum = hash_of(payload, 0);
    std::ofstream file(beside, std::ios::binary);
    file.write(kMagic, sizeof(kMagic));
    file.write(reinterpret_cast<const char*>(&checksum), sizeof(checksum));
    file.write(payload.data(), static_cast<std::streamsize>(payload.size()));
    file.close();
    if (!file) {
      fs::remove(beside, failed);
      return;
    }
  }
  fs::rename(beside, path_of(key), failed);
  if (failed) fs::remove(beside, failed);
  // Looking at every file is for every so many bytes, not for every small entry.
  kept_bytes_ += static_cast<int64_t>(payload.size());
  if (kept_bytes_ < limit_bytes_ / 16) return;
  kept_bytes_ = 0;
  trim();
}

void DiskCache::trim() const {
  struct Entry {
    fs::path path;
    fs::file_time_type used;
    int64_t bytes;
  };
  std::vector<Entry> entries;
  int64_t total = 0;
  std::error_code failed;
  const auto now = fs::file_time_type::clock::now();
  for (fs::directory_iterator it(folder_, failed), end; !failed && it != end;
       it.increment(failed)) {
    std::error_code gone;  // by another process
    const auto used = it->last_write_time(gone);
    const auto bytes = static_cast<int64_t>(it->file_size(gone));
    if (gone) continue;
    // A process that died while it wrote leaves its file behind.
    const std::string extension = it->path().extension().string();
    if (extension == kUnfinished && now - used > std::chrono::hours(1))
      fs::remove(it->path(), gone);
    if (extension != kExtension) continue;
    entries.push_back({it->path(), used, bytes});
    total += bytes;
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.used < b.used; });
  for (const Entry& entry : entries) {
    if (total <= limit_bytes_) break;
    fs::remove(entry.path, failed);
    total -= entry.bytes;
  }
}

}  // namespace torchweld::cuda
