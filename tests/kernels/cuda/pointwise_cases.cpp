// Specs without rows.
#include <fmt/format.h>

#include "tests/kernels/cuda/cases.h"

namespace torchweld {
namespace {

// (a * b + a), or what bools have of it.
int16_t combined(BodyBuilder& body, DType dtype, int16_t a, int16_t b) {
  const DType type = compute_type(dtype);
  return body.emit(Prim::kAdd, type, body.emit(Prim::kMul, type, a, b), a);
}

std::string named(const char* what, DType dtype) {
  return fmt::format("{}_{}", what, name_of(dtype));
}

Case flat(DType dtype, int64_t elements, int seed, int misaligned) {
  CaseBuilder b(named("flat", dtype), {elements});
  const int16_t x = b.load(dtype, {}, seed), y = b.load(dtype, {}, seed + 2);
  b.store(combined(b.body(), dtype, x, y), dtype);
  if (misaligned >= 0) b.misalign(misaligned);
  return b.finish();
}

// x[n, c, l] * scale[c] + shift[l], and its negative, as two results.
Case broadcast(DType dtype) {
  CaseBuilder b(named("broadcast", dtype), {3, 5, 24});
  const DType type = compute_type(dtype);
  const int16_t x = b.load(dtype), scale = b.load(dtype, {0, 1, 0}),
                shift = b.load(dtype, {0, 0, 1});
  const int16_t y =
      b.body().emit(Prim::kAdd, type, b.body().emit(Prim::kMul, type, x, scale), shift);
  b.store(y, dtype);
  b.store(b.body().emit(Prim::kNeg, type, y), dtype);
  return b.finish();
}

Case strided(DType dtype) {
  CaseBuilder b(named("strided", dtype), {7, 33});
  const int16_t x = b.load(dtype, {100, 3}), y = b.load(dtype, {33, 1});
  b.store(combined(b.body(), dtype, x, y), dtype, {80, 2});
  return b.finish();
}

Case permuted(DType dtype, std::vector<int64_t> domain, std::vector<int64_t> strides) {
  CaseBuilder b(named("permuted", dtype), std::move(domain));
  const int16_t x = b.load(dtype, std::move(strides)), y = b.load(dtype);
  b.store(combined(b.body(), dtype, x, y), dtype);
  return b.finish();
}

// Six dims that do not merge.
Case six_dims(DType dtype) {
  CaseBuilder b(named("six_dims", dtype), {2, 3, 2, 2, 3, 5});
  std::vector<int64_t> strides = b.dense();
  for (size_t d = 0; d < strides.size(); ++d) strides[d] *= d % 2 == 0 ? 2 : 3;
  const int16_t x = b.load(dtype, strides), y = b.load(dtype);
  b.store(combined(b.body(), dtype, x, y), dtype);
  return b.finish();
}

// table[index[i]] where i < 30, else 0; the table is read nowhere else.
Case gathered(DType dtype) {
  CaseBuilder b(named("gathered", dtype), {41});
  b.operand(dtype, {0}, 10);
  const int16_t index = b.load(DType::kI64);
  b.fill(1, [](int64_t i) { return i < 30 ? static_cast<double>(i * 7 % 10) : 1e9; });
  const int16_t inside =
      b.body().emit(Prim::kLt, DType::kBool, b.coord(0), b.body().constant_int(DType::kI64, 30));
  b.store(b.body().load_at(0, dtype, index, inside), dtype);
  return b.finish();
}

// Concatenation along the columns: two loads with predicates on a coordinate.
Case concatenated(DType dtype) {
  CaseBuilder b(named("concatenated", dtype), {6, 20});
  b.operand(dtype, {8, 1}, 6 * 8);
  b.operand(dtype, {12, 1}, 6 * 12, 4);
  BodyBuilder& body = b.body();
  const int16_t column = b.coord(1);
  const int16_t first =
      body.emit(Prim::kLt, DType::kBool, column, body.constant_int(DType::kI64, 8));
  const int16_t second = body.emit(Prim::kNot, DType::kBool, first);
  const int16_t left = body.load_at(0, dtype, -1, first);
  const int16_t right = body.load_at(1, dtype, body.constant_int(DType::kI64, -8), second);
  b.store(body.emit(Prim::kSelect, compute_type(dtype), first, left, right), dtype);
  return b.finish();
}

// out[index[i]] += x[i], where i is not a multiple of 3.
Case scattered(DType dtype, bool accumulates) {
  CaseBuilder b(named(accumulates ? "scatter_add" : "scattered", dtype), {77});
  const int16_t x = b.load(dtype), index = b.load(DType::kI64);
  b.fill(0, [](int64_t i) { return static_cast<double>(i % 3 + 1); });
  b.fill(1, [&](int64_t i) { return static_cast<double>(accumulates ? i % 5 : i * 2 % 77); });
  BodyBuilder& body = b.body();
  const int16_t rest =
      body.emit(Prim::kRemainder, DType::kI64, b.coord(0), body.constant_int(DType::kI64, 3));
  StoreSpec store;
  store.operand.dtype = dtype;
  store.value = x;
  store.offset = index;
  store.predicate = body.emit(Prim::kNe, DType::kBool, rest, body.constant_int(DType::kI64, 0));
  store.accumulates = accumulates;
  b.store(store, {0}, 80);
  return b.finish();
}

// x * param0 + coordinates, as an i64 tensor.
Case coordinates() {
  CaseBuilder b("coordinates", {5, 9});
  BodyBuilder& body = b.body();
  const int16_t x = b.load(DType::kI64);
  const int16_t place = body.emit(Prim::kAdd, DType::kI64, b.coord(0),
                                  body.emit(Prim::kMul, DType::kI64, b.coord(1), body.param(1)));
  b.store(body.emit(Prim::kAdd, DType::kI64, body.emit(Prim::kMul, DType::kI64, x, body.param(0)),
                    place),
          DType::kI64);
  Case c = b.finish();
  c.geometry.params = {3, 1000};
  return c;
}

// No loads, and a result of another type than the value.
Case filled() {
  CaseBuilder b("filled", {19});
  b.store(b.body().constant(DType::kF32, 2.5), DType::kF64);
  return b.finish();
}

}  // namespace

std::vector<Case> pointwise_cases(DType dtype) {
  std::vector<Case> cases;
  for (const int64_t elements : {0, 1, 3, 16, 257, 2051})
    cases.push_back(flat(dtype, elements, 2, -1));
  cases.push_back(flat(dtype, 515, 3, -1));
  for (const int operand : {0, 1, 2}) cases.push_back(flat(dtype, 130, 2, operand));
  cases.push_back(broadcast(dtype));
  cases.push_back(strided(dtype));
  cases.push_back(permuted(dtype, {37, 45}, {1, 37}));
  cases.push_back(permuted(dtype, {3, 33, 4, 70}, {33 * 4 * 70, 1, 33, 33 * 4}));
  cases.push_back(six_dims(dtype));
  cases.push_back(gathered(dtype));
  cases.push_back(concatenated(dtype));
  cases.push_back(scattered(dtype, false));
  if (dtype != DType::kBool) cases.push_back(scattered(dtype, true));
  cases.push_back(coordinates());
  cases.push_back(filled());
  return cases;
}

}  // namespace torchweld
