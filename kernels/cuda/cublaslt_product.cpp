#include "kernels/cuda/cublaslt_product.h"

namespace torchweld::cuda::cublaslt {
namespace {

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

/// The library adds the bias to alpha A B + beta C, and the activation comes last.
cublasLtEpilogue_t epilogue_of(const BlasShape& s) {
  switch (s.epilogue) {
    case Epilogue::kRelu:
      return s.has_bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
    case Epilogue::kGelu:
      return s.has_bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
    case Epilogue::kNone:
      break;
  }
  return s.has_bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
}

}  // namespace

const Library& library() {
  static const Library instance;
  return instance;
}

Product::Product(const BlasRequest& request)
    : lt_(library()),
      shape_(request.shape),
      alignment_(static_cast<uint32_t>(request.alignment)),
      compute_(compute_type_of(request.shape.dtype, request.allow_tf32)),
      scale_(request.shape.dtype == DType::kF64 ? CUDA_R_64F : CUDA_R_32F),
      a_(lt_.MatrixLayoutDestroy),
      b_(lt_.MatrixLayoutDestroy),
      c_(lt_.MatrixLayoutDestroy),
      d_(lt_.MatrixLayoutDestroy) {
  const BlasShape& s = shape_;
  layout(&a_, s.transpose_a ? s.k : s.m, s.transpose_a ? s.m : s.k, s.lda, s.batch_a);
  layout(&b_, s.transpose_b ? s.n : s.k, s.transpose_b ? s.k : s.n, s.ldb, s.batch_b);
  layout(&c_, s.m, s.n, s.beta == 0 ? s.ldd : s.ldc, s.beta == 0 ? s.batch_d : s.batch_c);
  layout(&d_, s.m, s.n, s.ldd, s.batch_d);
}

std::vector<cublasLtMatmulAlgo_t> Product::candidates(cublasLtHandle_t handle, int most) const {
  Owned<cublasLtMatmulDesc_t> description(lt_.MatmulDescDestroy);
  describe_to(&description, nullptr);
  Owned<cublasLtMatmulPreference_t> preference(lt_.MatmulPreferenceDestroy);
  prefer(&preference);
  std::vector<cublasLtMatmulHeuristicResult_t> results(static_cast<size_t>(most));
  int found = 0;
  lt_.check(lt_.MatmulAlgoGetHeuristic(handle, description.get(), a_.get(), b_.get(), c_.get(),
                                       d_.get(), preference.get(), most, results.data(), &found),
            "choose an algorithm for", &shape_);
  std::vector<cublasLtMatmulAlgo_t> algorithms;
  for (int i = 0; i < found; ++i) {
    const auto& result = results[static_cast<size_t>(i)];
    if (result.state == CUBLAS_STATUS_SUCCESS) algorithms.push_back(result.algo);
  }
  if (algorithms.empty()) lt_.check(CUBLAS_STATUS_NOT_SUPPORTED, "multiply", &shape_);
  return algorithms;
}

bool Product::takes(cublasLtHandle_t handle, const cublasLtMatmulAlgo_t& algorithm) const {
  Owned<cublasLtMatmulDesc_t> description(lt_.MatmulDescDestroy);
  describe_to(&description, nullptr);
  cublasLtMatmulHeuristicResult_t result{};
  return lt_.MatmulAlgoCheck(handle, description.get(), a_.get(), b_.get(), c_.get(), d_.get(),
                             &algorithm, &result) == CUBLAS_STATUS_SUCCESS &&
         result.state == CUBLAS_STATUS_SUCCESS &&
         result.workspaceSize <= static_cast<size_t>(kWorkspaceBytes);
}

void Product::run(cublasLtHandle_t handle, const cublasLtMatmulAlgo_t& algorithm,
                  const BlasOperands& o, Stream stream) const {
  Owned<cublasLtMatmulDesc_t> description(lt_.MatmulDescDestroy);
  describe_to(&description, o.bias);
  const float alpha32 = static_cast<float>(shape_.alpha), beta32 = static_cast<float>(shape_.beta);
  const bool wide = shape_.dtype == DType::kF64;
  const void* alpha = wide ? static_cast<const void*>(&shape_.alpha) : &alpha32;
  const void* beta = wide ? static_cast<const void*>(&shape_.beta) : &beta32;
  const void* c = shape_.beta == 0 ? o.d : o.c;
  lt_.check(
      lt_.Matmul(handle, description.get(), alpha, o.a, a_.get(), o.b, b_.get(), beta, c, c_.get(),
                 o.d, d_.get(), &algorithm, o.workspace, static_cast<size_t>(kWorkspaceBytes),
                 reinterpret_cast<cudaStream_t>(stream)),
      "multiply", &shape_);
}

void Product::layout(Owned<cublasLtMatrixLayout_t>* out, int64_t rows, int64_t columns, int64_t ld,
                     int64_t batch_stride) {
  lt_.check(lt_.MatrixLayoutCreate(out->slot(), data_type(shape_.dtype),
                                   static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), ld),
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
void Product::set(cublasLtMatmulDesc_t description, cublasLtMatmulDescAttributes_t which,
                  T value) const {
  lt_.check(lt_.MatmulDescSetAttribute(description, which, &value, sizeof value), "describe",
            &shape_);
}

void Product::describe_to(Owned<cublasLtMatmulDesc_t>* out, const void* bias) const {
  lt_.check(lt_.MatmulDescCreate(out->slot(), compute_, scale_), "describe", &shape_);
  const auto op = [](bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  set(out->get(), CUBLASLT_MATMUL_DESC_TRANSA, op(shape_.transpose_a));
  set(out->get(), CUBLASLT_MATMUL_DESC_TRANSB, op(shape_.transpose_b));
  if (shape_.epilogue != Epilogue::kNone || shape_.has_bias)
    set(out->get(), CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(shape_));
  if (shape_.has_bias) set(out->get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
}

void Product::prefer(Owned<cublasLtMatmulPreference_t>* out) const {
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t which, auto value) {
    lt_.check(lt_.MatmulPreferenceSetAttribute(out->get(), which, &value, sizeof value),
              "choose an algorithm for", &shape_);
  };
  lt_.check(lt_.MatmulPreferenceCreate(out->slot()), "choose an algorithm for", &shape_);
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<uint64_t>(kWorkspaceBytes));
  // Without these the library takes operands to be aligned to 256 bytes.
  for (const auto which :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    set(which, alignment_);
}

}  // namespace torchweld::cuda::cublaslt
