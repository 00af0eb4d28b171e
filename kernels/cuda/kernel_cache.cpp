#include "kernels/cuda/kernel_cache.h"

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

constexpr char kMagic[8] = {'T', 'W', 'K', 'E', 'R', 'N', '0', '1'};
constexpr std::string_view kExtension = ".kernel";
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

class Writer {
 public:
  void add(std::string_view text) {
    number(static_cast<int64_t>(text.size()));
    bytes_.append(text);
  }
  void number(int64_t value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Reads what Writer wrote; `good` turns false where the bytes end too soon.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  int64_t number() {
    int64_t value = 0;
    if (const std::string_view part = take(sizeof(value)); good)
      std::memcpy(&value, part.data(), sizeof(value));
    return value;
  }
  std::string text() { return std::string(take(static_cast<size_t>(number()))); }
  bool good = true;
  bool done() const { return good && bytes_.empty(); }

 private:
  std::string_view take(size_t count) {
    good = good && count <= bytes_.size();
    if (!good) return {};
    const std::string_view part = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return part;
  }
  std::string_view bytes_;
};

std::string packed(const Program& program) {
  Writer writer;
  writer.add(program.image.cubin);
  writer.add(program.image.ptx);
  writer.number(static_cast<int64_t>(program.kernels.size()));
  for (const auto& [name, resources] : program.kernels) {
    writer.add(name);
    writer.number(resources.registers);
    writer.number(resources.shared_bytes);
    writer.number(resources.local_bytes);
    writer.number(resources.spill_bytes);
  }
  return writer.take();
}

std::optional<Program> unpacked(std::string_view payload) {
  Reader reader(payload);
  Program program;
  program.image.cubin = reader.text();
  program.image.ptx = reader.text();
  for (int64_t left = reader.number(); left > 0 && reader.good; --left) {
    std::string name = reader.text();
    Resources resources;
    resources.registers = static_cast<int>(reader.number());
    resources.shared_bytes = reader.number();
    resources.local_bytes = reader.number();
    resources.spill_bytes = reader.number();
    program.kernels.emplace_back(std::move(name), resources);
  }
  if (!reader.done()) return std::nullopt;
  return program;
}

/// Magic, checksum, payload; the length is the file's own.
std::optional<Program> parsed(std::string_view file) {
  constexpr size_t kHead = sizeof(kMagic) + sizeof(uint64_t);
  if (file.size() < kHead || std::memcmp(file.data(), kMagic, sizeof(kMagic)) != 0)
    return std::nullopt;
  uint64_t checksum = 0;
  std::memcpy(&checksum, file.data() + sizeof(kMagic), sizeof(checksum));
  const std::string_view payload = file.substr(kHead);
  if (hash_of(payload, 0) != checksum) return std::nullopt;
  return unpacked(payload);
}

}  // namespace

KernelCache::KernelCache(const CacheOptions& options) : limit_bytes_(options.limit_bytes) {
  if (!options.on_disk) return;
  folder_ = options.folder.empty() ? default_folder() : options.folder;
}

std::string KernelCache::key_of(std::string_view text) {
  return fmt::format("{:016x}{:016x}", hash_of(text, 0), hash_of(text, 0x9e3779b97f4a7c15ull));
}

fs::path KernelCache::path_of(const std::string& key) const {
  return folder_ / (key + std::string(kExtension));
}

std::optional<Program> KernelCache::find(const std::string& key) const {
  if (folder_.empty()) return std::nullopt;
  const fs::path path = path_of(key);
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::optional<Program> program = parsed(bytes);
  std::error_code ignored;
  if (program) {
    fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);  // when it was last used
  } else {
    fs::remove(path, ignored);
  }
  return program;
}

void KernelCache::keep(const std::string& key, const Program& program) const {
  if (folder_.empty()) return;
  static std::atomic<int64_t> counter{0};
  std::error_code failed;
  fs::create_directories(folder_, failed);
  const fs::path beside =
      folder_ / fmt::format("{}-{}-{}{}", key, getpid(), counter++, kUnfinished);
  {
    const std::string payload = packed(program);
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
  trim();
}

void KernelCache::trim() const {
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
