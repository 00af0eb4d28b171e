#include "fusion/channels_last.h"

#include <map>
#include <set>
#include <string>

#include "fusion/batch_norm.h"
#include "fusion/node_args.h"
#include "fusion/packed_conv.h"
#include "fusion/passes.h"
#include "fusion/pointwise.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

// Below, the convolution reads the image as it lies: a copy costs more than what it saves.
constexpr int64_t kFewestCopiedChannels = 8;

/// LibTorch's results of these have the layout of the image that they read.
bool keeps_layout(const Node& node) {
  static const std::set<std::string> names = {
      "aten::max_pool2d", "aten::avg_pool2d", "aten::adaptive_avg_pool2d",
      "aten::upsample_nearest2d", "aten::upsample_bilinear2d"};
  return names.contains(node.op.substr(0, node.op.find('.')));
}

std::vector<int64_t> channels_last_strides(const std::vector<int64_t>& sizes) {
  return {sizes[1] * sizes[2] * sizes[3], 1, sizes[1] * sizes[3], sizes[1]};
}

bool lies_the_same(const Value& image) {
  return image.sizes[1] == 1 || image.sizes[2] * image.sizes[3] == 1;
}

class Relayout {
 public:
  explicit Relayout(Graph* graph) : graph_(*graph) {}

  int64_t run() {
    std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (Node& node : nodes) {
      // The last node of a block that doesn't return is what ends it.
      if (&node == &nodes.back() && graph_.ending.kind != Ending::Kind::kReturn)
        lay_outputs_as_recorded();
      name_mean_a_pooling(&node);
      if (is_packed_convolution(node)) {
        take_packed(std::move(node));
      } else if (follows(node)) {
        take_following(std::move(node));
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

  /// All of a storage that this block makes, dense and with the pixels of a channel together.
  bool is_image(ValueId id) {
    if (id == kNone) return false;
    const Value& v = value(id);
    return !v.opaque && v.sizes.size() == 4 && v.elements() > 0 && v.offset == 0 &&
           v.strides == contiguous_strides(v.sizes) &&
           graph_.storage_of(id).kind == Storage::Kind::kLocal &&
           graph_.storage_of(id).bytes == v.elements() * size_of(v.dtype);
  }

  Image* image_of(ValueId id) {
    if (id == kNone || !is_image(id)) return nullptr;
    const auto found = images_.find(value(id).storage);
    const bool same =
        found != images_.end() && value(found->second.recorded).sizes == value(id).sizes;
    return same ? &found->second : nullptr;
  }

  /// Makes the result of `node` one with its channels innermost.
  void make_channels_last(Node node) {
    const ValueId recorded = node.outputs[0];
    const Value& v = value(recorded);
    if (v.strides == channels_last_strides(v.sizes)) {
      graph_.nodes.push_back(std::move(node));
      return;
    }
    Rewriter r(&graph_, node);
    const ValueId made = r.fresh(v.dtype, v.sizes);
    value(made).strides = channels_last_strides(value(made).sizes);
    node.outputs[0] = made;
    images_[value(recorded).storage] = {recorded, made, false, node};
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
    const Value& v = value(id);
    const std::vector<int64_t> strides = channels_last_strides(v.sizes);
    if (v.strides == strides || lies_the_same(v) || v.sizes[1] < kFewestCopiedChannels) return id;
    lay_as_recorded(id);
    const auto known = copies_.find(id);
    if (known != copies_.end()) return known->second;
    Rewriter r(&graph_, reader);
    const ValueId copy = r.fresh(v.dtype, v.sizes);
    value(copy).strides = strides;
    r.call("aten::clone", {tensor(id), {int64_t{2}}}, copy);  // 2: channels last
    append(r.take());
    copied_ += value(copy).elements();
    copies_[id] = copy;
    return copy;
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
    make_channels_last(std::move(node));
  }

  /// A mean over the pixels of an image that has its channels innermost is a pooling.
  void name_mean_a_pooling(Node* node) {
    if (node->op != "aten::mean.dim" || image_of(tensor_arg(*node, 0)) == nullptr) return;
    const Arg::Ints* dims = ints_arg(*node, 1);
    const ValueId out = node->outputs[0];
    if (dims == nullptr || dims->size() != 2 || whole_dim((*dims)[0], 4) != 2 ||
        whole_dim((*dims)[1], 4) != 3 || value(out).dtype != value(tensor_arg(*node, 0)).dtype ||
        value(out).strides != contiguous_strides(value(out).sizes))
      return;
    Value pixel = value(out);
    pixel.sizes.resize(4, 1);
    pixel.strides = contiguous_strides(pixel.sizes);
    node->op = "aten::adaptive_avg_pool2d";
    node->args = {node->args[0], {Arg::Ints{1, 1}}};
    if (pixel.sizes != value(out).sizes) node->outputs[0] = graph_.add(std::move(pixel));
  }

  /// Whether the result may have another layout, and an operand has it.
  bool follows(const Node& node) {
    std::string why;
    if (!node.pure || node.outputs.size() != 1 || !is_image(node.outputs[0])) return false;
    if (node.op == "aten::cat") return joins_channels(node);
    if (keeps_layout(node)) return image_of(tensor_arg(node, 0)) != nullptr;
    if (!is_plain_batch_norm(graph_, node) && !is_pointwise(graph_, node, &why)) return false;
    bool found = false;
    for_each_input(node, [&](ValueId id) {
      found |= image_of(id) != nullptr && value(id).sizes == value(node.outputs[0]).sizes;
    });
    return found;
  }

  /// All of them have their channels innermost, or some, and kernels copy the others.
  bool joins_channels(const Node& node) {
    if (int_arg(node, 1) != 1 && int_arg(node, 1) != -3) return false;
    size_t images = 0, all = 0;
    for_each_input(node, [&](ValueId id) {
      ++all;
      images += image_of(id) != nullptr ? 1 : 0;
    });
    return images == all || (images > 0 && all <= kMostCopiedPieces);
  }

  void take_following(Node node) {
    const std::vector<int64_t> sizes = value(node.outputs[0]).sizes;
    const bool any = keeps_layout(node) || node.op == "aten::cat";
    for_each_input(node, [&](ValueId& id) {
      const Image* image = image_of(id);
      if (image != nullptr && (any || value(id).sizes == sizes)) {
        id = image->channels_last;
      } else {
        lay_as_recorded(id);
      }
    });
    make_channels_last(std::move(node));
  }

  void take_other(Node node) {
    for_each_input(node, [&](ValueId id) { lay_as_recorded(id); });
    for (const ValueId id : node.writes) {
      lay_as_recorded(id);
      images_.erase(value(id).storage);
      std::erase_if(copies_,
                    [&](const auto& c) { return value(c.first).storage == value(id).storage; });
    }
    graph_.nodes.push_back(std::move(node));
  }

  Graph& graph_;
  std::map<StorageId, Image> images_;  // by the recorded value's storage
  std::map<ValueId, ValueId> copies_;
  int64_t copied_ = 0;
};

}  // namespace

int64_t use_channels_last(Graph* graph) { return Relayout(graph).run(); }

}  // namespace torchweld
