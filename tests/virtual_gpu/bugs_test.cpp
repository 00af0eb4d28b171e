// The checker against seeded bugs: each must be reported as what it is, with its line, and no good
// twin may be.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "kernels/cuda/nvrtc.h"
#include "tests/virtual_gpu/compiled.h"
#include "torchweld/error.h"

namespace torchweld::virtual_gpu {
namespace {

/// A kernel of bugs.cuh, how it is launched, and what has to be said of its bug.
struct SeededBug {
  const char* kernel;
  uint32_t blocks, threads;
  const char* report;      ///< a part of the message; empty: the results are wrong instead
  const char* parameters;  ///< x: 256 numbers; y: 256 zeros; s: 256 uninitialised; n: 20
  int shared_bytes = 0;
  /// Of a race: how the two lines begin, both of which the report has to name.
  const char *first = nullptr, *second = nullptr;
};

constexpr SeededBug kBugs[] = {
    {"missing_barrier", 1, 128, "of shared", "xy"},
    {"missing_trailing_barrier", 1, 64, "of shared", "xy", 0, "tile[threadIdx.x] = x[",
     "sum += tile["},
    {"warp_synchronous", 1, 32, "of shared", "xy"},
    {"double_buffer", 1, 64, "race read/write of shared", "xy", 0,
     "tile[BUG ? 0 : round % 2][threadIdx.x] = x[", "sum += tile[BUG"},
    {"missing_barrier_after_partials", 1, 128, "of shared", "xy"},
    {"past_the_end", 2, 64, "out of bounds: global memory +80 of 80 bytes", "tyn"},
    {"before_the_start", 1, 32, "out of bounds: global memory +-4 of 80 bytes", "tyn"},
    {"store_past_the_end", 1, 32, "out of bounds: global memory +80 of 80 bytes", "xtn"},
    {"vector_past_the_end", 1, 32, "out of bounds: global memory +64 of 72 bytes", "vyn"},
    {"shared_past_the_end", 1, 64, "out of bounds of shared", "y"},
    {"shared_before_the_start", 1, 64, "out of bounds of shared", "y"},
    {"dynamic_past_the_end", 1, 64, "out of bounds of shared", "y", 256},
    {"misaligned_vector", 1, 32, "misaligned access of 16 bytes", "xy"},
    {"shuffle_of_absent_lanes", 1, 32, "which takes no part", "xy"},
    {"shuffle_in_a_branch", 1, 32, "deadlock", "xy"},
    {"shuffle_after_exit", 1, 32, "deadlock", "xyn"},
    {"blocks_race", 4, 1, "race", "y"},
    {"blocks_write_the_same", 2, 32, "race write/write of global", "y"},
    {"strong_store_beside_plain", 2, 32, "race write/write of global", "y", 0, "y[0] = 5;",
     "*static_cast<volatile float*>(y) = 5;"},
    {"reads_what_another_block_wrote", 2, 32, "race", "y"},
    {"atomic_beside_plain", 1, 64, "race", "y", 0, "y[0] = 5;", "atomicAdd(y"},
    {"uninitialised_shared", 1, 64, "uninitialised read of shared", "y"},
    {"uninitialised_global", 1, 64, "uninitialised read of global", "sy"},
    {"barrier_in_a_branch", 1, 64, "divergent barrier", "y"},
    {"barrier_for_some", 1, 64, "exited before this barrier", "y"},
    {"exit_before_the_barrier", 1, 64, "exited before this barrier", "yn"},
    {"lanes_that_never_meet", 1, 64, "deadlock", "y"},
    {"missing_wait", 1, 32, "uninitialised read of shared", "xy"},
    {"missing_barrier_after_wait", 1, 32, "of shared", "xy"},
    {"use_after_free", 1, 32, "use after free", "f"},
    {"endless_loop", 1, 32, "probably hangs", "y"},
    {"wrong_stride", 1, 32, "", "mz"},
};

/// What a launch gave: what was reported, and y.
struct Outcome {
  std::string report;
  std::vector<float> y;
};

class Bugs : public ::testing::TestWithParam<SeededBug> {
 protected:
  static void SetUpTestSuite() {
    good_ = new cuda::Image(with("#define BUG 0\n#line 1\n"));
    bad_ = new cuda::Image(with("#define BUG 1\n#line 1\n"));
  }
  static void TearDownTestSuite() {
    delete good_;
    delete bad_;
  }

