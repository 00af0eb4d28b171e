// Whole calls on one thread against LibTorch's ways to run the same archive, interleaved: the
// figures of docs/benchmarks.md. usage: calls --archives FOLDER --silero FILE [--json FILE]
// [--seconds N]
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>

#include <ctime>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "cli/contenders.h"
#include "kernels/processor.h"
#include "torchweld/torchweld.h"

namespace {

using Json = nlohmann::ordered_json;
using Values = std::vector<c10::IValue>;

constexpr int64_t kMillion = 1 << 20;

/// One archive and the call that is timed.
struct Case {
  std::string name, archive;
  std::function<Values()> inputs;
  int64_t bytes = 0;  ///< least traffic to and from memory; 0 where memory is not the limit
};

std::vector<Case> cases(const std::string& archives, const std::string& silero) {
  const auto image = [] { return Values{at::randn({1, 3, 224, 224})}; };
  const auto million = [] { return Values{at::randn({kMillion})}; };
  return {
      {"silero_vad, 512 samples", silero,
       [] {
         return Values{at::randn({1, 512}) * 0.1, 16000};
       }},
      {"gated RNN, 100 steps", archives + "/control_flow/gated_rnn_traced_outside.pt",
       [] {
         return Values{at::rand({100, 3, 4})};
       }},
      {"12 pointwise operators, 1 M floats, transcendental",
       archives + "/pointwise/chain_transcendental.pt", million, 8 * kMillion},
      {"12 pointwise operators, 1 M floats, memory", archives + "/pointwise/chain_memory.pt",
       million, 8 * kMillion},
      {"layer norm, softmax, gelu, 4096 x 1024", archives + "/layers/norm_softmax_gelu.pt",
       [] {
         return Values{at::randn({4096, 1024})};
       },
       32 * kMillion},
      {"Linear(2, 2) and relu", archives + "/layers/linear_relu_traced.pt",
       [] {
         return Values{at::randn({1, 2})};
       }},
      {"LSTM step, width 64", archives + "/recurrent/lstm_step.pt",
       [] {
         return Values{at::randn({1, 64}), at::randn({1, 64}), at::randn({1, 64})};
       }},
      {"MLP 1000-1000-100, batch 128", archives + "/layers/mlp_1000_1000_100.pt",
       [] {
         return Values{at::randn({128, 1000})};
       }},
      {"encoder block, 4 x 128 x 512", archives + "/language/encoder_block_wide.pt",
       [] {
         return Values{at::randn({4, 128, 512})};
       }},
      {"ResNet-18", archives + "/vision/resnet18.pt", image},
  };
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m-%d", std::gmtime(&now));
  return text;
}

Json measured(const Case& c, double seconds) {
  at::manual_seed(0);
  const Values inputs = c.inputs();
  const torchweld::Engine engine = torchweld::load(c.archive);
  std::vector<torchweld::cli::Unavailable> unavailable;
  const auto all = torchweld::cli::contenders(engine, c.archive, inputs, unavailable);
  const auto timings = torchweld::cli::time_interleaved(all, seconds);
  std::cout << fmt::format("{}\n{}", c.name, torchweld::cli::timing_table(timings));
  Json contenders = Json::array();
  for (const auto& t : timings) {
    contenders.push_back({{"name", t.name},
                          {"median_us", t.median_us},
                          {"min_us", t.min_us},
                          {"first_us", t.first_us},
                          {"ratio", t.median_us / timings.front().median_us}});
    if (c.bytes) contenders.back()["gb_per_s"] = static_cast<double>(c.bytes) / t.median_us / 1e3;
  }
  if (c.bytes) {
    std::cout << fmt::format("torchweld moves {:.1f} GB/s\n",
                             static_cast<double>(c.bytes) / timings[0].median_us / 1e3);
  }
  std::cout << std::endl;
  return {{"name", c.name}, {"contenders", contenders}};
}

constexpr const char* kUsage =
    "usage: calls --archives FOLDER --silero FILE [--json FILE] [--seconds N]";

/// What follows each option; throws with the usage if the command can't be followed.
std::map<std::string, std::string> options_of(int argc, char** argv) {
  std::map<std::string, std::string> options{
      {"--archives", ""}, {"--silero", ""}, {"--json", ""}, {"--seconds", "1"}};
  for (int i = 1; i < argc; i += 2) {
    if (options.count(argv[i]) == 0 || i + 1 == argc) throw std::invalid_argument(kUsage);
    options[argv[i]] = argv[i + 1];
  }
  if (options["--archives"].empty() || options["--silero"].empty())
    throw std::invalid_argument(kUsage);
  return options;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::map<std::string, std::string> options = options_of(argc, argv);
  at::set_num_threads(1);
  Json result{{"version", torchweld::version()},
              {"processor", torchweld::processor_name()},
              {"threads", 1},
              {"date", today()}};
  std::cout << fmt::format("{}, one thread of {}\n\n", torchweld::version(),
                           torchweld::processor_name());
  for (const Case& c : cases(options.at("--archives"), options.at("--silero"))) {
    result["cases"].push_back(measured(c, std::stod(options.at("--seconds"))));
  }
  const std::string& json = options.at("--json");
  if (!json.empty()) std::ofstream(json) << result.dump(2) << "\n";
} catch (const std::exception& error) {
  std::cerr << "calls: " << error.what() << "\n";
  return 1;
}
