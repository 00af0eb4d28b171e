// Kernels on disk: found again, dropped when damaged, shared by many, and no more than allowed.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "tests/kernels/cuda/cases.h"
#include "tests/kernels/cuda/device.h"
#include "tests/virtual_gpu/kept_sources.h"

namespace torchweld {
namespace {

namespace fs = std::filesystem;

Case scaled(double factor) {
  CaseBuilder b("scaled", {100});
  const int16_t x = b.load(DType::kF32);
  b.store(b.body().emit(Prim::kMul, DType::kF32, x, b.body().constant(DType::kF32, factor)),
          DType::kF32);
  return b.finish();
}

std::shared_ptr<cuda::CudaBackend> backend_on(const fs::path& folder, int64_t limit = 1 << 28) {
  cuda::CacheOptions options;
  options.folder = folder;
  options.limit_bytes = limit;
  return virtual_gpu::with_kept_sources(cuda::make_backend(make_virtual_device(), options));
}

/// Compiles on a new back end and checks the result; what it had to do for it.
cuda::CompilerCounts used(const fs::path& folder, const Case& c) {
  const auto backend = backend_on(folder);
  std::string why;
  const auto kernel = backend->compile(c.spec, c.geometry, &why);
  EXPECT_EQ(difference(c, *kernel, backend->compiler()->device()), "");
  const KernelListing listing = kernel->listing();
  EXPECT_NE(listing.source.find("pointwise"), std::string::npos);
  EXPECT_NE(listing.assembly.find(".entry scaled"), std::string::npos);
  EXPECT_GT(listing.registers, 0);
  EXPECT_GT(kernel->code_bytes(), 1000);
  return backend->compiler()->counts();
}

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  return files;
}

TEST(CudaDiskCache, ASecondBackEndCompilesNothing) {
  const TemporaryFolder folder;
  const cuda::CompilerCounts first = used(folder.path(), scaled(2));
  EXPECT_EQ(first.compiled, 1);
  EXPECT_EQ(first.from_disk, 0);
  const cuda::CompilerCounts second = used(folder.path(), scaled(2));
  EXPECT_EQ(second.compiled, 0);
  EXPECT_EQ(second.from_disk, 1);
  EXPECT_EQ(used(folder.path(), scaled(3)).compiled, 1);
}

TEST(CudaDiskCache, AnotherArchitectureIsAnotherKernel) {
  const TemporaryFolder folder;
  used(folder.path(), scaled(2));
  cuda::CacheOptions options;
  options.folder = folder.path();
  const auto backend =
      virtual_gpu::with_kept_sources(cuda::make_backend(make_virtual_device(80), options));
  const Case c = scaled(2);
  std::string why;
  backend->compile(c.spec, c.geometry, &why);
  EXPECT_EQ(backend->compiler()->counts().compiled, 1);
}

TEST(CudaDiskCache, DamagedEntriesAreDropped) {
  const TemporaryFolder folder;
  used(folder.path(), scaled(2));
  const fs::path file = files_in(folder.path()).at(0);
  const auto damage = [&](const std::function<void(std::string*)>& change) {
    std::ifstream in(file, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), {}};
    change(&bytes);
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
    EXPECT_EQ(used(folder.path(), scaled(2)).compiled, 1);  // again
    EXPECT_EQ(used(folder.path(), scaled(2)).from_disk, 1);
  };
  damage([](std::string* bytes) { bytes->clear(); });
  damage([](std::string* bytes) { bytes->resize(bytes->size() / 2); });
  damage([](std::string* bytes) { (*bytes)[0] ^= 1; });
  damage([](std::string* bytes) { (*bytes)[bytes->size() - 20] ^= 64; });
  damage([](std::string* bytes) { bytes->append("more"); });
}

// A sound entry that is no program: another kind's, or another version's.
TEST(CudaDiskCache, OnlyProgramsAreTakenForPrograms) {
  cuda::Program program;
  program.image = {"cubin", "ptx"};
  program.kernels = {{"entry", {32, 1, 2, 3}}};
  const std::string bytes = cuda::packed(program);
  ASSERT_TRUE(cuda::unpacked(bytes).has_value());
  EXPECT_EQ(cuda::unpacked(bytes)->kernels[0].second.registers, 32);
  for (size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(cuda::unpacked(bytes.substr(0, length)).has_value()) << length;
  EXPECT_FALSE(cuda::unpacked(bytes + "more").has_value());
}

TEST(CudaDiskCache, AFolderThatCannotBeMadeIsNoError) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "file") << "no folder";
  EXPECT_EQ(used(folder.path() / "file" / "below", scaled(2)).compiled, 1);
}

TEST(CudaDiskCache, TheLeastRecentlyUsedGoFirst) {
  const TemporaryFolder folder;
  cuda::CacheOptions options;
  options.folder = folder.path();
  options.limit_bytes = 3500;
  const cuda::DiskCache cache(options);
  const std::string payload(1000, 'p');
  const auto age = [&](const std::string& key, int hours) {
    const fs::path path = folder.path() / (key + ".entry");
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(hours));
  };
  for (const char* key : {"a", "b", "c"}) cache.keep(key, payload);
  age("a", 3), age("b", 2), age("c", 1);
  EXPECT_TRUE(cache.find("a").has_value());  // and is the most recent now
  cache.keep("d", payload);
  EXPECT_TRUE(cache.find("a").has_value());
  EXPECT_FALSE(cache.find("b").has_value());
  EXPECT_TRUE(cache.find("c").has_value());
  EXPECT_TRUE(cache.find("d").has_value());
}

TEST(CudaDiskCache, ThreadsShareABackEnd) {
  const TemporaryFolder folder;
  const auto backend = backend_on(folder.path());
  std::vector<Case> cases;
  for (int i = 0; i < 6; ++i) cases.push_back(scaled(i % 3));
  std::vector<KernelRequest> requests;
  for (const Case& c : cases) requests.push_back({&c.spec, &c.geometry});
  const auto kernels = backend->compile_all(requests);
  EXPECT_EQ(backend->compiler()->counts().compiled, 3);
  for (size_t i = 0; i < kernels.size(); ++i) {
    EXPECT_EQ(kernels[i], kernels[i % 3]);
    EXPECT_EQ(difference(cases[i], *kernels[i], backend->compiler()->device()), "");
  }
}

// Writers and readers of the same entries at once: each sees a whole entry or none.
TEST(CudaDiskCache, ProcessesShareAFolder) {
  const TemporaryFolder folder;
  cuda::CacheOptions options;
  options.folder = folder.path();
  options.limit_bytes = 40000;
  const auto work = [&](char who) {
    const cuda::DiskCache cache(options);
    for (int i = 0; i < 300; ++i) {
      const std::string key(1, static_cast<char>('a' + i % 8));
      cache.keep(key, std::string(static_cast<size_t>(1000 + i * 10), who));
      const auto found = cache.find(key);
      if (found && found->find_first_not_of(found->front()) != std::string::npos) return 1;
    }
    return 0;
  };
  std::vector<pid_t> children;
  for (const char who : {'x', 'y', 'z'}) {
    const pid_t child = fork();
    if (child == 0) _exit(work(who));
    children.push_back(child);
  }
  EXPECT_EQ(work('w'), 0);
  for (const pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  for (const fs::path& file : files_in(folder.path())) EXPECT_EQ(file.extension(), ".entry");
}

}  // namespace
}  // namespace torchweld
