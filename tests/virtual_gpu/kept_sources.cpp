#include "tests/virtual_gpu/kept_sources.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "torchweld/error.h"

namespace torchweld::virtual_gpu {
namespace {

namespace fs = std::filesystem;

/// A file's first line names the entries.
void keep(const fs::path& folder, const cuda::Source& source) {
  const fs::path file = folder / fmt::format("{:016x}.cu", std::hash<std::string>{}(source.text));
  if (fs::exists(file)) return;
  fs::create_directories(folder);
  const size_t thread = std::hash<std::thread::id>{}(std::this_thread::get_id());
  const fs::path whole = folder / fmt::format("{}.{}.part", getpid(), thread);
  std::ofstream out(whole, std::ios::binary);
  out << fmt::format("{}\n", fmt::join(source.entries, " ")) << source.text;
  out.close();
  if (!out) throw Error(ErrorCode::kFile, "can't write " + whole.string());
  fs::rename(whole, file);
}

}  // namespace

std::shared_ptr<cuda::CudaBackend> with_kept_sources(std::shared_ptr<cuda::CudaBackend> backend) {
  if (const char* folder = std::getenv("TORCHWELD_KEPT_SOURCES")) {
    backend->compiler()->set_watcher(
        [folder = fs::path(folder)](const cuda::Source& source) { keep(folder, source); });
  }
  return backend;
}

std::vector<cuda::Source> kept_sources(const fs::path& folder) {
  std::vector<cuda::Source> all;
  if (!fs::exists(folder)) return all;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".cu") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    std::string names;
    std::getline(file, names);
    cuda::Source source;
    std::istringstream words(names);
    for (std::string name; words >> name;) source.entries.push_back(name);
    source.text.assign(std::istreambuf_iterator<char>(file), {});
    all.push_back(std::move(source));
  }
  return all;
}

}  // namespace torchweld::virtual_gpu
