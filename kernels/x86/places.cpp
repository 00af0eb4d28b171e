#include "kernels/x86/places.h"

#include <algorithm>
#include <limits>

namespace torchweld::x86 {
namespace {

constexpr int64_t kMost = std::numeric_limits<int32_t>::max();

/// Not by std::abs: the least i64 has no magnitude.
bool fits(int64_t number) { return -kMost <= number && number <= kMost; }

class Narrower {
 public:
  explicit Narrower(const KernelSpec& spec) : spec_(spec), leads_(spec.body.size(), false) {}

  std::optional<KernelSpec> run() {
    find_what_leads_to_places();
    for (size_t i = 0; i < spec_.body.size(); ++i) {
      if (!add(spec_.body[i], leads_[i])) return std::nullopt;
    }
    KernelSpec out = spec_;
    for (StoreSpec& store : out.stores) store.value = wide(store.value);
    out.body = std::move(body_);
    return out;
  }

 private:
  /// The value of one instruction of the spec: as it is, and in 32 bits; -1: not there.
  struct Both {
    int16_t wide = -1, narrow = -1;
  };

  void find_what_leads_to_places() {
    for (size_t i = spec_.body.size(); i-- > 0;) {
      const Inst& inst = spec_.body[i];
      for (const int16_t arg : inst.args) {
        if (arg >= 0 && (leads_[i] || inst.prim == Prim::kLoad))
          leads_[static_cast<size_t>(arg)] = true;
      }
    }
  }

  int16_t push(const Inst& inst) {
    body_.push_back(inst);
    return static_cast<int16_t>(body_.size() - 1);
  }

  int16_t wide(int16_t value) {
    Both& both = values_[static_cast<size_t>(value)];
    if (both.wide < 0) {
      Inst cast;
      cast.prim = Prim::kCast;
      cast.type = DType::kI64;
      cast.args[0] = both.narrow;
      both.wide = push(cast);
    }
    return both.wide;
  }

  DType type_of(int16_t value) const { return spec_.body[static_cast<size_t>(value)].type; }

  /// Whether an instruction's i64 operands are there in 32 bits.
  bool takes_narrow(const Inst& inst) const {
    return std::all_of(inst.args.begin(), inst.args.end(), [&](int16_t arg) {
      return arg < 0 || type_of(arg) != DType::kI64 ||
             values_[static_cast<size_t>(arg)].narrow >= 0;
    });
  }

  void add_source(Inst inst, Both* both) {
    if (inst.prim == Prim::kConst) both->wide = push(inst);
    if (inst.prim == Prim::kConst && !fits(inst.imm_int)) return;
    inst.type = DType::kI32;
    both->narrow = push(inst);
  }

  bool add(Inst inst, bool leads) {
    Both both;
    const bool constant = inst.prim == Prim::kConst && inst.type == DType::kI64;
    if (constant || inst.prim == Prim::kCoord || inst.prim == Prim::kParam) {
      add_source(inst, &both);
    } else if (leads && inst.prim != Prim::kLoad && !needs_row(inst.prim) && takes_narrow(inst)) {
      const bool narrows = inst.type == DType::kI64;
      if (narrows) inst.type = DType::kI32;
      for (int16_t& arg : inst.args) {
        if (arg < 0) continue;
        const Both& value = values_[static_cast<size_t>(arg)];
        arg = type_of(arg) == DType::kI64 ? value.narrow : value.wide;
      }
      (narrows ? both.narrow : both.wide) = push(inst);
    } else {
      for (size_t k = 0; k < inst.args.size(); ++k) {
        int16_t& arg = inst.args[k];
        if (arg < 0) continue;
        const bool is_offset = inst.prim == Prim::kLoad && k == 0;
        if (is_offset && values_[static_cast<size_t>(arg)].narrow < 0) return false;
        arg = is_offset ? values_[static_cast<size_t>(arg)].narrow : wide(arg);
      }
      both.wide = push(inst);
    }
    values_.push_back(both);
    return true;
  }

  const KernelSpec& spec_;
  std::vector<bool> leads_;  // by instruction: to where a load reads
  std::vector<Both> values_;
  std::vector<Inst> body_;
};

}  // namespace

bool has_places(const KernelSpec& spec) {
  return std::any_of(spec.body.begin(), spec.body.end(), [](const Inst& inst) {
    return inst.prim == Prim::kCoord || inst.prim == Prim::kParam ||
           (inst.prim == Prim::kLoad && (inst.args[0] >= 0 || inst.args[1] >= 0));
  });
}

std::optional<KernelSpec> with_short_places(const KernelSpec& spec) { return Narrower(spec).run(); }

bool places_are_short(const Geometry& geometry) {
  int64_t largest = 0, longest = 1;
  for (const int64_t param : geometry.params) {
    if (!fits(param)) return false;
    largest = std::max(largest, std::abs(param));
  }
  for (const int64_t size : geometry.sizes) longest = std::max(longest, size);
  if (largest > kMost / longest) return false;
  for (const std::vector<int64_t>& strides : geometry.strides) {
    int64_t extent = 0;
    for (size_t d = 0; d < strides.size(); ++d) {
      if (std::abs(strides[d]) > kMost / std::max<int64_t>(1, geometry.sizes[d])) return false;
      extent += std::abs(strides[d]) * geometry.sizes[d];
    }
    if (extent > kMost) return false;
  }
  return true;
}

}  // namespace torchweld::x86
