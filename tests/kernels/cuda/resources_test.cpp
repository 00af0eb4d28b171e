// What each skeleton takes of the machine, against the committed resources.tsv: registers, shared
// memory, sectors of DRAM and passes over shared memory. Nothing may get worse unnoticed; what gets
// better is written there by hand, from what this test prints.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "kernels/cuda/attention.h"
#include "kernels/cuda/suppression.h"
#include "tests/kernels/cuda/cases.h"
#include "tests/kernels/cuda/device.h"
#include "tests/kernels/cuda/operator_calls.h"

namespace torchweld {
namespace {

/// One line of the table. The ratios are to the least possible.
struct Row {
  int registers = 0;
  int64_t shared_bytes = 0;
  double sectors = 1, wavefronts = 1;
  std::string why = {};  ///< where a ratio is above the limits
};

constexpr double kMostSectors = 1.1, kMostWavefronts = 1.05;

std::map<std::string, Row> committed() {
  std::map<std::string, Row> rows;
  std::ifstream file(TORCHWELD_CUDA_RESOURCES);
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string name;
    Row row;
    words >> name >> row.registers >> row.shared_bytes >> row.sectors >> row.wavefronts;
    std::getline(words >> std::ws, row.why);
    rows[name] = row;
  }
  return rows;
}

double ratio(int64_t is, int64_t ideal) {
  return ideal == 0 ? 1 : static_cast<double>(is) / static_cast<double>(ideal);
}

Row measured(const Case& c) {
  std::string why;
  const auto kernel = shared_backend().compile(c.spec, c.geometry, &why);
  EXPECT_NE(kernel, nullptr) << why;
  take_traffic(shared_device());
  EXPECT_EQ(difference(c, *kernel, shared_device()), "");
  const Traffic traffic = take_traffic(shared_device());
  const KernelListing listing = kernel->listing();
  EXPECT_EQ(listing.spill_bytes, 0) << c.name;
  return {listing.registers, listing.shared_bytes, ratio(traffic.sectors, traffic.ideal_sectors),
          ratio(traffic.wavefronts, traffic.ideal_wavefronts)};
}

Row measured_attention(DType dtype) {
  constexpr int64_t kRows = 64, kHead = 64;
  const AttentionShape shape = {dtype,
                                1,
                                1,
                                1,
                                kRows,
                                kRows,
                                kHead,
                                false,
                                DType::kOther,
                                0.125f,
                                {0, 0, kHead},
                                {0, 0, kHead},
                                {0, 0, kHead},
                                {0, 0, kHead}};
  cuda::Attention attention(shared_backend().compiler());
  cuda::Device& device = shared_device();
  const int64_t bytes = kRows * kHead * size_of(dtype);
  std::vector<void*> memory;
  const std::vector<uint8_t> values = case_values(dtype, kRows * kHead, 2, false);
  for (int i = 0; i < 4; ++i) {
    memory.push_back(device.allocate(bytes));
    device.copy(memory.back(), values.data(), bytes, nullptr);
  }
  take_traffic(device);
  attention.launch(shape, {memory[0], memory[1], memory[2], nullptr, memory[3]}, {});
  device.synchronize(cuda::Stream{});
  const Traffic traffic = take_traffic(device);
  for (void* m : memory) device.release(m);
  const KernelListing listing = attention.listing(shape);
  EXPECT_EQ(listing.spill_bytes, 0);
  return {listing.registers, listing.shared_bytes, ratio(traffic.sectors, traffic.ideal_sectors),
          ratio(traffic.wavefronts, traffic.ideal_wavefronts)};
}

/// Of a call whose program may have several kernels: the most that one of them takes.
Row measured(const OperatorCall& call) {
  const std::shared_ptr<cuda::Compiler>& compiler = shared_backend().compiler();
  take_traffic(shared_device());
  call.run(compiler);
  const Traffic traffic = take_traffic(shared_device());
  Row row;
  row.sectors = ratio(traffic.sectors, traffic.ideal_sectors);
  row.wavefronts = ratio(traffic.wavefronts, traffic.ideal_wavefronts);
  for (const auto& [entry, resources] : compiler->program_of(call.source).kernels) {
    EXPECT_EQ(resources.spill_bytes, 0) << entry;
    row.registers = std::max(row.registers, resources.registers);
    row.shared_bytes = std::max(row.shared_bytes, resources.shared_bytes);
  }
  return row;
}

std::vector<OperatorCall> operator_calls(DType dtype) {
  std::vector<OperatorCall> calls;
  for (const BagMode mode : {BagMode::kSum, BagMode::kMean, BagMode::kMax})
    calls.push_back(embedding_bag_call(mode, dtype, 32, false));
  if (!cuda::Suppression::accepts(dtype)) return calls;
  for (const RegionMode mode : {RegionMode::kAlign, RegionMode::kPool})
    calls.push_back(region_call(mode, dtype, 32, true));
  calls.push_back(suppression_call(dtype, 512, 512));
  return calls;
}

void judge(const std::string& name, const Row& now, const std::map<std::string, Row>& table) {
  const std::string line = fmt::format("{}\t{}\t{}\t{:.3f}\t{:.3f}", name, now.registers,
                                       now.shared_bytes, now.sectors, now.wavefronts);
  const auto it = table.find(name);
  if (it == table.end()) {
    ADD_FAILURE() << "not in resources.tsv: " << line;
    return;
  }
  const Row& before = it->second;
  constexpr double kRounding = 0.0006;  // the table has three digits
  EXPECT_TRUE(now.registers <= before.registers && now.shared_bytes <= before.shared_bytes &&
              now.sectors <= before.sectors + kRounding &&
              now.wavefronts <= before.wavefronts + kRounding)
      << "worse than resources.tsv says: " << line;
  EXPECT_TRUE((now.sectors <= kMostSectors && now.wavefronts <= kMostWavefronts) ||
              !before.why.empty())
      << "resources.tsv does not say why: " << line;
}

class CudaResources : public testing::TestWithParam<DType> {};

TEST_P(CudaResources, AreNoWorseThanTheTable) {
  const std::map<std::string, Row> table = committed();
  const std::vector<Case> cases = contiguous_cases(GetParam());
  std::vector<KernelRequest> requests;
  for (const Case& c : cases) requests.push_back({&c.spec, &c.geometry});
  shared_backend().compile_all(requests);  // side by side; what follows finds them
  for (const Case& c : cases)
    judge(fmt::format("{}_{}", c.spec.name, name_of(GetParam())), measured(c), table);
  if (GetParam() != DType::kF64)
    judge(fmt::format("attention_{}", name_of(GetParam())), measured_attention(GetParam()), table);
  for (const OperatorCall& call : operator_calls(GetParam()))
    judge(call.name, measured(call), table);
}

INSTANTIATE_TEST_SUITE_P(DTypes, CudaResources,
                         testing::Values(DType::kF32, DType::kF16, DType::kBF16, DType::kF64),
                         [](const auto& param) { return std::string(name_of(param.param)); });

}  // namespace
}  // namespace torchweld
