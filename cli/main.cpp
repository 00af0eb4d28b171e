// The torchweld program: reads the command line, calls one command, turns errors into one line and
// an exit status.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <string>

#include "cli/commands.h"
#include "cli/input_spec.h"
#include "torchweld/torchweld.h"

namespace {

using torchweld::cli::CallArguments;

constexpr int kUsageStatus = 2;

const std::map<std::string, torchweld::Precision> kPrecisions = {
    {"tf32", torchweld::Precision::kTF32},
    {"bf16", torchweld::Precision::kBFloat16},
    {"f16", torchweld::Precision::kFloat16}};

CLI::App* add_command(CLI::App& app, const char* name, const char* help, CallArguments& call) {
  CLI::App* command = app.add_subcommand(name, help);
  command->add_option("archive", call.archive, "a TorchScript archive (.pt)")->required();
  auto* inputs = command->add_option("-i,--input", call.inputs, torchweld::cli::kInputSpecHelp);
  inputs->expected(1)->take_all();
  command
      ->add_option("--inputs", call.inputs_file,
                   "inputs written by torch.save: a tuple, or a dict with \"inputs\" and perhaps "
                   "\"outputs\"")
      ->excludes(inputs);
  command->add_option("--method", call.method, "which method to call")->capture_default_str();
  command
      ->add_option(
          "--device", call.device,
          "cpu, cuda, cuda:N, or virtual: the CUDA path on an interpreted GPU, which checks "
          "every access and is slow")
      ->capture_default_str();
  command->add_option("--seed", call.seed, "seed of random inputs and operators")
      ->capture_default_str();
  command->add_option("--threads", call.threads, "threads of LibTorch's pool; 0: its own choice")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--exact", call.exact,
                    "round after every operator, as LibTorch's eager mode does");
  command
      ->add_option("--precision", call.precision,
                   "compute float32 products in tf32, bf16 or f16 where the device is fast at it; "
                   "check then compares with float64")
      ->transform(CLI::Transformer(kPrecisions).description("tf32, bf16 or f16"))
      ->type_name("TYPE");
  command->add_flag(
      "--no-measure", call.no_measure,
      "keep the planner's plan: neither compare nor time it against LibTorch's steps");
  command->add_flag("--measure-products", call.measure_products,
                    "time the algorithms of matrix products on a CUDA device, and keep the choice");
  command->add_flag("--json", call.json, "print JSON");
  return command;
}

/// Every command with its options; the chosen one leaves what to do in `chosen`.
class CommandLine {
 public:
  explicit CommandLine(CLI::App& app) {
    app.require_subcommand(1);
    app.set_version_flag("--version", [] { return torchweld::version(); });
    CLI::App* run = add_command(app, "run", "run the call and print its outputs", run_.call);
    run->add_option("--save", run_.save, "write the outputs to a file that torch.load reads");
    run->callback([this] { chosen = [this] { return run_command(run_); }; });

    CLI::App* check =
        add_command(app, "check", "compare several runs with LibTorch's", check_.call);
    check->add_option("--runs", check_.runs, "how many runs")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    check->add_option("--rtol", check_.relative, "relative tolerance; torch.testing's by default");
    check->add_option("--atol", check_.absolute, "absolute tolerance; torch.testing's by default");
    check->add_flag("--float64", check_.float64,
                    "accept differences where the answer is no farther from LibTorch's in float64 "
                    "than LibTorch's own is, as is done for float16 and bfloat16");
    check->callback([this] { chosen = [this] { return check_command(check_); }; });

    CLI::App* explain =
        add_command(app, "explain", "tell how the call is executed, and why", explain_.call);
    explain->add_option("--dot", explain_.dot, "write a drawing of the steps as Graphviz text");
    explain->add_option("--svg", explain_.svg, "write a drawing of the steps");
    explain->add_option("--kernels", explain_.kernels,
                        "write the CUDA kernels' sources, PTX and resources into a folder");
    explain->add_flag("--graph", explain_.graph, "also print what was recorded");
    explain->callback([this] { chosen = [this] { return explain_command(explain_); }; });

    CLI::App* bench = add_command(app, "bench", "time the call against LibTorch's", bench_.call);
    bench->add_option("--seconds", bench_.seconds, "time for each contender")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    bench->callback([this] { chosen = [this] { return bench_command(bench_); }; });
  }

  std::function<int()> chosen;

 private:
  torchweld::cli::RunArguments run_;
  torchweld::cli::CheckArguments check_;
  torchweld::cli::ExplainArguments explain_;
  torchweld::cli::BenchArguments bench_;
};

/// One line on standard error, whatever the message looks like.
int fail(const std::string& message) {
  std::string line;
  for (const char c : message) {
    if (c != '\n') {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  std::cerr << "torchweld: " << line << "\n";
  return 1;
}

/// LibTorch's messages go on with a stack of addresses.
std::string without_stack(const std::string& message) {
  return message.substr(0, message.find("Exception raised from"));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Runs TorchScript archives with fused kernels and LibTorch's answers.", "torchweld");
  CommandLine line(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageStatus;
  }
  try {
    return line.chosen();
  } catch (const torchweld::Error& error) {
    return fail(error.what());
  } catch (const std::exception& error) {
    return fail(without_stack(error.what()));
  }
}
