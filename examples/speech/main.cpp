// Finds speech in a recording with silero_vad.jit, chunk by chunk, by Torchweld and by LibTorch
// side by side. usage: speech ARCHIVE FILE.wav, or `synthesised` for a voice made on the spot
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <torchweld/torchweld.h>

#include <algorithm>
#include <chrono>
#include <iostream>

#include "cli/compare.h"
#include "cli/libtorch_module.h"
#include "examples/speech/segments.h"
#include "examples/speech/wave.h"

namespace {

constexpr int64_t kChunk = 512;  ///< samples; what the archive takes at 16 kHz

/// The chunks of a recording, the last one filled up with silence.
std::vector<at::Tensor> chunks_of(const std::vector<float>& samples) {
  std::vector<at::Tensor> chunks;
  for (size_t begin = 0; begin < samples.size(); begin += kChunk) {
    at::Tensor chunk = at::zeros({1, kChunk});
    const size_t end = std::min(begin + kChunk, samples.size());
    std::copy(samples.begin() + begin, samples.begin() + end, chunk.data_ptr<float>());
    chunks.push_back(chunk);
  }
  return chunks;
}

struct Timed {
  at::Tensor answer;
  double us;
};

template <class Call>
Timed timed(const Call& call) {
  const auto start = std::chrono::steady_clock::now();
  at::Tensor answer = call().toTensor();
  return {
      answer,
      std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count()};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// What listening to the whole recording gave.
struct Result {
  std::vector<float> probabilities;
  std::vector<double> torchweld_us, libtorch_us;
  size_t agreeing = 0;
  double largest_difference = 0;
};

Result listen(const std::string& archive, const std::vector<at::Tensor>& chunks,
              torchweld::Numerics numerics) {
  torchweld::Options options;
  options.planning = torchweld::Planning::kBlocking;
  options.numerics = numerics;
  const torchweld::Engine engine = torchweld::load(archive, options);
  torchweld::Session session = engine.session();
  torchweld::cli::LibTorchModule reference(archive);

  Result result;
  for (const at::Tensor& chunk : chunks) {
    const Timed theirs = timed([&] { return reference.run({chunk, kRate}); });
    const Timed ours = timed([&] { return session.run({chunk, kRate}); });
    const auto comparison = torchweld::cli::compare(theirs.answer, ours.answer);
    if (!comparison.mismatch) ++result.agreeing;
    result.largest_difference = std::max(result.largest_difference, comparison.largest_error);
    result.probabilities.push_back(ours.answer.item<float>());
    result.libtorch_us.push_back(theirs.us);
    result.torchweld_us.push_back(ours.us);
  }
  return result;
}

void print_segments(const Result& result) {
  constexpr double kSeconds = static_cast<double>(kChunk) / kRate;
  const size_t chunks = result.probabilities.size();
  std::cout << fmt::format("{:.1f} s of sound, {} chunks of {} samples\n", kSeconds * chunks,
                           chunks, kChunk);
  const auto segments = speech_segments(result.probabilities, kSeconds);
  for (const Segment& s : segments)
    std::cout << fmt::format("  speech from {:.2f} s to {:.2f} s\n", s.begin, s.end);
  if (segments.empty()) std::cout << "  no speech found\n";
}

void print(const char* numerics, const Result& result) {
  const double theirs = median(result.libtorch_us), ours = median(result.torchweld_us);
  std::cout << fmt::format(
      "{} numerics: within torch.testing's tolerances of LibTorch on {} of {} chunks, largest "
      "difference {:.2g};\n  a chunk takes LibTorch {:.0f} us, Torchweld {:.0f} us (median, one "
      "thread): {:.1f} times faster\n",
      numerics, result.agreeing, result.probabilities.size(), result.largest_difference, theirs,
      ours, theirs / ours);
}

/// What a listener would notice: a chunk that one run takes for speech and the other doesn't.
bool hears_the_same(const Result& a, const Result& b) {
  return std::equal(a.probabilities.begin(), a.probabilities.end(), b.probabilities.begin(),
                    b.probabilities.end(),
                    [](float p, float q) { return (p < 0.5f) == (q < 0.5f); });
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) throw std::runtime_error("usage: speech ARCHIVE FILE.wav");
  at::set_num_threads(1);
  const std::string wave = argv[2];
  const auto chunks = chunks_of(wave == "synthesised" ? synthesised_wave() : read_wave(wave));
  const Result fast = listen(argv[1], chunks, torchweld::Numerics::kDefault);
  const Result exact = listen(argv[1], chunks, torchweld::Numerics::kExact);
  print_segments(fast);
  print("default", fast);
  print("exact", exact);
  // The state goes from chunk to chunk, which amplifies the order of sums: docs/numerics.md has how
  // far LibTorch itself is from a float64 run. Exact numerics leave no such room.
  return exact.agreeing == chunks.size() && hears_the_same(fast, exact) ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "speech: " << error.what() << "\n";
  return 1;
}
