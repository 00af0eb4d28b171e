#include "fusion/channels_last.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "fusion/batch_norm.h"
#include "fusion/cudnn_conv.h"
#include "fusion/host_resize.h"
#include "fusion/image_conv.h"
#include "fusion/indexed.h"
#include "fusion/node_args.h"
#include "fusion/packed_conv.h"
#include "fusion/passes.h"
#include "fusion/pointwise.h"
#include "fusion/pooling.h"
#include "fusion/reduction.h"
#include "fusion/relaid_view.h"
#include "fusion/rewriter.h"
#include "fusion/window_pool.h"

namespace torchweld {
namespace {

// Below, the convolution reads the image as it lies: a copy costs more than what it saves.
constexpr int64_t kFewestCopiedChannels = 8;

/// LibTorch's results of these have the layout of the image that they read; or the own kernel's, of
/// which the host's takes all poolings of volumes.
bool keeps_layout(const Graph& graph, const Node& node, bool by_host) {
  static const std::set<std::string> names = {
      "aten::max_pool2d",           "aten::avg_pool2d",          "aten::adaptive_avg_pool2d",
      "aten::upsample_nearest2d",   "aten::upsample_bilinear2d", "aten::upsample_nearest3d",
      "aten::upsample_trilinear3d", "aten::max_pool3d"};
  if (names.contains(node.op.substr(0, node.op.find('.')))) return true;
  WindowPoolCall call;
  const bool averages = node.op == "aten::avg_pool3d" || node.op == "aten::adaptive_avg_pool3d";
  if (by_host && averages && make_window_pool(graph, node, &call)) return true;
  static const std::set<std::string> pads = {"aten::constant_pad_nd", "aten::pad"};
  if (pads.contains(node.op) && indexed_domain(graph, node)) return true;
  const auto pooling = pooling_of(graph, node);
  return pooling && pooling->by_steps && pooling->steps.size() != 2 && pooling->divisor == 0;
}

/// LibTorch's results of these lie the same way however their first operand does.
bool reads_any_layout(const Graph& graph, const Node& node) {
  static const std::set<std::string> names = {
      "aten::layer_norm",         "aten::linear",   "aten::matmul",          "aten::reshape",
      "aten::flatten.using_ints", "aten::mean.dim", "aten::sum.dim_IntList", "aten::amax"};
  if (!names.contains(node.op) || !node.pure || node.outputs.size() != 1 ||
      node.outputs[0] == kNone)
    return false;
  const Value& out = graph.value(node.outputs[0]);
  return out.strides == contiguous_strides(out.sizes);
}

/// A norm whose rows, of the pixels of one channel or of all, a kernel takes: LibTorch's own result
/// would lie otherwise.
bool is_norm(const Graph& graph, const Node& node) {
  const bool by_group = node.op == "aten::group_norm";
  if (!by_group && (node.op != "aten::instance_norm" || !flag_arg(node, 5) || !is_none(node, 3)))
    return false;
  const Value& x = graph.value(tensor_arg(node, 0));
  const int64_t pixels = x.elements() / (x.sizes[0] * x.sizes[1]);
  return x.elements() > 0 && (by_group ? pixels * x.sizes[1] : pixels) <= kMostRowElements;
}

/// Filters of a channel, or of a group of them, read nothing but channels side by side.
bool has_groups(const Node& convolution) {
  const auto groups = convolution.op == kImageConv ? int_arg(convolution, 6) : std::nullopt;
  return groups && *groups > 1;
}

bool lies_the_same(const Value& image) {
  return image.sizes[1] == 1 || image.sizes[0] * image.sizes[1] == image.elements();
}

class Relayout {
 public:
  Relayout(Graph* graph, bool cudnn, bool norms = false)
      : graph_(*graph), cudnn_(cudnn), norms_(norms) {}

  int64_t run() {
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    list_wanted(nodes);
    for (Node& node : nodes) {
      // The last node of a block that doesn't return is what ends it.
      if (&node == &nodes.back() && graph_.ending.kind != Ending::Kind::kReturn)
        lay_outputs_as_recorded();
      name_mean_a_pooling(&node);
      const bool is_packed =
          cudnn_ ? is_channels_last_cudnn(graph_, node) : is_packed_convolution(node);
      const ValueId image = is_packed ? kNone : follows(node);
      if (is_packed) {
        take_packed(std::move(node));
      } else if (image != kNone) {
        take_following(std::move(node), image);
      } else {
        take_other(std::move(node));
      }
    }
    lay_outputs_as_recorded();
    return copied_;
  }

