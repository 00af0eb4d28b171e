// A fault that is put into the text of a kernel's headers.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/cuda/nvrtc.h"
#include "kernels/cuda/skeleton_headers.h"

namespace torchweld {

/// A change of one place of a header.
struct TextFault {
  const char* what;
  std::string header, text, instead;
};

/// The headers that kernels are compiled with, with the fault in them. The test fails where its
/// place is gone. `changed` holds the text that they refer to.
inline std::vector<cuda::Header> headers_with(const TextFault& fault, std::string* changed) {
  std::vector<cuda::Header> headers = cuda::skeleton_headers();
  for (cuda::Header& header : headers) {
    if (header.name != fault.header) continue;
    *changed = header.text;
    const size_t at = changed->find(fault.text);
    EXPECT_NE(at, std::string::npos) << fault.what << ": " << fault.header << " has changed";
    if (at != std::string::npos) changed->replace(at, fault.text.size(), fault.instead);
    header.text = *changed;
  }
  return headers;
}

}  // namespace torchweld
