// Convolutions of volumes on the host that differ from those of images and signals:
// fusion/packed_conv.h.
#pragma once

#include "fusion/conv_args.h"
#include "fusion/planner.h"
#include "loader/graph.h"

namespace torchweld {

/// LibTorch's convolution by oneDNN, of plain tensors.
inline constexpr const char* kDnnConvolution = "aten::mkldnn_convolution";

/// Whether the own kernel can take such a convolution of a volume: every slice of the result sees
/// one of the volume, and places in it are of 32 bits.
bool takes_volume(const Value& x, const Value& weight, const Value& y, const ConvArgs& args,
                  bool transposed);

/// The other float32 convolutions over the last three dims become kDnnConvolution. LibTorch takes
/// it itself for batches, for groups and for large volumes; else it copies all windows to a matrix,
/// which takes three to five times as long. Filters of one voxel, which are products, stay.
void use_volume_convolutions(Graph* graph, const Target& target);

}  // namespace torchweld