 private:
  /// An image that is there with its channels innermost, and as recorded once somebody needs it.
  struct Image {
    ValueId recorded = kNone, channels_last = kNone;
    bool is_copied = false;
    Node maker;
  };

  Value& value(ValueId id) { return graph_.values[static_cast<size_t>(id)]; }

  /// All of a storage that this block makes, each of its elements once.
  bool is_whole(ValueId id) {
    if (id == kNone) return false;
    const Value& v = value(id);
    return !v.opaque && v.elements() > 0 && v.offset == 0 && is_dense(v) &&
           graph_.storage_of(id).kind == Storage::Kind::kLocal &&
           graph_.storage_of(id).bytes == v.elements() * size_of(v.dtype);
  }

  /// With the pixels of a channel together, too.
  bool is_image(ValueId id) {
    return is_whole(id) && value(id).sizes.size() >= 3 && value(id).sizes.size() <= 5 &&
           value(id).strides == contiguous_strides(value(id).sizes);
  }

  Image* image_of(ValueId id) {
    if (id == kNone || !is_image(id)) return nullptr;
    const auto found = images_.find(value(id).storage);
    const bool same =
        found != images_.end() && value(found->second.recorded).sizes == value(id).sizes;
    return same ? &found->second : nullptr;
  }

  /// The same view of an image that is there with its channels innermost; kNone for others.
  ValueId relaid(ValueId id) {
    if (const Image* image = image_of(id)) return image->channels_last;
    const auto found = images_.find(value(id).storage);
    if (found == images_.end()) return kNone;
    const auto [known, is_new] = relaid_.try_emplace(id, kNone);
    if (!is_new) return known->second;
    auto view =
        relaid_view(value(id), value(found->second.recorded), value(found->second.channels_last));
    if (view) {
      known->second = graph_.add(std::move(*view));
      graph_.relaid[known->second] = id;
    }
    return known->second;
  }

  /// Makes the result of `node` one with its channels innermost: it is the image `recorded` or,
  /// perhaps, a view of all of it.
  void make_channels_last(Node node, ValueId recorded) {
    const Value& v = value(recorded);
    if (v.strides == channels_last_strides(v.sizes)) {
      graph_.nodes.push_back(std::move(node));
      return;
    }
    Rewriter r(&graph_, node);
    const ValueId made = r.fresh(v.dtype, v.sizes);
    value(made).strides = channels_last_strides(value(made).sizes);
    graph_.relaid[made] = recorded;
    images_[value(recorded).storage] = {recorded, made, false, node};
    node.outputs[0] = relaid(node.outputs[0]);
    graph_.nodes.push_back(std::move(node));
    if (lies_the_same(value(made))) share_memory(recorded);
  }

  /// The recorded value and all views of it show the new memory: both layouts are one.
  void share_memory(ValueId recorded) {
    const StorageId from = value(recorded).storage;
    const StorageId to = value(images_.at(from).channels_last).storage;
    images_.erase(from);
    for (Value& v : graph_.values) {
      if (v.storage == from) v.storage = to;
    }
  }

  ValueId channels_last(ValueId id, const Node& reader) {
    if (const Image* image = image_of(id)) return image->channels_last;
    // The own kernel goes from pixel to pixel by any stride.
    const bool any_pixels = !cudnn_ && reader.op != kPackedConv;
    if (any_pixels && relaid(id) != kNone && value(relaid(id)).strides[1] == 1) return relaid(id);
    lay_as_recorded(id);
    const Value& v = value(id);
    const std::vector<int64_t> strides = channels_last_strides(v.sizes);
    if (v.strides == strides || (any_pixels && v.strides[1] == 1) || lies_the_same(v) ||
        (!cudnn_ && v.sizes[1] < kFewestCopiedChannels && !has_groups(reader)))
      return id;
    const auto known = copies_.find(id);
    if (known != copies_.end()) return known->second;
    Rewriter r(&graph_, reader);
    const ValueId copy = v.sizes.size() > 3 ? copy_image(id, &r) : copy_signal(id, &r);
    append(r.take());
    copied_ += value(copy).elements();
    copies_[id] = copy;
    return copy;
  }

