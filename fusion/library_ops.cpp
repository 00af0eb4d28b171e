#include "fusion/library_ops.h"

#include <unordered_set>

namespace torchweld {

bool is_library_op(const std::string& op) {
  static const std::unordered_set<std::string> names = {"aten::linear",
                                                        "aten::mm",
                                                        "aten::addmm",
                                                        "aten::bmm",
                                                        "aten::baddbmm",
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
                                                        "aten::scaled_dot_product_attention",
                                                        "mkldnn::_convolution_pointwise",
                                                        "aten::lstm",
                                                        "aten::gru",
                                                        "aten::rnn_tanh",
                                                        "aten::rnn_relu",
                                                        "aten::_native_multi_head_attention",
                                                        "aten::_transformer_encoder_layer_fwd",
                                                        "aten::stft",
                                                        "aten::istft",
                                                        "aten::fft_fft",
                                                        "aten::fft_rfft",
                                                        "aten::fft_irfft"};
  return names.contains(op.substr(0, op.find('.')));
}

}  // namespace torchweld
