// torchweld run: one call, its outputs printed and perhaps saved.
#include <fmt/format.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/call.h"
#include "cli/commands.h"
#include "cli/value_text.h"

namespace torchweld::cli {
namespace {

void save(const c10::IValue& value, const std::string& path) {
  const std::vector<char> bytes = torch::jit::pickle_save(value);
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) throw Error(ErrorCode::kFile, fmt::format("can't write the outputs to {}", path));
}

}  // namespace

int run_command(const RunArguments& arguments) {
  const Call call = prepared_call(arguments.call, Planning::kOff);
  const c10::IValue output = call.engine.run(call.inputs);
  if (!arguments.save.empty()) save(output, arguments.save);
  if (arguments.call.json) {
    std::cout << nlohmann::ordered_json{{"archive", arguments.call.archive},
                                        {"output", value_json(output)}}
                     .dump(2)
              << "\n";
  } else {
    std::cout << value_text(output);
  }
  return 0;
}

}  // namespace torchweld::cli
