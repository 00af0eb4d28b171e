#include "examples/speech/segments.h"

#include <cstddef>

namespace {

constexpr float kBegins = 0.5f, kEnds = 0.35f;
constexpr double kLeastSilence = 0.1, kLeastSpeech = 0.25;

}  // namespace

std::vector<Segment> speech_segments(const std::vector<float>& probabilities,
                                     double chunk_seconds) {
  std::vector<Segment> segments;
  Segment current;
  bool speaking = false;
  const auto close = [&] {
    if (current.end - current.begin >= kLeastSpeech) segments.push_back(current);
    speaking = false;
  };
  for (size_t i = 0; i < probabilities.size(); ++i) {
    const double begin = static_cast<double>(i) * chunk_seconds;
    if (!speaking && probabilities[i] >= kBegins) {
      current = {begin, begin};
      speaking = true;
    }
    if (!speaking) continue;
    if (probabilities[i] >= kEnds) current.end = begin + chunk_seconds;
    if (begin + chunk_seconds - current.end >= kLeastSilence) close();
  }
  if (speaking) close();
  return segments;
}
