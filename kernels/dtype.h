// Element types of tensors, as plain data: no LibTorch, no CUDA.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace torchweld {

/// The element types that kernels read and write. kC64, a pair of floats, and kOther are carried
/// through graphs but never computed on.
enum class DType : uint8_t {
  kF32,
  kF64,
  kF16,
  kBF16,
  kI64,
  kI32,
  kI16,
  kI8,
  kU8,
  kBool,
  kC64,
  kOther
};

inline constexpr int kDTypeCount = 12;

/// Bytes an element; 0 for kOther.
int64_t size_of(DType dtype);

/// Short name as the graph text, the program's --input and kernel names spell it: "f32", "i64",
/// "bool", "c64", "other".
std::string_view name_of(DType dtype);

/// The inverse of name_of; nullopt for an unknown name.
std::optional<DType> parse_dtype(std::string_view name);

constexpr bool is_floating(DType t) { return t <= DType::kBF16; }
constexpr bool is_computed_on(DType t) { return t < DType::kC64; }
constexpr bool is_half(DType t) { return t == DType::kF16 || t == DType::kBF16; }
constexpr bool is_integral(DType t) { return t >= DType::kI64 && t <= DType::kU8; }

/// The type in which arithmetic on `t` is done: halves in f32, 8- and 16-bit integers in i32, the
/// rest in itself.
constexpr DType compute_type(DType t) {
  if (is_half(t)) return DType::kF32;
  if (t == DType::kI16 || t == DType::kI8 || t == DType::kU8) return DType::kI32;
  return t;
}

}  // namespace torchweld
