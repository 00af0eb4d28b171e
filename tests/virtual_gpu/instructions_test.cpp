// What single instructions compute, written as PTX: each row is one instruction with operands and
// the bits expected.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <span>

#include "tests/virtual_gpu/compiled.h"

namespace torchweld::virtual_gpu {
namespace {

struct Source {
  std::string type;
  uint64_t bits;
};

struct Row {
  std::string opcode;  ///< "setp..." and "testp..." give 1 or 0
  std::string result;
  std::vector<Source> sources;
  uint64_t expected;
  std::string literal = "";  ///< a last operand that is no register
};

uint64_t f(float x) { return std::bit_cast<uint32_t>(x); }
uint64_t d(double x) { return std::bit_cast<uint64_t>(x); }
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kTiny = 1e-40f;  // a denormal

Source u16(uint64_t x) { return {"b16", x}; }
Source u32(uint64_t x) { return {"b32", x & 0xffffffff}; }
Source u64(uint64_t x) { return {"b64", x}; }
Source f32(float x) { return {"f32", f(x)}; }
Source f64(double x) { return {"f64", d(x)}; }

uint64_t low32(int64_t x) { return static_cast<uint32_t>(x); }

const Row kIntegers[] = {
    {"add.s32", "b32", {u32(0x7fffffff), u32(1)}, 0x80000000},
    {"add.u16", "b16", {u16(0xffff), u16(2)}, 1},
    {"sub.s64", "b64", {u64(1), u64(2)}, ~0ull},
    {"mul.lo.s32", "b32", {u32(0x10001), u32(0x10001)}, 0x20001},
    {"mul.lo.u16", "b16", {u16(0xffff), u16(0xffff)}, 1},
    {"mul.hi.u32", "b32", {u32(~0u), u32(~0u)}, 0xfffffffe},
    {"mul.hi.s32", "b32", {u32(~0u), u32(2)}, 0xffffffff},
    {"mul.hi.u64", "b64", {u64(~0ull), u64(~0ull)}, 0xfffffffffffffffe},
    {"mul.wide.s32", "b64", {u32(~0u), u32(5)}, static_cast<uint64_t>(-5)},
    {"mul.wide.u32", "b64", {u32(~0u), u32(5)}, 5 * 0xffffffffull},
    {"mul.wide.s16", "b32", {u16(0xffff), u16(3)}, low32(-3)},
    {"mad.lo.s32", "b32", {u32(3), u32(4), u32(5)}, 17},
    {"mad.hi.u32", "b32", {u32(1u << 31), u32(4), u32(5)}, 7},
    {"mad.wide.s32", "b64", {u32(~0u), u32(4), u64(5)}, 1},
    {"div.s32", "b32", {u32(static_cast<uint32_t>(-7)), u32(2)}, low32(-3)},
    {"div.u32", "b32", {u32(7), u32(0)}, 0xffffffff},
    {"rem.s32", "b32", {u32(static_cast<uint32_t>(-7)), u32(2)}, low32(-1)},
    {"div.s32", "b32", {u32(0x80000000), u32(~0u)}, 0x80000000},
    {"min.s32", "b32", {u32(~0u), u32(1)}, 0xffffffff},
    {"min.u32", "b32", {u32(~0u), u32(1)}, 1},
    {"max.s64", "b64", {u64(~0ull), u64(1)}, 1},
    {"neg.s32", "b32", {u32(5)}, low32(-5)},
    {"abs.s64", "b64", {u64(static_cast<uint64_t>(-5))}, 5},
};

const Row kBits[] = {
    {"and.b32", "b32", {u32(12), u32(10)}, 8},
    {"or.b64", "b64", {u64(12), u64(10)}, 14},
    {"xor.b16", "b16", {u16(12), u16(10)}, 6},
    {"not.b32", "b32", {u32(0)}, 0xffffffff},
    {"shl.b32", "b32", {u32(1), u32(31)}, 0x80000000},
    {"shl.b32", "b32", {u32(1), u32(32)}, 0},
    {"shr.u32", "b32", {u32(0x80000000), u32(31)}, 1},
    {"shr.s32", "b32", {u32(0x80000000), u32(99)}, 0xffffffff},
    {"shr.u64", "b64", {u64(1ull << 63), u32(63)}, 1},
    {"shr.u64", "b64", {u64(1ull << 63), u32(64)}, 0},
    {"shr.s16", "b16", {u16(0x8000), u32(15)}, 0xffff},
    {"shf.l.wrap.b32", "b32", {u32(0x80000000), u32(1), u32(33)}, 3},
    {"shf.r.wrap.b32", "b32", {u32(2), u32(1), u32(1)}, 0x80000001},
    {"shf.l.clamp.b32", "b32", {u32(5), u32(1), u32(40)}, 5},
    {"shf.r.clamp.b32", "b32", {u32(5), u32(9), u32(40)}, 9},
    {"prmt.b32", "b32", {u32(0x33221100), u32(0x77665544), u32(0x7531)}, 0x77553311},
    {"prmt.b32", "b32", {u32(0x00800011), u32(0), u32(0x000a)}, 0x111111ff},
    {"lop3.b32", "b32", {u32(12), u32(10), u32(9)}, 12 ^ 10 ^ 9, "0x96"},
    {"lop3.b32", "b32", {u32(12), u32(10), u32(9)}, (12 & 10) | 9, "0xEA"},
    {"bfe.u32", "b32", {u32(0xabcd), u32(4), u32(8)}, 0xbc},
    {"bfe.s32", "b32", {u32(0x00000f00), u32(8), u32(4)}, 0xffffffff},
    {"bfe.u64", "b64", {u64(0xabcd), u32(4), u32(64)}, 0xabc},
    {"bfe.u32", "b32", {u32(0xabcd), u32(4), u32(0)}, 0},
    {"bfi.b32", "b32", {u32(0xff), u32(0x1234), u32(4), u32(4)}, 0x12f4},
    {"bfi.b64", "b64", {u64(~0ull), u64(0), u32(60), u32(32)}, 0xf000000000000000},
    {"bfind.u32", "b32", {u32(0x00010000)}, 16},
    {"bfind.s32", "b32", {u32(0xfffffffe)}, 0},
    {"bfind.u32", "b32", {u32(0)}, 0xffffffff},
    {"bfind.shiftamt.u32", "b32", {u32(0x00010000)}, 15},
    {"brev.b32", "b32", {u32(1)}, 0x80000000},
    {"brev.b64", "b64", {u64(1)}, 1ull << 63},
    {"clz.b32", "b32", {u32(0)}, 32},
    {"clz.b64", "b32", {u64(1)}, 63},
    {"popc.b64", "b32", {u64(~0ull)}, 64},
};

const Row kFloats[] = {
    {"add.rn.f32", "f32", {f32(1), f32(0x1p-25f)}, f(1)},
    {"add.rp.f32", "f32", {f32(1), f32(0x1p-25f)}, f(1 + 0x1p-23f)},
    {"add.rz.f32", "f32", {f32(-1), f32(-0x1p-25f)}, f(-1)},
    {"add.rm.f32", "f32", {f32(-1), f32(-0x1p-25f)}, f(-1 - 0x1p-23f)},
    {"fma.rn.f32", "f32", {f32(1 + 0x1p-23f), f32(1 + 0x1p-23f), f32(-1)}, f(0x1p-22f + 0x1p-46f)},
    {"fma.rz.f32", "f32", {f32(1), f32(1), f32(0x1p-30f)}, f(1)},
    {"fma.rp.f32", "f32", {f32(1), f32(1), f32(0x1p-30f)}, f(1 + 0x1p-23f)},
    {"mad.rn.f32", "f32", {f32(2), f32(3), f32(4)}, f(10)},
    {"add.ftz.f32", "f32", {f32(kTiny), f32(kTiny)}, f(0)},
    {"add.f32", "f32", {f32(kTiny), f32(0)}, f(kTiny)},
    {"mul.ftz.f32", "f32", {f32(1e-20f), f32(-1e-20f)}, f(-0.0f)},
    {"add.sat.f32", "f32", {f32(0.75f), f32(0.75f)}, f(1)},
    {"add.sat.f32", "f32", {f32(kNaN), f32(0.75f)}, f(0)},
    {"min.f32", "f32", {f32(kNaN), f32(2)}, f(2)},
    {"min.NaN.f32", "f32", {f32(kNaN), f32(2)}, f(kNaN)},
    {"min.f32", "f32", {f32(0.0f), f32(-0.0f)}, f(-0.0f)},
    {"max.f32", "f32", {f32(-0.0f), f32(0.0f)}, f(0)},
    {"max.f64", "f64", {f64(NAN), f64(2)}, d(2)},
    {"abs.f32", "f32", {f32(-2)}, f(2)},
    {"neg.f64", "f64", {f64(2)}, d(-2)},
    {"copysign.f32", "f32", {f32(-1), f32(3)}, f(-3)},
    {"sqrt.rn.f32", "f32", {f32(2)}, f(std::sqrt(2.0f))},
    {"rcp.rn.f64", "f64", {f64(3)}, d(1.0 / 3)},
    {"rcp.approx.ftz.f32", "f32", {f32(kTiny)}, f(kInf)},
    {"rsqrt.approx.f32", "f32", {f32(4)}, f(0.5f)},
    {"ex2.approx.f32", "f32", {f32(-1)}, f(0.5f)},
    {"lg2.approx.f32", "f32", {f32(8)}, f(3)},
    {"sin.approx.f32", "f32", {f32(0)}, f(0)},
    {"cos.approx.f32", "f32", {f32(0)}, f(1)},
    {"tanh.approx.f32", "f32", {f32(kInf)}, f(1)},
    {"div.approx.f32", "f32", {f32(1), f32(4)}, f(0.25f)},
    {"div.full.f32", "f32", {f32(1), f32(4)}, f(0.25f)},
};

const Row kHalves[] = {
    {"add.f16", "b16", {u16(0x3c00), u16(0x3c00)}, 0x4000},
    {"mul.rn.f16", "b16", {u16(0x3e00), u16(0x4000)}, 0x4200},
    {"fma.rn.f16", "b16", {u16(0x3c01), u16(0x3c03), u16(0xbc00)}, 0x1c01},
    {"add.f16x2", "b32", {u32(0x3c004000), u32(0x3c003c00)}, 0x40004200},
    {"sub.bf16", "b16", {u16(0x3f80), u16(0x4000)}, 0xbf80},
    {"fma.rn.bf16x2", "b32", {u32(0x3f804000), u32(0x40404040), u32(0x3f803f80)}, 0x408040e0},
    {"neg.f16x2", "b32", {u32(0x3c00bc00)}, 0xbc003c00},
    {"abs.bf16", "b16", {u16(0xbf80)}, 0x3f80},
    {"max.f16", "b16", {u16(0x7e00), u16(0x3c00)}, 0x3c00},
    {"min.f16x2", "b32", {u32(0x3c004000), u32(0x40003c00)}, 0x3c003c00},
    {"add.rn.bf16", "b16", {u16(0x4380), u16(0x3f80)}, 0x4380},  // 256 + 1: a tie goes to even
};

const Row kConversions[] = {
    {"cvt.rni.s32.f32", "b32", {f32(2.5f)}, 2},
    {"cvt.rzi.s32.f32", "b32", {f32(-2.9f)}, low32(-2)},
    {"cvt.rmi.s32.f32", "b32", {f32(-2.1f)}, low32(-3)},
    {"cvt.rpi.s64.f64", "b64", {f64(2.1)}, 3},
    {"cvt.rzi.s32.f32", "b32", {f32(1e20f)}, 0x7fffffff},
    {"cvt.rzi.u32.f32", "b32", {f32(-1)}, 0},
    {"cvt.rzi.s32.f32", "b32", {f32(kNaN)}, 0},
    {"cvt.rzi.u8.f32", "b16", {f32(300)}, 255},
    {"cvt.rni.f32.f32", "f32", {f32(-0.4f)}, f(-0.0f)},
    {"cvt.rn.f32.f64", "f32", {f64(1 + 0x1p-30)}, f(1)},
    {"cvt.f64.f32", "f64", {f32(1.5f)}, d(1.5)},
    {"cvt.rn.f32.s32", "f32", {u32(0x7fffffff)}, f(0x1p31f)},
    {"cvt.rn.f64.s64", "f64", {u64(~0ull)}, d(-1)},
    {"cvt.rn.f32.u64", "f32", {u64(~0ull)}, f(0x1p64f)},
    {"cvt.sat.f32.f32", "f32", {f32(7)}, f(1)},
    {"cvt.ftz.f32.f32", "f32", {f32(kTiny)}, f(0)},
    {"cvt.rn.f16.f32", "b16", {f32(1 + 0x1p-11f)}, 0x3c00},
    {"cvt.rn.f16.f32", "b16", {f32(65520)}, 0x7c00},
    {"cvt.rn.f16.f32", "b16", {f32(0x1p-25f)}, 0},
    {"cvt.f32.f16", "f32", {u16(1)}, f(0x1p-24f)},
    {"cvt.rn.bf16.f32", "b16", {f32(1 + 0x1p-8f)}, 0x3f80},
    {"cvt.rn.bf16.f32", "b16", {f32(1 + 3 * 0x1p-8f)}, 0x3f82},
    {"cvt.rn.relu.bf16.f32", "b16", {f32(-1)}, 0},
    {"cvt.f32.bf16", "f32", {u16(0xbf80)}, f(-1)},
    {"cvt.rn.f16x2.f32", "b32", {f32(1), f32(2)}, 0x3c004000},
    {"cvt.rn.bf16x2.f32", "b32", {f32(1), f32(2)}, 0x3f804000},
    {"cvt.rn.f16.s32", "b16", {u32(low32(-2))}, 0xc000},
    {"cvt.s64.s32", "b64", {u32(~0u)}, ~0ull},
    {"cvt.u64.u32", "b64", {u32(~0u)}, 0xffffffff},
    {"cvt.s32.s8", "b32", {u32(0xff80)}, low32(-128)},
    {"cvt.u16.u32", "b16", {u32(0x12345)}, 0x2345},
    {"cvt.sat.u8.s32", "b32", {u32(low32(-5))}, 0},
    {"cvt.sat.s8.s32", "b32", {u32(low32(-500))}, low32(-128)},
    {"cvt.sat.u32.s64", "b32", {u64(1ull << 40)}, 0xffffffff},
    {"cvt.sat.s32.u64", "b32", {u64(~0ull)}, 0x7fffffff},
    {"cvt.s8.s32", "b32", {u32(0x180)}, low32(-128)},
    {"cvt.u8.u32", "b32", {u32(0x180)}, 0x80},
    {"cvt.sat.s8.s32", "b32", {u32(500)}, 127},
};

const Row kComparisons[] = {
    {"setp.lt.s32", "b32", {u32(~0u), u32(1)}, 1},
    {"setp.lt.u32", "b32", {u32(~0u), u32(1)}, 0},
    {"setp.hs.u64", "b32", {u64(1), u64(1)}, 1},
    {"setp.ne.b16", "b32", {u16(1), u16(1)}, 0},
    {"setp.eq.f32", "b32", {f32(0), f32(-0.0f)}, 1},
    {"setp.ne.f32", "b32", {f32(kNaN), f32(1)}, 0},
    {"setp.neu.f32", "b32", {f32(kNaN), f32(1)}, 1},
    {"setp.equ.f32", "b32", {f32(kNaN), f32(1)}, 1},
    {"setp.ltu.f64", "b32", {f64(2), f64(1)}, 0},
    {"setp.geu.f32", "b32", {f32(2), f32(kNaN)}, 1},
    {"setp.leu.f32", "b32", {f32(2), f32(2)}, 1},
    {"setp.gtu.f32", "b32", {f32(2), f32(2)}, 0},
    {"setp.num.f32", "b32", {f32(2), f32(kNaN)}, 0},
    {"setp.nan.f64", "b32", {f64(NAN), f64(2)}, 1},
    {"testp.finite.f32", "b32", {f32(kInf)}, 0},
    {"testp.subnormal.f32", "b32", {f32(kTiny)}, 1},
    {"testp.notanumber.f64", "b32", {f64(NAN)}, 1},
    {"slct.b32.s32", "b32", {u32(7), u32(9), u32(~0u)}, 9},
    {"slct.f32.f32", "f32", {f32(7), f32(9), f32(0)}, f(7)},
};

/// A kernel that computes one row into the 8 bytes it is given.
std::string kernel_of(const Row& row) {
  std::string parameters = ".param .u64 out", body, operands;
  for (size_t k = 0; k < row.sources.size(); ++k) {
    const std::string& type = row.sources[k].type;
    parameters += fmt::format(", .param .{} in{}", type, k);
    body += fmt::format(".reg .{} %s{}; ld.param.{} %s{}, [in{}];\n", type, k, type, k, k);
    operands += fmt::format(", %s{}", k);
  }
  if (!row.literal.empty()) operands += ", " + row.literal;
  const bool predicate = row.opcode.starts_with("setp") || row.opcode.starts_with("testp");
  body += predicate ? fmt::format("{} %p{};\n selp.b32 %d, 1, 0, %p;\n", row.opcode, operands)
                    : fmt::format("{} %d{};\n", row.opcode, operands);
  return fmt::format(
      ".visible .entry row({}) {{\n.reg .pred %p; .reg .b64 %out; .reg .{} %d;\n"
      "ld.param.u64 %out, [out];\n{}st.global.{} [%out], %d;\nret;\n}}\n",
      parameters, row.result, body, row.result);
}

/// What a warp of so many lanes leaves; the error's text when the row can't run.
uint64_t result_of(const Row& row, uint32_t threads, std::string* error) {
  VirtualDevice device;
  device.collect_reports();  // that all lanes write one element is a race
  device.set_jitter(false);  // bits are compared
  try {
    const auto module =
        device.load({{}, ".version 8.5\n.target sm_90\n.address_size 64\n" + kernel_of(row)});
    const OnDevice<uint64_t> out(&device, std::vector<uint64_t>{0});
    void* const to = out.get();
    std::vector<const void*> pointers = {&to};
    for (const Source& source : row.sources) pointers.push_back(&source.bits);
    cuda::Launch launch;
    launch.function = &module->function("row");
    launch.block = {threads};
    launch.arguments = const_cast<void* const*>(pointers.data());
    device.launch(launch);
    device.synchronize(cuda::Stream{});
    return out.values()[0];
  } catch (const std::exception& refused) {
    *error = refused.what();
    return 0;
  }
}

void check(std::span<const Row> rows) {
  for (const Row& row : rows) {
    for (const uint32_t threads : {32u, 1u}) {  // all lanes, and a part of the warp
      std::string error;
      const uint64_t got = result_of(row, threads, &error);
      EXPECT_EQ(error, "") << row.opcode;
      EXPECT_EQ(got, row.expected) << row.opcode << " of " << threads << " lanes gives " << std::hex
                                   << got << ", not " << row.expected;
    }
  }
}

TEST(Instructions, Integers) { check(kIntegers); }
TEST(Instructions, Bits) { check(kBits); }
TEST(Instructions, Floats) { check(kFloats); }
TEST(Instructions, Halves) { check(kHalves); }
TEST(Instructions, Conversions) { check(kConversions); }
TEST(Instructions, Comparisons) { check(kComparisons); }

}  // namespace
}  // namespace torchweld::virtual_gpu
