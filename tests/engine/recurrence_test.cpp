// Recurrent layers on the host are steps of our own, whatever their sizes.
#include <gtest/gtest.h>

#include "tests/support/archives.h"
#include "tests/support/script_module.h"
#include "torchweld/torchweld.h"

namespace torchweld::testing {
namespace {

class RecurrentLayers : public ::testing::TestWithParam<std::string> {};

TEST_P(RecurrentLayers, AreOneStep) {
  Options options = blocking();
  options.measure_plans = false;
  const Engine engine = load(archive_path(GetParam()), options);
  const Explanation how = engine.explain(archive_inputs(GetParam()).inputs);
  int layers = 0;
  for (const ExplainedBlock& block : how.blocks) {
    for (const ExplainedStep& step : block.steps) {
      layers += step.kind == StepKind::kLibrary && !step.nodes.empty() &&
                step.nodes[0].op.ends_with(".input");
      EXPECT_FALSE(step.name.starts_with("aten::lstm") || step.name.starts_with("aten::gru") ||
                   step.name.starts_with("aten::rnn"))
          << step.name << ": " << step.reason;
    }
  }
  EXPECT_EQ(layers, 1);
}

INSTANTIATE_TEST_SUITE_P(
    Archives, RecurrentLayers,
    ::testing::Values("recurrence/lstm", "recurrence/lstm_of_one_step",
                      "recurrence/lstm_without_batch", "recurrence/lstm_two_layers_without_bias",
                      "recurrence/lstm_both_ways_with_state", "recurrence/lstm_with_projection",
                      "recurrence/lstm_with_projection_without_bias", "recurrence/gru",
                      "recurrence/gru_both_ways_with_state", "recurrence/rnn_tanh_two_layers",
                      "recurrence/rnn_relu_both_ways_without_bias",
                      "recurrence/last_state_of_transposed_input", "recurrence/lstm_beside_a_cell",
                      "recurrent/lstm_layers_wide", "recurrent/lstm_of_columns",
                      "recurrent/gru_long", "recurrent/gru_longer_than_it_unrolls"),
    [](const auto& info) { return info.param.substr(info.param.find('/') + 1); });

}  // namespace
}  // namespace torchweld::testing
