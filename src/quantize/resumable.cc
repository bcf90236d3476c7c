#include "quantize/resumable.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

Json number_or_null(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

std::optional<double> optional_number(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return json.get<double>();
}

Json report_json(const ModuleReport& report) {
  return {{"name", report.module.name},
          {"weight_error", report.weight_error},
          {"output_error", number_or_null(report.output_error)},
          {"damping", number_or_null(report.damping)},
          {"dead_columns", report.dead_columns},
          {"fallback", report.fallback},
          {"notes", report.notes},
          {"codes_sha256", report.codes_sha256}};
}

ModuleReport report_of(const Json& json, const Recipe& recipe) {
  const auto name = json.at("name").get<std::string>();
  const auto found = std::find_if(recipe.modules.begin(), recipe.modules.end(),
                                  [&](const PlannedModule& module) { return module.name == name; });
  if (found == recipe.modules.end())
    throw Error(ErrorKind::kCorruptFile,
                cat("the journal names module \"", name, "\", which the job does not have"));
  ModuleReport report;
  report.module = *found;
  report.weight_error = json.at("weight_error").get<double>();
  report.output_error = optional_number(json.at("output_error"));
  report.damping = optional_number(json.at("damping"));
  report.dead_columns = json.at("dead_columns").get<std::size_t>();
  report.fallback = json.at("fallback").get<bool>();
  report.notes = json.at("notes").get<std::vector<std::string>>();
  report.codes_sha256 = json.at("codes_sha256").get<std::string>();
  return report;
}

void restore(std::span<const std::byte> from, ActivationStore& to) {
  const auto memory = to.memory();
  if (from.size() != memory.size())
    throw Error(ErrorKind::kCorruptFile, "the journal's activations have another size");
  std::memcpy(memory.data(), from.data(), from.size());
}

}  // namespace

Json job_identity(const PassportParts& parts) {
  PassportParts bare = parts;
  static const std::vector<ModuleReport> none;
  static const std::vector<std::string> no_notes;
  bare.calibration = nullptr;
  bare.modules = &none;
  bare.transform_notes = &no_notes;
  Json job = make_passport(bare);
  job.erase("schema");
  Json modules = Json::object();
  for (const PlannedModule& module : parts.recipe->modules) {
    modules[module.name] = module_recipe_json(module);
    modules[module.name]["dialect"] = parts.recipe->layout_settings.dialect_of(module.name);
  }
  job["modules"] = std::move(modules);
  if (!parts.recipe->calibrated()) return job;
  // Of the tokens, not of the files: a text may come through a pipe. Where the model writes its own
  // text all that it depends on is here already.
  const CalibrationOptions& asked = parts.options->calibration;
  job["calibration"] = {{"samples", asked.samples}, {"seq_len", asked.length}};
  if (!parts.options->statistics.empty())
    job["calibration"] = {{"statistics_sha256", parts.calibration->statistics}};
  job["calibration"]["tokens_sha256"] =
      parts.calibration != nullptr ? Json(parts.calibration->hash) : Json(nullptr);
  return job;
}

void keep_state(Journal& journal, const JobState& state, const Samples* samples) {
  Json modules = Json::array();
  for (const ModuleReport& report : state.modules) modules.push_back(report_json(report));
  const Calibration& calibration = state.calibration;
  const Json json = {{"layers", state.layers},
                     {"calibration",
                      {{"samples", calibration.samples},
                       {"length", calibration.length},
                       {"hash", calibration.hash},
                       {"description", calibration.description},
                       {"statistics", calibration.statistics},
                       {"notes", calibration.notes}}},
                     {"modules", std::move(modules)},
                     {"transform_notes", state.transform_notes}};
  std::vector<std::span<const std::byte>> blobs = {std::as_bytes(std::span(calibration.ids))};
  if (samples != nullptr && state.layers > 0) {
    blobs.emplace_back(samples->quantized.hidden->memory());
    if (samples->followed > 0) blobs.emplace_back(samples->original.hidden->memory());
  }
  journal.keep(json, blobs);
}

JobState kept_state(const Journal& journal, const Recipe& recipe) {
  const Json& json = journal.state();
  JobState state;
  state.layers = json.at("layers").get<std::size_t>();
  const Json& calibration = json.at("calibration");
  state.calibration.samples = calibration.at("samples").get<std::size_t>();
  state.calibration.length = calibration.at("length").get<std::size_t>();
  state.calibration.hash = calibration.at("hash").get<std::string>();
  state.calibration.description = calibration.at("description").get<std::string>();
  state.calibration.statistics = calibration.at("statistics").get<std::string>();
  state.calibration.notes = calibration.at("notes").get<std::vector<std::string>>();
  const auto ids = journal.blobs().empty() ? std::span<const std::byte>() : journal.blobs()[0];
  state.calibration.ids.resize(ids.size() / sizeof(std::int32_t));
  std::memcpy(state.calibration.ids.data(), ids.data(),
              state.calibration.ids.size() * sizeof(std::int32_t));
  if (state.calibration.statistics.empty() &&
      state.calibration.ids.size() != state.calibration.samples * state.calibration.length)
    throw Error(ErrorKind::kCorruptFile, "the journal's calibration windows are cut off");
  for (const Json& report : json.at("modules")) state.modules.push_back(report_of(report, recipe));
  state.transform_notes = json.at("transform_notes").get<std::vector<std::string>>();
  return state;
}

std::filesystem::path journal_place(const std::filesystem::path& output) {
  std::error_code ignored;
  auto place = std::filesystem::weakly_canonical(std::filesystem::absolute(output), ignored);
  if (!place.has_filename()) place = place.parent_path();
  return place += ".journal";
}

std::string left_journal_note(const std::filesystem::path& output) {
  const auto place = journal_place(output);
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(place / "job.json", ignored)) return {};
  std::uint64_t bytes = 0;
  for (std::filesystem::directory_iterator entry(place, ignored), end; !ignored && entry != end;
       entry.increment(ignored))
    if (const auto size = entry->file_size(ignored); !ignored) bytes += size;
  return cat(place.string(), " (", human_bytes(bytes),
             ") was left by another job of this output, which was stopped; that job, given again "
             "with --force, goes on from it, and rm -r ",
             place.string(), " removes it");
}

void restore_samples(const Journal& journal, Samples& samples) {
  const auto blobs = journal.blobs();
  if (blobs.size() < 2) return;
  restore(blobs[1], *samples.quantized.hidden);
  if (samples.followed == 0) return;
  if (blobs.size() < 3)
    throw Error(ErrorKind::kCorruptFile, "the journal lacks the original activations");
  restore(blobs[2], *samples.original.hidden);
}

}  // namespace nibble
