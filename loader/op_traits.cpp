// Facts from schemas and tags, and the few lists where LibTorch's tags are silent.
#include "loader/op_traits.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/enum_tag.h>
#include <ATen/core/jit_type.h>

#include <algorithm>
#include <string_view>
#include <unordered_set>

namespace torchweld {
namespace {

using Names = std::unordered_set<std::string_view>;

/// Take tensors, give host values that only shapes and types decide.
const Names& metadata_ops() {
  static const Names names = {"aten::size",          "aten::dim",
                              "aten::numel",         "aten::stride",
                              "aten::len",           "aten::storage_offset",
                              "aten::is_contiguous", "aten::is_floating_point",
                              "aten::is_complex",    "aten::is_signed",
                              "aten::element_size",  "aten::get_device",
                              "aten::is_inference",  "aten::is_conj",
                              "aten::is_neg",        "aten::sym_size",
                              "aten::sym_numel",     "aten::sym_stride",
                              "aten::is_same_size",  "aten::__is__",
                              "aten::__isnot__",     "aten::is_leaf",
                              "aten::type",          "aten::result_type",
                              "aten::ndimension",    "aten::can_cast",
                              "aten::is_set_to",     "prim::dtype",
                              "prim::device",        "prim::layout",
                              "prim::is_cuda",       "prim::is_cpu",
                              "prim::is_xpu",        "prim::is_sparse",
                              "prim::is_quantized",  "prim::is_nested",
                              "prim::is_mkldnn",     "prim::is_vulkan",
                              "prim::is_mps",        "prim::is_meta",
                              "prim::is_mtia",       "prim::is_ipu",
                              "prim::is_xla",        "prim::is_ort",
                              "prim::is_maia",       "prim::is_hpu",
                              "prim::is_sparse_csr", "prim::requires_grad",
                              "prim::itemsize",      "prim::name",
                              "prim::nbytes",        "prim::shape",
                              "aten::requires_grad", "prim::index",
                              "aten::append",        "aten::insert",
                              "aten::extend",        "aten::clear",
                              "aten::_set_item",     "aten::keys",
                              "aten::items",         "aten::update",
                              "aten::Delete",        "aten::reverse",
                              "aten::__contains__",  "aten::add",
                              "aten::add_",          "prim::unchecked_cast",
                              "prim::data",          "aten::warn",
                              "aten::format",        "aten::pop",
                              "aten::copy",          "aten::list",
                              "aten::dict",          "aten::get",
                              "aten::setdefault",    "aten::popitem",
                              "aten::__getitem__",   "aten::values",
                              "aten::mul",           "aten::slice",
                              "aten::is_tracing",    "aten::is_scripting",
                              "prim::isinstance"};
  return names;
}

/// Their results' shapes follow tensor data, though no tag says so.
const Names& shape_from_data_ops() {
  static const Names names = {"aten::where",
                              "aten::argwhere",
                              "aten::nonzero",
                              "aten::nonzero_numpy",
                              "aten::_pack_padded_sequence",
                              "aten::_pad_packed_sequence",
                              "aten::bincount",
                              "aten::unique_consecutive",
                              "aten::unique_dim",
                              "aten::_unique",
                              "aten::_unique2",
                              "aten::masked_select",
                              "aten::to_sparse",
                              "aten::combinations",
                              "torchvision::nms"};
  return names;
}

bool is_tensor_like(const c10::TypePtr& type) {
  if (type->kind() == c10::TypeKind::TensorType) return true;
  if (type->kind() == c10::TypeKind::VarType || type->kind() == c10::TypeKind::AnyType) return true;
  for (const auto& inner : type->containedTypes()) {
    if (is_tensor_like(inner)) return true;
  }
  return false;
}

/// Tensor(a!) and Tensor(a!)[] do; t[](a!) and Dict(str, t)(a!) only change what a container holds.
bool writes_tensors(const c10::Argument& argument) {
  const c10::AliasInfo* alias = argument.alias_info();
  if (alias == nullptr) return false;
  const c10::TypeKind kind = argument.type()->kind();
  if (kind != c10::TypeKind::ListType && kind != c10::TypeKind::DictType)
    return alias->isWrite() && is_tensor_like(argument.type());
  const auto& inner = alias->containedTypes();
  return std::any_of(inner.begin(), inner.end(),
                     [](const c10::AliasInfo& i) { return i.isWrite(); });
}

struct Tags {
  bool known = false, random = false, data = false, shape = false;
};

Tags tags_of(const c10::FunctionSchema& schema) {
  Tags tags;
  const auto handle = c10::Dispatcher::singleton().findSchema(schema.operator_name());
  if (!handle) return tags;
  const auto list = handle->getTags();
  tags.known = !list.empty();
  for (const at::Tag tag : list) {
    tags.random |= tag == at::Tag::nondeterministic_seeded;
    tags.data |= tag == at::Tag::data_dependent_output;
    tags.shape |= tag == at::Tag::dynamic_output_shape;
  }
  return tags;
}

}  // namespace

OpTraits traits_of(const c10::FunctionSchema& schema) {
  OpTraits traits;
  const std::string& name = schema.name();
  const std::string_view space = std::string_view(name).substr(0, name.find("::"));
  const Tags tags = tags_of(schema);
  bool tensor_argument = schema.is_vararg();  // prim::tolist and the like name no types
  for (const c10::Argument& a : schema.arguments()) {
    traits.writes.push_back(writes_tensors(a));
    tensor_argument |= is_tensor_like(a.type());
  }
  for (const c10::Argument& r : schema.returns())
    traits.has_tensor_result |= is_tensor_like(r.type());
  traits.random = tags.random;
  const auto place = [&](const char* argument) {
    return schema.argumentIndexWithName(argument).value_or(-1);
  };
  traits.train_at = std::max(place("train"), place("training"));
  traits.probability_at = place("dropout_p");
  const bool ours = space == "aten" || space == "prim";
  if (traits.has_tensor_result) {
    const bool where_mask = name == "aten::where" && schema.arguments().size() == 1;
    const bool listed =
        shape_from_data_ops().contains(name) && (name != "aten::where" || where_mask);
    const bool repeat_by_tensor =
        name == "aten::repeat_interleave" && schema.overload_name() != "self_int";
    const bool split_by_tensor =
        name == "aten::tensor_split" && schema.overload_name() == "tensor_indices_or_sections";
    traits.bool_index = name == "aten::index";
    traits.dynamic_shape =
        tags.shape || listed || repeat_by_tensor || split_by_tensor || (!ours && !tags.known);
    // Torchvision's but for nms, and torchaudio's filters.
    if ((space == "torchvision" && name != "torchvision::nms") ||
        name.starts_with("torchaudio::_lfilter"))
      traits.dynamic_shape = false;
  } else {
    traits.reads_data = tags.data || (tensor_argument && !metadata_ops().contains(name));
  }
  return traits;
}

bool draws(const OpTraits& traits, const std::vector<c10::IValue>& arguments) {
  if (!traits.random) return false;
  const auto argument = [&](int at) {
    return at < 0 ? c10::IValue() : arguments[static_cast<size_t>(at)];
  };
  const c10::IValue train = argument(traits.train_at), p = argument(traits.probability_at);
  return !(train.isBool() && !train.toBool()) && !(p.isDouble() && p.toDouble() == 0);
}

}  // namespace torchweld
