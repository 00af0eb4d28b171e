// The virtual device: the order of its streams, what it refuses, what it counts.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <set>

#include "tests/virtual_gpu/compiled.h"
#include "tests/virtual_gpu/ptx.h"
#include "torchweld/error.h"

namespace torchweld::virtual_gpu {
namespace {

const cuda::Image& image() {
  static const cuda::Image one = compiled("device.cuh");
  return one;
}

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Device, ArgumentsArePackedAsTheHostPacksThem) {
  VirtualDevice device;
  const auto module = device.load(image());
  const OnDevice<float> y(&device, 1);
  struct Triple {
    char a;
    int b;
    double c;
  };
  launch(&device, module.get(), "packed", {1}, {1}, 0, static_cast<signed char>(1), 2.5,
         static_cast<short>(-3), Triple{4, 5, 6.25}, y.get());
  device.synchronize(cuda::Stream{});
  EXPECT_EQ(y.values()[0], 1 + 2.5f - 3 + 4 + 5 + 6.25f);
}

/// What a stream copies of another's work, with and without waiting for it.
std::set<float> seen_by_another_stream(bool waits) {
  std::set<float> seen;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    VirtualDevice device(seed);
    const cuda::Stream first = device.make_stream(), second = device.make_stream();
    const cuda::Event event = device.make_event();
    const OnDevice<float> x(&device, std::vector<float>{1});
    float out = -1;
    const float two = 2;
    device.copy(x.get(), &two, 4, first);
    device.record(event, first);
    if (waits) device.wait(second, event);
    device.copy(&out, x.get(), 4, second);
    device.synchronize(second);
    device.synchronize(first);
    seen.insert(out);
  }
  return seen;
}

TEST(Device, AMissingWaitShowsUnderSomeOrder) {
  EXPECT_EQ(seen_by_another_stream(true), std::set<float>{2});
  EXPECT_EQ(seen_by_another_stream(false), (std::set<float>{1, 2}));
}

TEST(Device, WorkOfOneStreamKeepsItsOrder) {
  VirtualDevice device(9);
  const auto module = device.load(image());
  const OnDevice<float> y(&device, std::vector<float>(40));
  for (int k = 0; k < 5; ++k) launch(&device, module.get(), "add_one", {2}, {32}, 0, y.get(), 40);
  bool ran = false;
  device.host_work(nullptr, [&] { ran = true; });
  EXPECT_EQ(y.values()[39], 0) << "nothing runs before somebody waits";
  device.synchronize(cuda::Stream{});
  EXPECT_TRUE(ran);
  EXPECT_EQ(y.values(), std::vector<float>(40, 5));
}

TEST(Device, EventsTellTime) {
  VirtualDevice device;
  const auto module = device.load(image());
  const OnDevice<float> y(&device, std::vector<float>(4096));
  const cuda::Event before = device.make_event(), after = device.make_event();
  device.record(before, nullptr);
  launch(&device, module.get(), "add_one", {64}, {64}, 0, y.get(), 4096);
  device.record(after, nullptr);
  device.synchronize(after);
  EXPECT_GT(device.elapsed_us(before, after), 0.5);
}

TEST(Device, RefusesWhatHardwareRefuses) {
  VirtualDevice device;
  const auto module = device.load(image());
  const OnDevice<float> y(&device, std::vector<float>(2048));
  const auto error = [&](const char* name, cuda::Dim3 grid, cuda::Dim3 block, int64_t shared) {
    return error_of([&] { launch(&device, module.get(), name, grid, block, shared, y.get(), 1); });
  };
  EXPECT_NE(error("add_one", {0}, {32}, 0).find("empty grid"), std::string::npos);
  EXPECT_NE(error("add_one", {1, 65536}, {32}, 0).find("65535"), std::string::npos);
  EXPECT_NE(error("add_one", {1}, {1025}, 0).find("1025 threads"), std::string::npos);
  EXPECT_NE(error("add_one", {1}, {1, 1, 65}, 0).find("threads"), std::string::npos);
  EXPECT_NE(error("at_most_64", {1}, {96}, 0).find("compiled for 64"), std::string::npos);
  EXPECT_NE(error("add_one", {1}, {32}, 1 << 20).find("shared memory"), std::string::npos);
  EXPECT_EQ(error("add_one", {1}, {32}, 200 << 10), "");
  EXPECT_NE(error_of([&] { module->function("nothing"); }).find("no kernel nothing"),
            std::string::npos);
  EXPECT_NE(error_of([&] { device.release(&device); }).find("never gave"), std::string::npos);
}

