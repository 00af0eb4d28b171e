#include "kernels/cuda/source.h"

#include <fmt/format.h>

#include "kernels/cuda/body_source.h"
#include "kernels/cuda/expression.h"

namespace torchweld::cuda {
namespace {

/// `call` with its template arguments, as the whole of an entry.
///
/// Where a row is kept in registers a number of blocks is asked for, one: without it the assembler
/// spills some of the row to raise the occupancy.
void add_entry(const std::string& name, const Schedule& schedule, const std::string& call,
               Source* source) {
  source->entries.push_back(name);
  source->text += fmt::format(
      "\nextern \"C\" __global__ void __launch_bounds__({}) {}(const __grid_constant__ Body::Args "
      "a) {{\n  {}(a);\n}}\n",
      schedule.tiles > 0 ? fmt::format("{}, 1", schedule.threads)
                         : fmt::format("{}", schedule.threads),
      name, call);
}

void add_split_entries(const std::string& name, const Schedule& schedule, const Phases& phases,
                       bool stores_row, Source* source) {
  for (int phase = 0; phase < phases.count; ++phase) {
    add_entry(fmt::format("{}_phase{}", name, phase), schedule,
              fmt::format("row_split<Body, {}, {}, {}>", schedule.vector, schedule.threads, phase),
              source);
  }
  if (!stores_row) return;
  add_entry(name + "_rows", schedule, fmt::format("row_split_finish<Body, {}>", schedule.threads),
            source);
}

}  // namespace

Source source_of(const KernelSpec& spec, const Schedule& schedule) {
  const BodySource body(spec, schedule);
  const std::string_view skeleton = row_of(schedule.skeleton).name;
  const std::string name = identifier(spec.name);
  Source source;
  source.params = body.params();
  source.text = fmt::format("// {}: {}, {} at once, {}-bit places\n#include \"{}.cuh\"\n\n", name,
                            skeleton, schedule.vector, schedule.wide ? 64 : 32, skeleton);
  source.text += body.text();
  const auto entry = [&](const std::string& suffix, const std::string& arguments) {
    add_entry(name + suffix, schedule, fmt::format("{}<Body{}>", skeleton, arguments), &source);
  };
  switch (schedule.skeleton) {
    case Skeleton::kPointwise:
      entry("", fmt::format(", {}", schedule.vector));
      if (schedule.vector > 1) entry("_scalar", ", 1");
      break;
    case Skeleton::kTranspose:
      entry("", fmt::format(", {}", schedule.across));
      break;
    case Skeleton::kRowThread:
      entry("", fmt::format(", {}", schedule.vector));
      break;
    case Skeleton::kRowColumns:
      entry("", fmt::format(", {}", schedule.lanes));
      break;
    case Skeleton::kRowWarp:
    case Skeleton::kRowBlock:
      entry("", fmt::format(", {}, {}, {}", schedule.vector, schedule.lanes, schedule.tiles));
      break;
    case Skeleton::kRowSplit: {
      bool stores_row = false;
      for (const StoreSpec& store : spec.stores) stores_row = stores_row || store.per_row;
      add_split_entries(name, schedule, phases_of(spec), stores_row, &source);
      break;
    }
  }
  return source;
}

}  // namespace torchweld::cuda
