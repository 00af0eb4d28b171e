#include "fusion/library_ops.h"

#include <string_view>
#include <unordered_set>

namespace torchweld {

bool is_library_op(const std::string& op) {
  static const std::unordered_set<std::string> names = {"aten::linear",
                                                        "aten::mm",
                                                        "aten::addmm",
                                                        "aten::bmm",
                                                        "aten::baddbmm",
                                                        "aten::addbmm",
                                                        "aten::mv",
                                                        "aten::addmv",
                                                        "aten::dot",
                                                        "aten::inner",
                                                        "aten::tensordot",
                                                        "aten::matmul",
                                                        "aten::einsum",
                                                        "aten::conv1d",
                                                        "aten::conv2d",
                                                        "aten::conv3d",
                                                        "aten::_convolution",
                                                        "aten::convolution",
                                                        "aten::_convolution_mode",
                                                        "aten::conv_transpose1d",
                                                        "aten::conv_transpose2d",
                                                        "aten::conv_transpose3d",
                                                        "aten::cudnn_convolution_relu",
                                                        "aten::cudnn_convolution_add_relu",
                                                        "aten::scaled_dot_product_attention",
                                                        "aten::mkldnn_convolution",
                                                        "mkldnn::_convolution_pointwise",
                                                        "aten::lstm",
                                                        "aten::gru",
                                                        "aten::rnn_tanh",
                                                        "aten::rnn_relu",
                                                        "aten::_native_multi_head_attention",
                                                        "aten::_transformer_encoder_layer_fwd",
                                                        "aten::stft",
                                                        "aten::istft",
                                                        "aten::cholesky_solve",
                                                        "aten::det",
                                                        "aten::inverse",
                                                        "aten::linalg_cholesky",
                                                        "aten::linalg_det",
                                                        "aten::linalg_eigh",
                                                        "aten::linalg_eigvalsh",
                                                        "aten::linalg_inv",
                                                        "aten::linalg_lstsq",
                                                        "aten::linalg_lu",
                                                        "aten::linalg_lu_factor",
                                                        "aten::linalg_lu_solve",
                                                        "aten::linalg_qr",
                                                        "aten::linalg_slogdet",
                                                        "aten::linalg_solve",
                                                        "aten::linalg_solve_triangular",
                                                        "aten::linalg_svd",
                                                        "aten::linalg_svdvals"};
  static const std::unordered_set<std::string> transforms = {"fft", "fft2", "fftn"};
  if (op.starts_with("torchvision::") || op.starts_with("torchaudio::")) return true;
  const std::string base = op.substr(0, op.find('.'));
  constexpr std::string_view kTransform = "aten::fft_";
  if (!base.starts_with(kTransform)) return names.contains(base);
  // fft_irfft2 is an inverse of a real transform of two dims.
  const size_t kind = base.find("fft", kTransform.size());
  return kind != std::string::npos && kind <= kTransform.size() + 2 &&
         transforms.contains(base.substr(kind));
}

}  // namespace torchweld
