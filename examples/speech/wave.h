// Sound: read from a WAV file, or synthesised.
#pragma once

#include <string>
#include <vector>

constexpr int kRate = 16000;  ///< samples a second, of everything here

/// The samples of a mono, 16-bit PCM file, resampled to kRate, in [-1, 1].
///
/// Throws  std::runtime_error for any other file.
std::vector<float> read_wave(const std::string& path);

/// Three stretches of vowel-like sound with silence between them.
std::vector<float> synthesised_wave();
