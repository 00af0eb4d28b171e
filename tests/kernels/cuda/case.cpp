#include "tests/kernels/cuda/case.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "kernels/geometry.h"
#include "kernels/reference.h"
#include "kernels/scalar.h"

namespace torchweld {
namespace {

double number(DType dtype, const uint8_t* address) {
  const Scalar s = load_scalar(dtype, address);
  switch (compute_type(dtype)) {
    case DType::kF32:
      return s.f32;
    case DType::kF64:
      return s.f64;
    case DType::kI64:
      return static_cast<double>(s.i64);
    case DType::kI32:
      return s.i32;
    default:
      return s.b;
  }
}

double spacing(double value, DType dtype) {
  const int digits = dtype == DType::kF64   ? 52
                     : dtype == DType::kF32 ? 23
                     : dtype == DType::kF16 ? 10
                                            : 7;
  const int lowest = dtype == DType::kF64 ? -1022 : dtype == DType::kF16 ? -14 : -126;
  const int exponent =
      value == 0 || !std::isfinite(value) ? lowest : std::max(std::ilogb(value), lowest);
  return std::ldexp(1.0, exponent - digits);
}

bool agrees(double got, double want, DType dtype, const Case& c) {
  if (std::isnan(want)) return std::isnan(got);
  if (got == want) return got != 0 || c.ulp > 0 || std::signbit(got) == std::signbit(want);
  if (!is_floating(dtype) || std::isinf(want)) return false;
  // Halves are rounded once more than the compute type, in either result.
  const double ulp = is_half(dtype) ? 1 : c.ulp;
  return std::abs(got - want) <= std::max(ulp * spacing(want, dtype), c.absolute);
}

}  // namespace

std::vector<uint8_t> case_values(DType dtype, int64_t elements, int seed, bool special) {
  static const double kSpecial[] = {0.0,    -0.0, 1.0,   -1.0, INFINITY, -INFINITY, NAN,    1e-40,
                                    -1e-40, 3e38, -3e38, 0.5,  88.5,     -103.0,    65504.0};
  static const int64_t kWhole[] = {0, 1, 2, 3, -1, -2, 7, 127, -128, 31, 5, 9, 100, 64, -7};
  std::vector<uint8_t> bytes(static_cast<size_t>(elements * size_of(dtype)));
  uint64_t state = 88172645463325252ull + static_cast<uint64_t>(seed) * 7919;
  for (int64_t i = 0; i < elements; ++i) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    const double unit = static_cast<double>(state >> 11) * 0x1p-53;
    const auto at = static_cast<size_t>(state >> 7);
    double value = unit * 4 - 2;
    if (special && state % 3 == 0) value = kSpecial[at % std::size(kSpecial)];
    if (!is_floating(dtype)) value = static_cast<double>(kWhole[at % std::size(kWhole)]);
    if (dtype == DType::kU8 || dtype == DType::kBool) value = std::abs(value);
    if (dtype == DType::kBool) value = value > 5;
    store_scalar(dtype, scalar_of(compute_type(dtype), value), bytes.data() + i * size_of(dtype));
  }
  return bytes;
}

CaseBuilder::CaseBuilder(std::string name, std::vector<int64_t> domain, std::vector<bool> reduced)
    : domain_(std::move(domain)), reduced_(std::move(reduced)), pinned_(domain_.size(), false) {
  case_.name = std::move(name);
}

std::vector<int64_t> CaseBuilder::dense() const {
  return dense(std::vector<bool>(domain_.size(), true));
}

std::vector<int64_t> CaseBuilder::dense(const std::vector<bool>& kept) const {
  std::vector<int64_t> strides(domain_.size(), 0);
  int64_t step = 1;
  for (size_t d = domain_.size(); d-- > 0;) {
    if (!kept[d]) continue;
    strides[d] = step;
    step *= std::max<int64_t>(domain_[d], 1);
  }
  return strides;
}

int64_t CaseBuilder::extent(const std::vector<int64_t>& strides) const {
  int64_t last = 0;
  for (size_t d = 0; d < domain_.size(); ++d) {
    if (domain_[d] == 0) return 0;
    last += (domain_[d] - 1) * strides[d];
  }
  return last + 1;
}

void CaseBuilder::add(DType dtype, const std::vector<int64_t>& strides, int64_t elements, int seed,
                      bool is_store) {
  CaseOperand operand{dtype, case_values(dtype, elements, seed, seed % 2 == 1), 0};
  if (is_store) std::fill(operand.bytes.begin(), operand.bytes.end(), uint8_t{0});
  (is_store ? stores_ : loads_).push_back(std::move(operand));
  (is_store ? store_strides_ : load_strides_).push_back(strides);
}

int CaseBuilder::operand(DType dtype, std::vector<int64_t> strides, int64_t elements, int seed) {
  add(dtype, strides, elements, seed, false);
  return static_cast<int>(loads_.size()) - 1;
}

int16_t CaseBuilder::load(DType dtype, std::vector<int64_t> strides, int seed) {
  if (strides.empty()) strides = dense();
  return body_.load(operand(dtype, strides, extent(strides), seed), dtype);
}