  static cuda::Image with(const std::string& head) {
    cuda::CompileRequest request;
    request.name = "bugs.cu";
    request.source = head + kernel_text("bugs.cuh");
    request.line_numbers = true;
    return cuda::compile(request).image;
  }

  static Outcome run(const cuda::Image& image, const SeededBug& bug, bool has_bug, uint64_t seed) {
    VirtualDevice device(seed);
    device.set_most_instructions(100000);
    const auto module = device.load(image);
    std::vector<float> numbers(1024);
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i % 13);
    const OnDevice<float> x(&device, std::vector<float>(numbers.begin(), numbers.begin() + 256)),
        m(&device, numbers), y(&device, std::vector<float>(256)), s(&device, 256),
        tight(&device, std::vector<float>(20));
    const OnDevice<float> odd(&device, std::vector<float>(numbers.begin(), numbers.begin() + 18));
    OnDevice<float> freed(&device, std::vector<float>(256));
    if (has_bug) freed.free();
    std::vector<void*> pointers;
    int n = bug.parameters[0] == 'v' ? 18 : 20;
    std::vector<const void*> arguments;
    pointers.reserve(4);
    for (const char* p = bug.parameters; *p != '\0'; ++p) {
      if (*p == 'n') {
        arguments.push_back(&n);
        continue;
      }
      const OnDevice<float>& which = *p == 'x'                ? x
                                     : *p == 'y' || *p == 'z' ? y
                                     : *p == 's'              ? s
                                     : *p == 't'              ? tight
                                     : *p == 'v'              ? odd
                                     : *p == 'm'              ? m
                                                              : freed;
      pointers.push_back(which.get());
      arguments.push_back(&pointers.back());
    }
    cuda::Launch l;
    l.function = &module->function(bug.kernel);
    l.grid = {bug.blocks};
    l.block = {bug.threads};
    l.shared_bytes = bug.shared_bytes;
    l.arguments = const_cast<void* const*>(arguments.data());
    try {
      device.launch(l);
      device.synchronize(cuda::Stream{});
    } catch (const Error& error) {
      return {error.what(), {}};
    }
    return {"", y.values()};
  }

  static cuda::Image *good_, *bad_;
};

/// Where a line of bugs.cuh that begins so stands in a kernel, counted from 1.
int line_of(const std::string& kernel, const std::string& start) {
  const std::string text = kernel_text("bugs.cuh");
  const size_t begin = text.find("void " + kernel + "(");
  const size_t at = text.find("  " + start, begin);
  EXPECT_LT(at, text.find("\n}", begin)) << kernel << " has no line " << start;
  return 1 +
         static_cast<int>(std::count(text.begin(), text.begin() + static_cast<int64_t>(at), '\n'));
}

/// The lines that a report names. Which access came first is chance.
std::set<int> lines_named(const std::string& report) {
  static const std::string kWord = "at line ";
  std::set<int> lines;
  for (size_t at = report.find(kWord); at != std::string::npos; at = report.find(kWord, at + 1))
    lines.insert(std::stoi(report.substr(at + kWord.size())));
  return lines;
}

cuda::Image* Bugs::good_ = nullptr;
cuda::Image* Bugs::bad_ = nullptr;

TEST_P(Bugs, IsReportedAndItsGoodTwinIsNot) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Outcome good = run(*good_, GetParam(), false, seed);
    EXPECT_EQ(good.report, "") << "seed " << seed;
    const Outcome bad = run(*bad_, GetParam(), true, seed);
    if (*GetParam().report == '\0') {
      EXPECT_NE(bad.y, good.y) << "seed " << seed;
      continue;
    }
    EXPECT_NE(bad.report.find(GetParam().report), std::string::npos)
        << "seed " << seed << ": " << bad.report;
    EXPECT_NE(bad.report.find("line "), std::string::npos) << bad.report;
    if (GetParam().first == nullptr) continue;
    const std::set<int> lines = {line_of(GetParam().kernel, GetParam().first),
                                 line_of(GetParam().kernel, GetParam().second)};
    EXPECT_EQ(lines_named(bad.report), lines) << bad.report;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Bugs, ::testing::ValuesIn(kBugs),
                         [](const auto& info) { return std::string(info.param.kernel); });

}  // namespace
}  // namespace torchweld::virtual_gpu