  ValueId copy_image(ValueId id, Rewriter* r) {
    const ValueId copy = r->fresh(value(id).dtype, value(id).sizes);
    value(copy).strides = channels_last_strides(value(copy).sizes);
    const int64_t format = value(id).sizes.size() == 4 ? 2 : 3;  // channels last, of volumes
    return r->call("aten::clone", {tensor(id), {format}}, copy);
  }

  /// LibTorch's clone knows no such layout of three dims.
  ValueId copy_signal(ValueId id, Rewriter* r) {
    const ValueId turned = r->transposed(id, 1, 2);
    const ValueId copy = r->like("aten::clone", {tensor(turned), {int64_t{0}}}, turned);
    return r->transposed(copy, 1, 2);
  }

  void lay_as_recorded(ValueId id) {
    const auto found = images_.find(value(id).storage);
    if (found == images_.end() || found->second.is_copied) return;
    Image& image = found->second;
    Rewriter r(&graph_, image.maker);
    r.call("aten::clone", {tensor(image.channels_last), {int64_t{0}}}, image.recorded);
    append(r.take());
    copied_ += value(image.recorded).elements();
    image.is_copied = true;
  }

  void lay_outputs_as_recorded() {
    for (const ValueId id : graph_.outputs) lay_as_recorded(id);
  }

  void append(std::vector<Node> nodes) {
    for (Node& node : nodes) graph_.nodes.push_back(std::move(node));
  }

  void take_packed(Node node) {
    node.args[0] = tensor(channels_last(tensor_arg(node, 0), node));
    if (node.op == kCudnnAddRelu) node.args[2] = tensor(channels_last(tensor_arg(node, 2), node));
    const ValueId recorded = node.outputs[0];
    make_channels_last(std::move(node), recorded);
  }

  /// A mean over the pixels of an image that has its channels innermost is a pooling.
  void name_mean_a_pooling(Node* node) {
    if (node->op != "aten::mean.dim" || image_of(tensor_arg(*node, 0)) == nullptr) return;
    const Arg::Ints* dims = ints_arg(*node, 1);
    const ValueId out = node->outputs[0];
    const size_t rank = value(tensor_arg(*node, 0)).sizes.size();
    if (dims == nullptr || dims->size() != rank - 2 || whole_dim(dims->front(), rank) != 2 ||
        whole_dim(dims->back(), rank) != rank - 1 ||
        value(out).dtype != value(tensor_arg(*node, 0)).dtype ||
        value(out).strides != contiguous_strides(value(out).sizes))
      return;
    Value pixel = value(out);
    pixel.sizes.resize(rank, 1);
    pixel.strides = contiguous_strides(pixel.sizes);
    static constexpr const char* kPoolings[] = {
        "aten::adaptive_avg_pool1d", "aten::adaptive_avg_pool2d", "aten::adaptive_avg_pool3d"};
    node->op = kPoolings[rank - 3];
    node->args = {node->args[0], {Arg::Ints(rank - 2, 1)}};
    if (pixel.sizes != value(out).sizes) node->outputs[0] = graph_.add(std::move(pixel));
  }

  /// The image that the result is, or is a view of, if it may have another layout and an operand
  /// has it; kNone if not.
  ValueId follows(const Node& node) {
    if (!node.pure || node.outputs.size() != 1 || !is_whole(node.outputs[0])) return kNone;
    const ValueId out = node.outputs[0];
    if (node.op == "aten::cat") return joins_channels(node) ? out : kNone;
    if (!cudnn_ && resizes_channels_last(graph_, node)) return follows_resize(node) ? out : kNone;
    if (keeps_layout(graph_, node, !cudnn_) || (norms_ && is_norm(graph_, node)))
      return image_of(tensor_arg(node, 0)) != nullptr ? out : kNone;
    if (gates_channels(node)) return out;
    if (!is_by_element(node)) return kNone;
    ValueId image = kNone;
    for_each_input(node, [&](ValueId id) {
      const ValueId other = value(id).sizes == value(out).sizes ? relaid(id) : kNone;
      if (other == kNone || image != kNone) return;
      if (is_image(out) && value(other).strides[1] == 1) {
        image = out;
      } else if (is_whole(id) && value(id).strides == value(out).strides) {
        Value whole = value(images_.at(value(id).storage).recorded);
        whole.storage = value(out).storage;
        whole.dtype = value(out).dtype;
        image = graph_.add(std::move(whole));
      }
    });
    return image;
  }

