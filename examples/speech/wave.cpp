#include "examples/speech/wave.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace {

struct Pcm {
  int rate = 0;
  std::vector<float> samples;
};

template <class T>
T read(const std::vector<char>& bytes, size_t at) {
  if (at + sizeof(T) > bytes.size()) throw std::runtime_error("the WAV file is cut short");
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

/// Walks over the chunks of a RIFF file: "fmt " tells the format, "data" holds the samples.
Pcm parse(const std::vector<char>& bytes) {
  constexpr size_t kRiffHeader = 12, kChunkHeader = 8;
  Pcm pcm;
  for (size_t at = kRiffHeader; at + kChunkHeader <= bytes.size();) {
    const std::string name(bytes.data() + at, 4);
    // A stream of unknown length says 0xFFFFFFFF, or zero.
    const size_t left = bytes.size() - at - kChunkHeader;
    const size_t size = std::min<size_t>(read<uint32_t>(bytes, at + 4), left);
    const size_t body = at + kChunkHeader;
    if (name == "fmt ") {
      const bool is_pcm = read<uint16_t>(bytes, body) == 1,
                 is_mono = read<uint16_t>(bytes, body + 2) == 1;
      if (!is_pcm || !is_mono || read<uint16_t>(bytes, body + 14) != 16) {
        throw std::runtime_error("expected a WAV file of 16-bit PCM, mono");
      }
      pcm.rate = static_cast<int>(read<uint32_t>(bytes, body + 4));
    } else if (name == "data") {
      for (size_t i = 0; i + 1 < size; i += 2)
        pcm.samples.push_back(read<int16_t>(bytes, body + i) / 32768.0f);
    }
    at = body + size + size % 2;
  }
  if (pcm.rate == 0 || pcm.samples.empty())
    throw std::runtime_error("not a WAV file, or one without samples");
  return pcm;
}

std::vector<float> resampled(const Pcm& pcm) {
  const double step = static_cast<double>(pcm.rate) / kRate;
  std::vector<float> result;
  for (double at = 0; at + 1 < static_cast<double>(pcm.samples.size()); at += step) {
    const auto left = static_cast<size_t>(at);
    const auto share = static_cast<float>(at - static_cast<double>(left));
    result.push_back(pcm.samples[left] * (1 - share) + pcm.samples[left + 1] * share);
  }
  return result;
}

}  // namespace

std::vector<float> read_wave(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  if (bytes.size() < 12 || std::string(bytes.data(), 4) != "RIFF")
    throw std::runtime_error(path + " is no WAV file");
  return resampled(parse(bytes));
}

std::vector<float> synthesised_wave() {
  constexpr double kTau = 6.283185307179586;
  // The first formants of a, i and u; harmonics near them are loud.
  constexpr double kFormants[3][3] = {{730, 1090, 2440}, {270, 2290, 3010}, {300, 870, 2240}};
  std::vector<float> samples;
  double phase = 0;
  for (int t = 0; t < 6 * kRate; ++t) {
    const double seconds = static_cast<double>(t) / kRate;
    phase += (120 + 25 * std::sin(kTau * 0.9 * seconds)) / kRate;
    const bool voiced = std::fmod(seconds, 2.0) > 0.5 && std::fmod(seconds, 2.0) < 1.6;
    const auto& vowel = kFormants[static_cast<int>(seconds * 5) % 3];
    double sum = 0;
    for (int harmonic = 1; voiced && harmonic < 30; ++harmonic) {
      double loud = 0;
      for (const double formant : vowel)
        loud += std::exp(-std::pow((harmonic * 120 - formant) / 120, 2));
      sum += (loud + 0.02) * std::sin(kTau * harmonic * phase) / harmonic;
    }
    samples.push_back(static_cast<float>(0.3 * sum * (0.6 + 0.4 * std::sin(kTau * 4 * seconds))));
  }
  return samples;
}
