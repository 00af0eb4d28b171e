// cuBLASLt's functions, bound when they are first asked for, and owners of its handles.
#pragma once

#include <cublasLt.h>
#include <fmt/format.h>

#include <utility>

#include "kernels/cuda/blas.h"
#include "kernels/cuda/shared_library.h"
#include "torchweld/error.h"

namespace torchweld::cuda::cublaslt {

#define TORCHWELD_CUBLASLT_FUNCTIONS(X) \
  X(Create)                             \
  X(GetVersion)                         \
  X(GetStatusString)                    \
  X(Matmul)                             \
  X(MatmulAlgoCheck)                    \
  X(MatmulAlgoGetHeuristic)             \
  X(MatmulDescCreate)                   \
  X(MatmulDescDestroy)                  \
  X(MatmulDescSetAttribute)             \
  X(MatrixLayoutCreate)                 \
  X(MatrixLayoutDestroy)                \
  X(MatrixLayoutSetAttribute)           \
  X(MatmulPreferenceCreate)             \
  X(MatmulPreferenceDestroy)            \
  X(MatmulPreferenceSetAttribute)

/// Throws  Error kDevice when cuBLASLt is missing, once: at the first library().
struct Library {
  Library() : library({"libcublasLt.so.13", "libcublasLt.so"}) {
#define X(name) library.bind(&name, "cublasLt" #name);
    TORCHWELD_CUBLASLT_FUNCTIONS(X)
#undef X
  }

  void check(cublasStatus_t status, const char* what, const BlasShape* shape = nullptr) const {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    throw Error(ErrorCode::kDevice, fmt::format("cuBLASLt can't {}{}: {}", what,
                                                shape == nullptr ? "" : " " + describe(*shape),
                                                GetStatusString(status)));
  }

  SharedLibrary library;
#define X(name) decltype(::cublasLt##name)* name = nullptr;
  TORCHWELD_CUBLASLT_FUNCTIONS(X)
#undef X
};

const Library& library();

/// A handle of cuBLASLt's that is destroyed with its owner.
template <class Handle>
class Owned {
 public:
  explicit Owned(cublasStatus_t (*destroy)(Handle)) : destroy_(destroy) {}
  ~Owned() {
    if (handle_ != nullptr) destroy_(handle_);
  }
  Owned(Owned&& other) noexcept
      : destroy_(other.destroy_), handle_(std::exchange(other.handle_, nullptr)) {}
  Owned& operator=(Owned&&) = delete;
  Handle* slot() { return &handle_; }
  Handle get() const { return handle_; }

 private:
  cublasStatus_t (*destroy_)(Handle);
  Handle handle_ = nullptr;
};

}  // namespace torchweld::cuda::cublaslt