  /// Not where a small image with its channels innermost becomes a large result of the block: its
  /// copy costs less. Images that lie so as recorded (tokens) are followed where that is wanted.
  bool follows_resize(const Node& node) {
    const ValueId x = tensor_arg(node, 0), out = node.outputs[0];
    const bool grows = value(out).elements() > value(x).elements();
    const bool leaves = std::any_of(graph_.outputs.begin(), graph_.outputs.end(), [&](ValueId id) {
      return value(id).storage == value(out).storage;
    });
    if (grows && leaves) return false;
    return image_of(x) != nullptr ||
           (is_image(out) && wanted_.contains(value(out).storage) && value(x).strides[1] == 1 &&
            value(x).strides.back() == value(x).sizes[1] &&
            value(x).sizes[1] >= kFewestCopiedChannels);
  }

  /// What convolutions, sums and concatenations read.
  void list_wanted(const std::vector<Node>& nodes) {
    for (const Node& node : nodes) {
      if (!is_packed_convolution(node) && node.op != "aten::cat" && node.op != "aten::add.Tensor")
        continue;
      for_each_input(node, [&](ValueId id) { wanted_.insert(value(id).storage); });
    }
  }

  /// Halves of an image's channels become one image by a kernel.
  bool gates_channels(const Node& node) {
    if (node.op != "aten::glu" || !is_image(node.outputs[0])) return false;
    const ValueId x = relaid(tensor_arg(node, 0));
    return x != kNone && value(x).dtype == DType::kF32 && value(x).strides[1] == 1 &&
           dim_arg(node, 1, value(x).sizes.size()) == size_t{1};
  }

  bool is_by_element(const Node& node) {
    std::string why;
    return is_plain_batch_norm(graph_, node) || is_pointwise(graph_, node, &why);
  }

  /// All of them have their channels innermost, or some, and kernels copy the others.
  bool joins_channels(const Node& node) {
    const auto dim = dim_arg(node, 1, value(node.outputs[0]).sizes.size());
    if (dim != size_t{1} || !is_image(node.outputs[0])) return false;
    size_t images = 0, all = 0;
    for_each_input(node, [&](ValueId id) {
      ++all;
      images += image_of(id) != nullptr ? 1 : 0;
    });
    return images == all || (images > 0 && all <= kMostCopiedPieces);
  }

  void take_following(Node node, ValueId image) {
    read_relaid(&node, true);
    make_channels_last(std::move(node), image);
  }

  /// Operands of which the relaid view will do: all, or the first.
  void read_relaid(Node* node, bool all) {
    bool first = true;
    for_each_input(*node, [&](ValueId& id) {
      const ValueId view = all || first ? relaid(id) : kNone;
      first = false;
      if (view != kNone) {
        id = view;
      } else {
        lay_as_recorded(id);
      }
    });
  }

  void take_other(Node node) {
    const bool by_element = node.pure && is_by_element(node);
    const bool joins_rows =
        node.op == "aten::cat" && node.pure && value(node.outputs[0]).sizes.size() == 3 &&
        value(node.outputs[0]).strides == contiguous_strides(value(node.outputs[0]).sizes);
    if (by_element || joins_rows || reads_any_layout(graph_, node)) {
      read_relaid(&node, by_element || joins_rows);
    } else {
      for_each_input(node, [&](ValueId id) { lay_as_recorded(id); });
    }
    for (const ValueId id : node.writes) {
      lay_as_recorded(id);
      images_.erase(value(id).storage);
      std::erase_if(copies_,
                    [&](const auto& c) { return value(c.first).storage == value(id).storage; });
    }
    graph_.nodes.push_back(std::move(node));
  }

  Graph& graph_;
  bool cudnn_, norms_;
  std::map<StorageId, Image> images_;  // by the recorded value's storage
  std::map<ValueId, ValueId> copies_, relaid_;
  std::set<StorageId> wanted_;
  int64_t copied_ = 0;
};

}  // namespace

int64_t use_channels_last(Graph* graph, bool norms) { return Relayout(graph, false, norms).run(); }

int64_t use_channels_last_around_cudnn(Graph* graph) { return Relayout(graph, true).run(); }

}  // namespace torchweld
