#include "kernels/cuda/cublaslt.h"

#include <cublasLt.h>
#include <fmt/format.h>

#include <map>
#include <mutex>
#include <tuple>

#include "kernels/cuda/shared_library.h"
#include "torchweld/error.h"

namespace torchweld::cuda {
namespace {

/// What cuBLAS itself takes on Hopper; older devices need less and get the same.
constexpr int64_t kWorkspaceBytes = int64_t{32} << 20;

#define TORCHWELD_CUBLASLT_FUNCTIONS(X) \
  X(Create)                             \
  X(GetVersion)                         \
  X(GetStatusString)                    \
  X(Matmul)                             \
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

const Library& library() {
  static const Library instance;
  return instance;
}

cudaDataType_t data_type(DType dtype) {
  switch (dtype) {
    case DType::kF64:
      return CUDA_R_64F;
    case DType::kF16:
      return CUDA_R_16F;
    case DType::kBF16:
      return CUDA_R_16BF;
    default:
      return CUDA_R_32F;
  }
}

cublasComputeType_t compute_type_of(DType dtype, bool allow_tf32) {
  if (dtype == DType::kF64) return CUBLAS_COMPUTE_64F;
  return dtype == DType::kF32 && allow_tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

/// A handle of cuBLASLt's that is destroyed with its owner.
template <class Handle>
class Owned {
 public:
  explicit Owned(cublasStatus_t (*destroy)(Handle)) : destroy_(destroy) {}
  ~Owned() {
    if (handle_ != nullptr) destroy_(handle_);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  Handle* slot() { return &handle_; }
  Handle get() const { return handle_; }

 private:
  cublasStatus_t (*destroy_)(Handle);
  Handle handle_ = nullptr;
};

/// Descriptors and the algorithm of one shape. Immutable once made, but for the bias pointer, which
/// is an attribute of the description: a copy of it is made for each run.
class Product {
 public:
  Product(cublasLtHandle_t handle, const BlasShape& shape, bool allow_tf32)
      : lt_(library()),
        shape_(shape),
        compute_(compute_type_of(shape.dtype, allow_tf32)),
        scale_(shape.dtype == DType::kF64 ? CUDA_R_64F : CUDA_R_32F),
        a_(lt_.MatrixLayoutDestroy),
        b_(lt_.MatrixLayoutDestroy),
        c_(lt_.MatrixLayoutDestroy),
        d_(lt_.MatrixLayoutDestroy) {
    const BlasShape& s = shape;
    layout(&a_, s.transpose_a ? s.k : s.m, s.transpose_a ? s.m : s.k, s.lda, s.batch_a);
    layout(&b_, s.transpose_b ? s.n : s.k, s.transpose_b ? s.k : s.n, s.ldb, s.batch_b);
    layout(&c_, s.m, s.n, s.beta == 0 ? s.ldd : s.ldc, s.beta == 0 ? s.batch_d : s.batch_c);
    layout(&d_, s.m, s.n, s.ldd, s.batch_d);
    choose(handle);
  }

  void run(cublasLtHandle_t handle, const BlasOperands& o, Stream stream) const {
    Owned<cublasLtMatmulDesc_t> description(lt_.MatmulDescDestroy);
    describe_to(&description, o.bias);
    const float alpha32 = static_cast<float>(shape_.alpha),
                beta32 = static_cast<float>(shape_.beta);
    const bool wide = shape_.dtype == DType::kF64;
    const void* alpha = wide ? static_cast<const void*>(&shape_.alpha) : &alpha32;
    const void* beta = wide ? static_cast<const void*>(&shape_.beta) : &beta32;
    const void* c = shape_.beta == 0 ? o.d : o.c;
    lt_.check(
        lt_.Matmul(handle, description.get(), alpha, o.a, a_.get(), o.b, b_.get(), beta, c,
                   c_.get(), o.d, d_.get(), &algorithm_, o.workspace,
                   static_cast<size_t>(kWorkspaceBytes), reinterpret_cast<cudaStream_t>(stream)),
        "multiply", &shape_);
  }

 private:
  void layout(Owned<cublasLtMatrixLayout_t>* out, int64_t rows, int64_t columns, int64_t ld,
              int64_t batch_stride) {
    lt_.check(
        lt_.MatrixLayoutCreate(out->slot(), data_type(shape_.dtype), static_cast<uint64_t>(rows),
                               static_cast<uint64_t>(columns), ld),
        "describe a matrix of", &shape_);
    if (shape_.batch == 1) return;
    const auto count = static_cast<int32_t>(shape_.batch);
    lt_.check(lt_.MatrixLayoutSetAttribute(out->get(), CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
                                           sizeof count),
              "describe a batch of", &shape_);
    lt_.check(lt_.MatrixLayoutSetAttribute(out->get(), CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                           &batch_stride, sizeof batch_stride),
              "describe a batch of", &shape_);
  }

  template <class T>
  void set(cublasLtMatmulDesc_t description, cublasLtMatmulDescAttributes_t which, T value) const {
    lt_.check(lt_.MatmulDescSetAttribute(description, which, &value, sizeof value), "describe",
              &shape_);
  }

  void describe_to(Owned<cublasLtMatmulDesc_t>* out, const void* bias) const {
    lt_.check(lt_.MatmulDescCreate(out->slot(), compute_, scale_), "describe", &shape_);
    const auto op = [](bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
    set(out->get(), CUBLASLT_MATMUL_DESC_TRANSA, op(shape_.transpose_a));
    set(out->get(), CUBLASLT_MATMUL_DESC_TRANSB, op(shape_.transpose_b));
    const bool relu = shape_.epilogue == Epilogue::kRelu;
    if (shape_.has_bias) {
      set(out->get(), CUBLASLT_MATMUL_DESC_EPILOGUE,
          relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS);
      set(out->get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    } else if (relu) {
      set(out->get(), CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_RELU);
    }
  }

  void choose(cublasLtHandle_t handle) {
    Owned<cublasLtMatmulDesc_t> description(lt_.MatmulDescDestroy);
    describe_to(&description, nullptr);
    Owned<cublasLtMatmulPreference_t> preference(lt_.MatmulPreferenceDestroy);
    lt_.check(lt_.MatmulPreferenceCreate(preference.slot()), "choose an algorithm for", &shape_);
    const auto bytes = static_cast<uint64_t>(kWorkspaceBytes);
    lt_.check(lt_.MatmulPreferenceSetAttribute(
                  preference.get(), CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes),
              "choose an algorithm for", &shape_);
    cublasLtMatmulHeuristicResult_t result{};
    int found = 0;
    lt_.check(lt_.MatmulAlgoGetHeuristic(handle, description.get(), a_.get(), b_.get(), c_.get(),
                                         d_.get(), preference.get(), 1, &result, &found),
              "choose an algorithm for", &shape_);
    if (found == 0) lt_.check(CUBLAS_STATUS_NOT_SUPPORTED, "multiply", &shape_);
    algorithm_ = result.algo;
  }

  const Library& lt_;
  BlasShape shape_;
  cublasComputeType_t compute_;
  cudaDataType_t scale_;
  Owned<cublasLtMatrixLayout_t> a_, b_, c_, d_;
  cublasLtMatmulAlgo_t algorithm_{};
};

class CublasLt final : public Blas {
 public:
  CublasLt() { library().check(library().Create(&handle_), "start"); }

  int64_t workspace_bytes() const override { return kWorkspaceBytes; }

  void run(const BlasShape& shape, const BlasOperands& operands, bool allow_tf32,
           Stream stream) override {
    product(shape, allow_tf32).run(handle_, operands, stream);
  }

  std::string description() const override {
    const size_t version = library().GetVersion();
    return fmt::format("cuBLASLt {}.{}", version / 10000, version % 10000 / 100);
  }

 private:
  const Product& product(const BlasShape& s, bool allow_tf32) {
    const Key key{s.dtype, s.m,           s.n,           s.k,        s.batch,    s.lda,     s.ldb,
                  s.ldc,   s.ldd,         s.batch_a,     s.batch_b,  s.batch_c,  s.batch_d, s.alpha,
                  s.beta,  s.transpose_a, s.transpose_b, s.has_bias, s.epilogue, allow_tf32};
    const std::scoped_lock lock(mutex_);
    std::unique_ptr<Product>& known = products_[key];
    if (known == nullptr) known = std::make_unique<Product>(handle_, s, allow_tf32);
    return *known;
  }

  using Key = std::tuple<DType, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
                         int64_t, int64_t, int64_t, int64_t, int64_t, double, double, bool, bool,
                         bool, Epilogue, bool>;
  cublasLtHandle_t handle_ = nullptr;
  std::mutex mutex_;
  std::map<Key, std::unique_ptr<Product>> products_;
};

}  // namespace

std::shared_ptr<Blas> make_cublaslt() { return std::make_shared<CublasLt>(); }

}  // namespace torchweld::cuda
