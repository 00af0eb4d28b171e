// torchweld bench: the call by Torchweld and by LibTorch, interleaved.
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/call.h"
#include "cli/commands.h"
#include "cli/contenders.h"
#include "cli/progress.h"
#include "cli/value_text.h"

namespace torchweld::cli {
namespace {

using Json = nlohmann::ordered_json;

Json timings_json(const std::vector<Timing>& timings) {
  Json json = Json::array();
  for (const Timing& t : timings) {
    json.push_back({{"name", t.name},
                    {"median_us", t.median_us},
                    {"min_us", t.min_us},
                    {"first_us", t.first_us},
                    {"calls", t.calls},
                    {"ratio", t.median_us / timings.front().median_us}});
  }
  return json;
}

}  // namespace

int bench_command(const BenchArguments& arguments) {
  const Call call = prepared_call(arguments.call, Planning::kBackground);
  std::vector<Unavailable> unavailable;
  const Progress progress("loading LibTorch's modules");
  const auto all = contenders(call.engine, arguments.call.archive, call.inputs, unavailable);
  const auto timings = time_interleaved(all, arguments.seconds, [&](double done) {
    progress.say(fmt::format("timing: {:.0f} %", done * 100));
  });
  if (arguments.call.json) {
    Json json{{"archive", arguments.call.archive},
              {"version", version()},
              {"threads", at::get_num_threads()},
              {"inputs", value_json(c10::ivalue::Tuple::create(call.inputs))},
              {"contenders", timings_json(timings)},
              {"unavailable", Json::object()}};
    for (const Unavailable& u : unavailable) json["unavailable"][u.name] = u.reason;
    std::cout << json.dump(2) << "\n";
    return 0;
  }
  std::cout << fmt::format("{}, {} threads\n{}", version(), at::get_num_threads(),
                           timing_table(timings));
  for (const Unavailable& u : unavailable)
    std::cout << fmt::format("{}: not available: {}\n", u.name, u.reason);
  return 0;
}

}  // namespace torchweld::cli
