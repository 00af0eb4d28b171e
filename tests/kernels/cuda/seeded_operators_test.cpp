// Faults put into the text of kernels that are not made from specs, one at a time, as
// seeded_faults_test.cpp does with the skeletons: each has to be reported by the virtual GPU or to
// change the result.
#include <gtest/gtest.h>

#include "kernels/cuda/nvrtc.h"
#include "kernels/cuda/skeleton_headers.h"
#include "tests/kernels/cuda/operator_calls.h"
#include "tests/kernels/cuda/text_fault.h"
#include "tests/virtual_gpu/virtual_device.h"
#include "torchweld/error.h"

namespace torchweld {
namespace {

/// A fault, and the call that shows it.
struct Fault : TextFault {
  OperatorCall call;
};

std::vector<Fault> region_faults() {
  const OperatorCall align = region_call(RegionMode::kAlign, DType::kF32, 9, false);
  const OperatorCall pool = region_call(RegionMode::kPool, DType::kF32, 9, false);
  const std::string header = "regions.cuh";
  return {
      {"a cell too many", header, "if (index >= a.cells) return;", "if (index > a.cells) return;",
       align},
      {"images that are taken for dense ones", header,
       "y * a.image_strides[2] + x * a.image_strides[3]", "y * a.width + x", align},
      {"channels a pixel apart", header, "channel * a.image_strides[1]", "channel",
       region_call(RegionMode::kAlign, DType::kF32, 9, true)},
      {"regions that are taken for dense ones", header,
       "region * a.region_strides[0] + which * a.region_strides[1]", "region * 5 + which", align},
      {"rows of cells that are as long as columns", header, "cell / a.out_width % a.out_height",
       "cell / a.out_height % a.out_height", align},
      {"samples beyond the image", header, "at.value > size;", "at.value > 2 * size;", align},
      {"pixels before the image", header, "place < 0 ? 0 : ", "", pool},
      {"pixels after the image", header, "place < size ? place : size", "place", pool},
      {"a column of a cell too few", header, "x < columns.end", "x < columns.end - 1", pool},
      {"places in rows that are as long as columns", header, "place = y * a.width + x",
       "place = y * a.height + x", pool},
  };
}

std::vector<Fault> suppression_faults() {
  const OperatorCall call = suppression_call(DType::kF32, 330, 128);
  const std::string header = "suppression.cuh";
  return {
      {"no barrier before boxes are compared", header,
       "Box<T>::load(a.boxes, other + threadIdx.x);\n  __syncthreads();\n",
       "Box<T>::load(a.boxes, other + threadIdx.x);\n", call},
      {"a box too many", header, "if (other + threadIdx.x < a.count)",
       "if (other + threadIdx.x <= a.count)", call},
      {"a row too many", header, "if (row >= a.strip) return;", "if (row > a.strip) return;", call},
      {"no pairs within a word", header, "blockIdx.x < blockIdx.y", "blockIdx.x <= blockIdx.y",
       call},
      {"a mask of another strip's length", header, "a.mask[row * a.words + word] = bits;",
       "a.mask[row * (a.words - 1) + word] = bits;", call},
      {"no barrier before the diagonal is read", header,
       "a.mask[mine * a.words + word];\n    __syncthreads();\n", "a.mask[mine * a.words + word];\n",
       call},
      {"no barrier before who stays is read", header,
       "stays = kept;\n    }\n    __syncthreads();\n", "stays = kept;\n    }\n", call},
      {"a box of a word too few", header, "for (int b = 0; b < boxes; ++b) {\n        if (gone",
       "for (int b = 0; b < boxes - 1; ++b) {\n        if (gone", call},
      {"words that nobody drops from", header, "w = word + 1 + threadIdx.x",
       "w = word + 2 + threadIdx.x", call},
  };
}

std::vector<Fault> bag_faults() {
  const OperatorCall call = embedding_bag_call(BagMode::kMean, DType::kF32, 9, true);
  const std::string header = "embedding_bag.cuh";
  return {
      {"a row of the next bag", header, "i < end; ++i", "i <= end; ++i", call},
      {"a row too many of the table", header, "row >= a.rows", "row > a.rows", call},
      {"rows that are taken for dense ones", header, "row * a.row_stride + column",
       "row * a.columns + column", call},
      {"bags as far apart as rows", header, "bag * a.columns + column",
       "bag * a.row_stride + column", call},
      {"indices past their end", header, "next < a.index_count ? next : a.index_count", "next",
       call},
      {"no column but the first of each vector", header, "x[k] : y[k]", "x[0] : y[k]",
       embedding_bag_call(BagMode::kMax, DType::kF16, 9, true)},
  };
}

std::vector<Fault> faults() {
  std::vector<Fault> all = region_faults();
  for (const auto& more : {suppression_faults(), bag_faults()})
    all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// Runs another program than the one it is given.
class FaultyDevice final : public virtual_gpu::VirtualDevice {
 public:
  explicit FaultyDevice(cuda::Image image) : image_(std::move(image)) {}
  std::shared_ptr<cuda::Module> load(const cuda::Image&) override {
    return VirtualDevice::load(image_);
  }

 private:
  cuda::Image image_;
};

cuda::Image compiled(const Fault& fault, bool seeded) {
  cuda::CompileRequest request{"seeded.cu", fault.call.source.text, cuda::skeleton_headers()};
  request.ptx_alone = true;
  std::string changed;
  if (seeded) request.headers = headers_with(fault, &changed);
  return cuda::compile(request).image;
}

struct Outcome {
  std::string report;
  std::vector<uint8_t> result;
};

Outcome outcome(const Fault& fault, bool seeded) {
  const auto device = std::make_shared<FaultyDevice>(compiled(fault, seeded));
  device->set_jitter(false);  // results are compared bit by bit
  cuda::CacheOptions options;
  options.on_disk = false;
  try {
    return {"", fault.call.run(std::make_shared<cuda::Compiler>(device, options))};
  } catch (const Error& report) {
    return {report.what(), {}};
  }
}

class CudaSeededOperator : public ::testing::TestWithParam<size_t> {};

TEST_P(CudaSeededOperator, IsFound) {
  static const std::vector<Fault> all = faults();
  const Fault& fault = all[GetParam()];
  const Outcome good = outcome(fault, false), bad = outcome(fault, true);
  EXPECT_EQ(good.report, "") << fault.what;
  EXPECT_TRUE(!bad.report.empty() || bad.result != good.result) << fault.what << " was not found";
}

INSTANTIATE_TEST_SUITE_P(All, CudaSeededOperator, ::testing::Range(size_t{0}, faults().size()));

}  // namespace
}  // namespace torchweld
