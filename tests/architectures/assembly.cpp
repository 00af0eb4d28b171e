// Programs hold some kernels each, since half of a small compile goes into reading the skeletons
// (of 65 ms of one alone; of sixteen each takes 37, of eighty more again). A kernel is
// assembled by itself either way.
#include "tests/architectures/assembly.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <span>
#include <thread>

#include "kernels/cuda/nvrtc.h"
#include "kernels/cuda/skeleton_headers.h"

namespace torchweld::testing {
namespace {

constexpr size_t kKernelsAProgram = 16;

/// The text without its kernels' names: a comment in front, and the entries.
std::string nameless(const cuda::Source& source) {
  std::string text = source.text.substr(source.text.find('\n'));
  std::vector<std::string> entries = source.entries;  // one may begin as another does
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.size() > b.size(); });
  for (const std::string& entry : entries) {
    for (size_t at = text.find(entry); at != std::string::npos; at = text.find(entry, at))
      text.erase(at, entry.size());
  }
  return text;
}

/// All of them as one program; macros tell apart what they name alike. An entry ends in the
/// source's place.
std::string together(std::span<const cuda::Source> sources) {
  std::string text;
  for (size_t i = 0; i < sources.size(); ++i) {
    std::vector<std::string> names = sources[i].entries;
    names.emplace_back("Body");
    for (const std::string& name : names) text += fmt::format("#define {0} {0}_{1}\n", name, i);
    text += sources[i].text;
    for (const std::string& name : names) text += fmt::format("#undef {}\n", name);
  }
  return text;
}

std::string complaint(std::span<const cuda::Source> sources, const Architecture& architecture) {
  cuda::CompileRequest request{"together.cu", together(sources), cuda::skeleton_headers()};
  request.capability = architecture.capability;
  request.for_it_alone = architecture.for_it_alone;
  const cuda::Compiled compiled = cuda::compile(request);
  if (compiled.image.cubin.empty()) return "no code";
  if (compiled.log.find("warning") != std::string::npos) return compiled.log;
  size_t entries = 0;
  for (const cuda::Source& source : sources) entries += source.entries.size();
  if (compiled.kernels.size() != entries) return "the assembler tells of too few kernels";
  for (const auto& [entry, resources] : compiled.kernels) {
    if (resources.registers == 0) return entry + ": the assembler tells of no registers";
    if (resources.spill_bytes == 0) continue;
    const size_t place = std::stoul(entry.substr(entry.rfind('_') + 1));
    return entry + " spills:\n" + sources[place].text;
  }
  return "";
}

}  // namespace

std::vector<cuda::Source> distinct(std::vector<cuda::Source> sources) {
  // By text, so that neighbours read the same skeleton and take about as long.
  std::map<std::string, cuda::Source> by_text;
  for (cuda::Source& source : sources) {
    std::string text = nameless(source);
    by_text.try_emplace(std::move(text), std::move(source));
  }
  std::vector<cuda::Source> all;
  for (auto& [text, source] : by_text) all.push_back(std::move(source));
  return all;
}

std::vector<std::string> complaints(const std::vector<cuda::Source>& sources,
                                    const Architecture& architecture) {
  std::vector<std::string> all;
  std::mutex mutex;  // of all
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next.fetch_add(kKernelsAProgram); i < sources.size();
         i = next.fetch_add(kKernelsAProgram)) {
      std::string what;
      try {
        what =
            complaint(std::span(sources).subspan(i, std::min(kKernelsAProgram, sources.size() - i)),
                      architecture);
      } catch (const std::exception& error) {
        what = error.what();
      }
      const std::scoped_lock lock(mutex);
      if (!what.empty()) all.push_back(std::move(what));
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < std::max(1u, std::thread::hardware_concurrency()); ++i)
    threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  return all;
}

}  // namespace torchweld::testing
