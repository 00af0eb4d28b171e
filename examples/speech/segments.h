// From a probability a chunk to stretches of speech.
#pragma once

#include <cstdint>
#include <vector>

/// [begin, end) in seconds.
struct Segment {
  double begin = 0, end = 0;
};

/// Speech begins at a probability of 0.5 and ends after 0.1 s below 0.35; stretches under 0.25 s
/// are noise.
std::vector<Segment> speech_segments(const std::vector<float>& probabilities, double chunk_seconds);
