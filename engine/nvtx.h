// Ranges that nsys shows. Without a profiler attached a range costs a pointer test.
#pragma once

#include <nvtx3/nvToolsExt.h>

namespace torchweld {

class NvtxRange {
 public:
  explicit NvtxRange(const char* name) { nvtxRangePushA(name); }
  ~NvtxRange() { nvtxRangePop(); }
  NvtxRange(const NvtxRange&) = delete;
  NvtxRange& operator=(const NvtxRange&) = delete;
};

}  // namespace torchweld