TEST(Device, FailsWhenItIsTold) {
  VirtualDevice device;
  device.fail_after(1);
  void* first = device.allocate(4);
  EXPECT_NE(error_of([&] { device.allocate(4); }).find("as it was told"), std::string::npos);
  device.release(first);
  EXPECT_EQ(error_of([&] { device.release(device.allocate(4)); }), "");
}

TEST(Device, OutOfMemoryIsItsOwnError) {
  VirtualDevice device;
  try {
    device.allocate(int64_t{1} << 50);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kOutOfMemory);
  }
}

TEST(Device, MemoryIsFullOfNaN) {
  VirtualDevice device;
  const OnDevice<float> y(&device, 100);
  for (const float value : y.values()) EXPECT_TRUE(std::isnan(value));
}

// So a kernel that walks off one does not land in the other, where it would go unnoticed.
TEST(Device, AllocationsDoNotTouch) {
  VirtualDevice device;
  for (const int64_t bytes : {1, 256, 4096}) {
    char* const first = static_cast<char*>(device.allocate(bytes));
    char* const second = static_cast<char*>(device.allocate(bytes));
    EXPECT_GT(std::abs(second - first), bytes + 4000);
    device.release(first);
    device.release(second);
  }
}

TEST(Device, WorkThatFailsWhileMemoryIsFreedIsReportedAfterwards) {
  VirtualDevice device;
  const auto module = device.load(image());
  void* const y = device.allocate(4);
  launch(&device, module.get(), "add_one", {1}, {32}, 0, y, 8);
  device.release(y);
  EXPECT_THROW(device.synchronize(cuda::Stream{}), Error);
  device.synchronize(cuda::Stream{});
}

TEST(Device, CollectsReportsWhenAsked) {
  VirtualDevice device;
  device.collect_reports();
  const auto module = device.load(image());
  const OnDevice<float> y(&device, 4);
  launch(&device, module.get(), "add_one", {1}, {32}, 0, y.get(), 8);
  device.synchronize(cuda::Stream{});
  ASSERT_GE(device.reports().size(), 2u);
  EXPECT_NE(device.reports()[0].find("uninitialised"), std::string::npos);
  EXPECT_NE(device.reports().back().find("out of bounds"), std::string::npos);
}

/// Sectors a request, against the ideal, of reads with a stride.
double sector_ratio(int stride) {
  VirtualDevice device;
  const auto module = device.load(image());
  const OnDevice<float> x(&device, std::vector<float>(256 * 32)), y(&device, 256);
  launch(&device, module.get(), "copy_strided", {1}, {256}, 0, x.get(), y.get(), stride);
  device.synchronize(cuda::Stream{});
  const Statistics s = device.statistics().at("copy_strided");
  EXPECT_EQ(s.launches, 1);
  EXPECT_EQ(s.global_requests, 16);
  return static_cast<double>(s.sectors) / static_cast<double>(s.ideal_sectors);
}

TEST(Device, CountsSectors) {
  EXPECT_EQ(sector_ratio(1), 1);
  EXPECT_EQ(sector_ratio(2), 1.5);
  EXPECT_EQ(sector_ratio(32), 4.5);
}

double bank_ratio(int pitch) {
  VirtualDevice device;
  const auto module = device.load(image());
  const OnDevice<float> y(&device, 32);
  launch(&device, module.get(), "read_columns", {1}, {32}, 0, y.get(), pitch);
  device.synchronize(cuda::Stream{});
  const Statistics s = device.statistics().at("read_columns");
  return static_cast<double>(s.wavefronts) / static_cast<double>(s.ideal_wavefronts);
}

TEST(Device, CountsBankConflicts) {
  EXPECT_EQ(bank_ratio(33), 1);
  EXPECT_GT(bank_ratio(32), 10);
}

TEST(Ptx, UnknownInstructionsAreErrorsWithTheirLine) {
  const std::string head =
      ".version 9.0\n.target sm_90\n.address_size 64\n.visible .entry k()\n{\n";
  EXPECT_EQ(error_of([&] { parse_ptx(head + "ret;\n}\n"); }), "");
  const std::string unknown = error_of([&] { parse_ptx(head + "wgmma.fence.sync;\nret;\n}\n"); });
  EXPECT_NE(unknown.find("PTX line 6"), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("wgmma.fence.sync"), std::string::npos) << unknown;
  EXPECT_NE(error_of([&] { parse_ptx(head + "bra nowhere;\n}\n"); }).find("no label nowhere"),
            std::string::npos);
  EXPECT_NE(error_of([&] { parse_ptx(".tex .u32 t;\n"); }).find("'.tex'"), std::string::npos);
  EXPECT_NE(error_of([&] { parse_ptx(head + "add.u32 %r1, ;\n}\n"); }), "");
}

}  // namespace
}  // namespace torchweld::virtual_gpu
