// One --input of the program: a value written as text.
#pragma once

#include <ATen/core/ivalue.h>

#include <string>

namespace torchweld::cli {

/// What --help says about the text of an input.
extern const char* const kInputSpecHelp;

/// Reads a value:
///
///   f32[1,3,224,224]       normal random numbers; also f64 f16 bf16, and bool[...] at random
///   f32[4]:0..1            uniform random numbers in [0, 1)
///   i64[1,12]:0..30000     random integers in [0, 30000); without a range in [0, 10)
///   f32[2,2]:1.5           every element 1.5
///   bool:true  int:16000  float:0.5  str:text  none
///
/// Random numbers come from LibTorch's default generator.
/// Throws  Error: kBadText, with the place and what was expected.
c10::IValue parse_input(const std::string& text);

}  // namespace torchweld::cli
