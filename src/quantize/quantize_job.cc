// The contract's words for a job, turned into those of this folder and back.
#include "formats/grid.h"
#include "nibble/quantize.h"
#include "quantize/quantize.h"

namespace nibble {
namespace {

QuantizeOptions options_of(const QuantizeJob& job) {
  QuantizeOptions options;
  options.transforms = job.transforms;
  options.method = job.method;
  options.grid = job.grid;
  options.group_size = job.group_size;
  options.settings = job.settings;
  options.layout = job.layout;
  options.dialect = job.dialect;
  options.skip = job.skip;
  for (const ModuleRule& rule : job.rules) {
    Override override{.pattern = rule.pattern, .method = {}, .grid = nullptr, .group_size = {}};
    if (!rule.method.empty()) override.method = rule.method;
    if (!rule.grid.empty()) override.grid = &grids::named(rule.grid);
    override.group_size = rule.group_size;
    options.overrides.push_back(std::move(override));
  }
  options.calibration.sources = job.calibration;
  options.calibration.samples = job.samples;
  options.calibration.length = job.length;
  options.calibration.seed = job.seed;
  options.statistics = job.statistics;
  options.imatrix = job.imatrix;
  options.compute = job.compute;
  options.memory_limit = job.memory_limit;
  options.max_shard_bytes = job.max_shard_bytes;
  options.max_part_bytes = job.max_part_bytes;
  options.allow_requantize = job.allow_requantize;
  options.allow_nonfinite = job.allow_nonfinite;
  options.force = job.replace;
  options.resume = job.resume;
  return options;
}

QuantizedModule told(const ModuleReport& report) {
  const PlannedModule& module = report.module;
  return {.name = module.name,
          .method = std::string(module.method->name),
          .grid = std::string(module.shape.grid->name),
          .group_size = module.settings().group_size,
          .weight_error = report.weight_error,
          .output_error = report.output_error,
          .notes = report.notes};
}

}  // namespace

QuantizeOutcome quantize(const std::filesystem::path& model, const std::filesystem::path& output,
                         const QuantizeJob& job) {
  QuantizeSinks sinks;
  sinks.log = job.log;
  if (job.progress)
    sinks.progress = [&](const ProgressEvent& event) {
      job.progress(event.label.empty() ? event.job : event.label, event.work_done,
                   event.work_total);
    };
  if (job.module_done)
    sinks.module_done = [&](const ModuleReport& report, std::size_t done, std::size_t total) {
      job.module_done(told(report), done, total);
    };
  const QuantizeResult result = quantize_model(model, output, options_of(job), sinks, job.dry_run);
  QuantizeOutcome outcome{.input_bytes = result.plan.input_bytes,
                          .output_bytes = result.plan.output_bytes,
                          .bits_per_weight = result.plan.bits_per_weight,
                          .expected_seconds = result.plan.seconds,
                          .resumed_layers = result.resumed_layers,
                          .modules = {}};
  for (const ModuleReport& report : result.modules) outcome.modules.push_back(told(report));
  return outcome;
}

}  // namespace nibble