void CaseBuilder::store(int16_t value, DType dtype, std::vector<int64_t> strides) {
  if (strides.empty()) strides = dense();
  StoreSpec spec;
  spec.operand.dtype = dtype;
  spec.value = value;
  store(spec, strides, extent(strides));
}

void CaseBuilder::store(StoreSpec spec, std::vector<int64_t> strides, int64_t elements) {
  add(spec.operand.dtype, strides, elements, 2, true);
  store_specs_.push_back(spec);
}

void CaseBuilder::store_row(int16_t value, DType dtype) {
  std::vector<bool> kept(domain_.size());
  for (size_t d = 0; d < kept.size(); ++d) kept[d] = !reduced_[d];
  const std::vector<int64_t> strides = dense(kept);
  int64_t rows = 1;
  for (size_t d = 0; d < kept.size(); ++d) rows *= kept[d] ? domain_[d] : 1;
  StoreSpec spec;
  spec.operand.dtype = dtype;
  spec.value = value;
  spec.per_row = true;
  store(spec, strides, rows);
}

int16_t CaseBuilder::coord(int dim) {
  if (domain_[static_cast<size_t>(dim)] == 1)  // no dim of the kernel's
    return body_.constant_int(DType::kI64, 0);
  pinned_[static_cast<size_t>(dim)] = true;
  return body_.coord(dim);
}

void CaseBuilder::fill(int operand_index, const std::function<double(int64_t)>& value) {
  CaseOperand& operand = loads_[static_cast<size_t>(operand_index)];
  const int64_t size = size_of(operand.dtype);
  for (int64_t i = 0; i < static_cast<int64_t>(operand.bytes.size()) / size; ++i)
    store_scalar(operand.dtype, scalar_of(compute_type(operand.dtype), value(i)),
                 operand.bytes.data() + i * size);
}

Case CaseBuilder::finish() {
  std::vector<std::vector<int64_t>> strides = load_strides_;
  strides.insert(strides.end(), store_strides_.begin(), store_strides_.end());
  const auto layout =
      coalesce(domain_, strides, static_cast<int>(stores_.size()), {reduced_, pinned_});
  std::vector<int16_t> roots;
  for (const StoreSpec& s : store_specs_) {
    roots.push_back(s.value);
    if (s.offset >= 0) roots.push_back(s.offset);
    if (s.predicate >= 0) roots.push_back(s.predicate);
  }
  KernelSpec& spec = case_.spec;
  spec.body = body_.finish(&roots);
  auto root = roots.begin();
  for (StoreSpec& s : store_specs_) {
    s.value = *root++;
    if (s.offset >= 0) s.offset = *root++;
    if (s.predicate >= 0) s.predicate = *root++;
  }
  for (Inst& inst : spec.body) {
    if (inst.prim == Prim::kCoord) inst.imm_int = layout->places[static_cast<size_t>(inst.imm_int)];
  }
  spec.name = case_.name;
  spec.rank = layout->rank;
  spec.reduced = layout->reduced;
  for (size_t i = 0; i < loads_.size(); ++i)
    spec.loads.push_back({loads_[i].dtype, layout->classes[i]});
  for (size_t i = 0; i < store_specs_.size(); ++i) {
    store_specs_[i].operand.strides = layout->classes[loads_.size() + i];
    spec.stores.push_back(store_specs_[i]);
  }
  case_.geometry = layout->geometry;
  case_.operands = loads_;
  case_.operands.insert(case_.operands.end(), stores_.begin(), stores_.end());
  for (const int i : misaligned_) {
    CaseOperand& operand = case_.operands[static_cast<size_t>(i)];
    operand.first = 1;
    operand.bytes.insert(operand.bytes.begin(), static_cast<size_t>(size_of(operand.dtype)), 0);
  }
  return case_;
}

std::string difference_from_reference(const Case& c, const std::vector<std::vector<uint8_t>>& got) {
  std::vector<std::vector<uint8_t>> want;
  std::vector<void*> host;
  for (const CaseOperand& operand : c.operands) want.push_back(operand.bytes);
  for (size_t i = 0; i < want.size(); ++i)
    host.push_back(want[i].data() + c.operands[i].first * size_of(c.operands[i].dtype));
  std::string why;
  ReferenceBackend().compile(c.spec, c.geometry, &why)->launch(c.geometry, host.data(), {});
  for (size_t i = 0; i < want.size(); ++i) {
    const DType dtype = c.operands[i].dtype;
    for (size_t at = 0; at < got[i].size(); at += static_cast<size_t>(size_of(dtype))) {
      const double a = number(dtype, got[i].data() + at), b = number(dtype, want[i].data() + at);
      if (!agrees(a, b, dtype, c))
        return fmt::format("{}: operand {} element {}: {:.9g}, reference {:.9g}", c.name, i,
                           static_cast<int64_t>(at) / size_of(dtype) - c.operands[i].first, a, b);
    }
  }
  return "";
}

}  // namespace torchweld
