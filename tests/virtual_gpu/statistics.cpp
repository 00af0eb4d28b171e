#include "tests/virtual_gpu/statistics.h"

#include <algorithm>
#include <bit>

namespace torchweld::virtual_gpu {
namespace {

constexpr uint64_t kSector = 32;
constexpr int kBanks = 32;

template <class T>
int distinct(T* begin, int count) {
  std::sort(begin, begin + count);
  return static_cast<int>(std::unique(begin, begin + count) - begin);
}

}  // namespace

void Statistics::count_global(uint32_t active, const uint64_t* addresses, int bytes) {
  uint64_t touched[64], elements[32];
  int sectors_here = 0, lanes = 0;
  for (; active != 0; active &= active - 1) {
    const uint64_t at = addresses[std::countr_zero(active)];
    touched[sectors_here++] = at / kSector;
    if ((at + static_cast<uint64_t>(bytes) - 1) / kSector != at / kSector)
      touched[sectors_here++] = at / kSector + 1;
    elements[lanes++] = at;
  }
  if (lanes == 0) return;
  ++global_requests;
  sectors += distinct(touched, sectors_here);
  const uint64_t wanted =
      static_cast<uint64_t>(distinct(elements, lanes)) * static_cast<uint64_t>(bytes);
  ideal_sectors += static_cast<int64_t>((wanted + kSector - 1) / kSector);
}

/// Wide accesses go in two or four parts of the warp; in each, a bank serves one word at a time,
/// and lanes that want the same word share it.
void Statistics::count_shared(uint32_t active, const uint64_t* addresses, int bytes) {
  if (active == 0) return;
  ++shared_requests;
  const int part = bytes <= 4 ? 32 : bytes <= 8 ? 16 : 8;
  for (int first = 0; first < 32; first += part) {
    uint64_t words[64];
    int count = 0;
    for (int l = first; l < first + part; ++l) {
      if ((active >> l & 1) == 0) continue;
      for (int b = 0; b < bytes; b += 4)
        words[count++] = (addresses[l] + static_cast<uint64_t>(b)) / 4;
    }
    if (count == 0) continue;
    count = distinct(words, count);
    int in_bank[kBanks] = {}, most = 0;
    for (int k = 0; k < count; ++k) most = std::max(most, ++in_bank[words[k] % kBanks]);
    wavefronts += most;
    ++ideal_wavefronts;
  }
}

}  // namespace torchweld::virtual_gpu
