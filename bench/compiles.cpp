// How long NVRTC takes for the kernels of real plans: each alone, and twenty of them on all cores.
// It needs no GPU. The kernels are the .cu files that `torchweld explain --kernels FOLDER` wrote,
// below FOLDER at any depth; equal ones count once. Nothing is read from the cache on disk.
//
// compiles FOLDER [ROUNDS]
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

#include "kernels/cuda/nvrtc.h"
#include "kernels/cuda/skeleton_headers.h"

namespace {

using namespace torchweld;

constexpr size_t kTogether = 20;

std::vector<std::string> sources_in(const char* folder) {
  std::set<std::string> distinct;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".cu") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    distinct.emplace(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return {distinct.begin(), distinct.end()};
}

void compile(const std::string& source) {
  cuda::CompileRequest request;
  request.name = "bench.cu";
  request.source = source;
  request.headers = cuda::skeleton_headers();
  cuda::compile(request);
}

/// Of the process: on a busy machine it says more than the clock on the wall.
double cpu_ms() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto ms = [](const timeval& t) {
    return 1e3 * static_cast<double>(t.tv_sec) + 1e-3 * static_cast<double>(t.tv_usec);
  };
  return ms(used.ru_utime) + ms(used.ru_stime);
}

double wall_ms() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void one_by_one(const std::vector<std::string>& sources, int rounds) {
  std::vector<double> wall, cpu;
  for (const std::string& source : sources) {
    double least_wall = 1e9, least_cpu = 1e9;
    for (int round = 0; round < rounds; ++round) {
      const double wall_before = wall_ms(), cpu_before = cpu_ms();
      compile(source);
      least_wall = std::min(least_wall, wall_ms() - wall_before);
      least_cpu = std::min(least_cpu, cpu_ms() - cpu_before);
    }
    wall.push_back(least_wall);
    cpu.push_back(least_cpu);
  }
  fmt::print(
      "{} kernels, least of {} rounds: median {:.1f} ms, longest {:.1f} ms; median {:.1f} ms of "
      "processor time\n",
      sources.size(), rounds, median(wall), *std::max_element(wall.begin(), wall.end()),
      median(cpu));
}

/// Every stretch of twenty, in order, the least of some rounds: the median of all stretches, so
/// that none is picked.
void together(const std::vector<std::string>& sources, int rounds) {
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  std::vector<double> wall, cpu;
  for (size_t first = 0; first + kTogether <= sources.size(); first += kTogether) {
    double least_wall = 1e9, least_cpu = 1e9;
    for (int round = 0; round < rounds; ++round) {
      std::atomic<size_t> next{first};
      const auto work = [&] {
        for (size_t i = next++; i < first + kTogether; i = next++) compile(sources[i]);
      };
      const double wall_before = wall_ms(), cpu_before = cpu_ms();
      std::vector<std::thread> threads;
      for (unsigned i = 1; i < cores; ++i) threads.emplace_back(work);
      work();
      for (std::thread& thread : threads) thread.join();
      least_wall = std::min(least_wall, wall_ms() - wall_before);
      least_cpu = std::min(least_cpu, cpu_ms() - cpu_before);
    }
    wall.push_back(least_wall);
    cpu.push_back(least_cpu);
  }
  if (wall.empty()) return;
  fmt::print(
      "{} kernels at once on {} cores, {} stretches: median {:.0f} ms, longest {:.0f} ms; median "
      "{:.0f} ms of processor time\n",
      kTogether, cores, wall.size(), median(wall), *std::max_element(wall.begin(), wall.end()),
      median(cpu));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "compiles FOLDER [ROUNDS]: a folder of torchweld explain --kernels\n");
    return 2;
  }
  // By text, their order has nothing to do with how long they take, but names would put equal
  // operators side by side.
  std::vector<std::string> sources = sources_in(argv[1]);
  std::sort(sources.begin(), sources.end(), [](const std::string& a, const std::string& b) {
    const std::hash<std::string> hash;
    return hash(a) < hash(b);
  });
  if (sources.empty()) {
    fmt::print(stderr, "no .cu file below {}\n", argv[1]);
    return 1;
  }
  const double before = wall_ms();
  compile(sources.front());
  fmt::print("NVRTC {}, sm_90, the process's first: {:.1f} ms\n", cuda::nvrtc_version(),
             wall_ms() - before);
  const int rounds = argc > 2 ? std::max(1, std::atoi(argv[2])) : 3;
  one_by_one(sources, rounds);
  together(sources, rounds);
}
